"""Where the results of trainings are."""

from keras_kd.jobs.training_files import FILES_OF_TEACHER, files_of_student


def test_every_training_has_files_of_its_own():
    students = [
        files_of_student(kind, seed, phase)
        for kind in ("alone", "distilled")
        for seed in (0, 1)
        for phase in (0, 1)
    ]
    names = [name for files in [FILES_OF_TEACHER, *students] for name in files]
    assert len({*names}) == len(names)
    assert files_of_student("alone", 1, 2) == (
        "seed1/alone+2.keras",
        "seed1/alone+2.history.json",
        "seed1/alone+2.statistics.json",
    )

"""The main job: a teacher, a student trained alone and distilled, five files, one report."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras

from keras_kd.jobs import findings
from keras_kd.jobs.experiment import Experiment, Progress, check_experiment
from keras_kd.jobs.findings import ALONE, DISTILLED, TEACHER, Figures
from keras_kd.jobs.preflight import find_doubts, require_no_doubts
from keras_kd.jobs.runs import Run
from keras_kd.jobs.student_files import QUANTIZATIONS, StudentFiles
from keras_kd.jobs.trainings import Trainings, files_of_student
from keras_kd.reports import Report
from keras_kd.reports.comparison import compare


def distil(
    run: Run,
    experiment: Experiment,
    *,
    strict: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> Report:
    """Do the main job in a run's folder, or whatever part of it is left.

    Args:
        run: Where models, files and the report go.
        experiment: The data, the models, and how they are trained.
        strict: Whether a teacher that has little to teach is an error instead of a warning.
        progress: Where to report progress.
        command: The command that was typed, for the report.

    Returns:
        The report, which is also in the folder as `report.html`, `.md` and `.json`.

    Raises:
        ValueError: Models that do not fit the data or each other; doubts about the teacher, if `strict`.
    """
    progress = progress or Progress()
    if run.has("report.json") and run.is_whole():
        return _read_report(run, progress)
    run.discard("report.json")  # of results that were lost
    check_experiment(experiment)
    trainings = Trainings(run, experiment, progress)
    teacher = trainings.teacher()
    doubts = find_doubts(teacher, experiment.student(), experiment.data)
    if strict:
        require_no_doubts(doubts)
    for doubt in doubts:
        progress.say(f"Warning: {doubt}")
    students = [trainings.students(teacher, seed) for seed in range(experiment.seeds)]
    alone, distilled = students[0]
    files = StudentFiles(run, experiment.data, distilled, files_of_student("distilled", 0).model, progress)
    exported = {quantization: files.exported(quantization) for quantization in QUANTIZATIONS}
    verified = {quantization: files.verified(quantization) for quantization in QUANTIZATIONS}
    models = {TEACHER: teacher, ALONE: alone, DISTILLED: distilled, **exported}
    report = _measure(models, trainings, progress, command)
    report = replace(report, facts=[*doubts, *_facts(report, trainings, verified)])
    for suffix in ("html", "md", "json"):  # the last one marks the run as finished
        report.save(run.path(f"report.{suffix}"), overwrite=True)
    run.record("report.json")
    return report


def _read_report(run: Run, progress: Progress) -> Report:
    path = run.path("report.json")
    try:
        report = Report.load(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}. Delete the file to have it made again.") from error
    for suffix in ("html", "md"):
        if not run.has(f"report.{suffix}"):
            report.save(run.path(f"report.{suffix}"))
    progress.say(f"{run.folder} is finished: nothing was left to do.")
    return report


def _measure(
    models: Mapping[str, keras.Model | Path], trainings: Trainings, progress: Progress, command: str | None
) -> Report:
    data, seeds = trainings.experiment.data, trainings.experiment.seeds
    accuracies = {ALONE: trainings.accuracies("alone"), DISTILLED: trainings.accuracies("distilled")}
    return compare(
        data.test,
        baseline=TEACHER,
        models=models,
        sources=dict.fromkeys(QUANTIZATIONS, DISTILLED),
        seeds=accuracies if seeds > 1 else None,
        curves=trainings.curves(),
        title=f"{data.name}: teacher, student, and five files",
        data_name=f"{data.name}, test split",
        command=command,
        progress=progress.note,
        not_measured=findings.gaps(seeds),
    )


def _facts(report: Report, trainings: Trainings, verified: Mapping[str, Figures]) -> list[str]:
    experiment = trainings.experiment
    samples = len(experiment.data.arrays["test"].x)
    facts = [findings.verdict(trainings.accuracies("distilled"), trainings.accuracies("alone"), samples)]
    if experiment.labels is not None:
        facts.append(findings.few_labels(experiment.labels, experiment.data, experiment.train_teacher))
    return [*facts, *findings.sizes(report), findings.agreements(verified)]

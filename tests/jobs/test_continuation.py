"""Runs that go on with more epochs."""

import pytest

from keras_kd.jobs.continuation import check_run, open_run


def settings(epochs, **others):
    return {"data": "x", "recipe": {"student_epochs": epochs, "earlier": [], "alpha": 0.1, **others}}


@pytest.fixture
def folder(tmp_path):
    run = open_run(tmp_path / "run", settings(20), more_epochs=False)
    run.keep("report.json", {})
    return run.folder


def recipe(run):
    return run.settings["recipe"]["student_epochs"], run.settings["recipe"]["earlier"]


def test_a_run_is_continued_and_then_resumed(folder):
    run = open_run(folder, settings(50), more_epochs=True)
    assert recipe(run) == (50, [20])
    assert not run.has("report.json")
    for more in (True, False):  # resumed, whether the option is typed again or not
        assert recipe(open_run(folder, settings(50), more_epochs=more)) == (50, [20])
    assert recipe(open_run(folder, settings(60), more_epochs=True)) == (60, [20, 50])


def test_the_earlier_report_stays_and_an_unfinished_continuation_can_be_undone(folder):
    (folder / "report.html").write_text("of 20 epochs")
    run = open_run(folder, settings(3000), more_epochs=True)
    assert (folder / "report-before.html").read_text() == "of 20 epochs"
    run.keep("seed0/alone.history.json", {})
    run.keep("seed0/alone+1.history.json", {})
    run = open_run(folder, settings(30), more_epochs=True)
    assert recipe(run) == (30, [20])
    assert not run.has("seed0/alone+1.history.json")  # of 3000 epochs
    run = open_run(folder, settings(20), more_epochs=False)
    assert recipe(run) == (20, [])
    assert run.has("seed0/alone.history.json")
    assert run.is_whole()


def test_files_and_metric_may_change(folder):
    changed = {**settings(20), "files": ["int8"], "metric": "mse"}
    open_run(folder, changed, more_epochs=False)
    changed["files"] = ["float32", "int8"]
    run = open_run(folder, changed, more_epochs=False)
    assert run.settings == changed
    assert not run.has("report.json")
    run.keep("report.json", {})
    assert open_run(folder, changed, more_epochs=False).has("report.json")


def test_as_many_epochs_are_no_change(folder):
    run = open_run(folder, settings(20), more_epochs=True)
    assert recipe(run) == (20, [])
    assert run.has("report.json")


@pytest.mark.parametrize(
    ("epochs", "options", "more", "error", "message"),
    [
        (50, {}, False, FileExistsError, "a run of 20 epochs. more_epochs=True trains its students on to 50"),
        (10, {}, True, ValueError, "a run of 20 epochs, which cannot become 10"),
        (50, {"alpha": 0.5}, True, FileExistsError, "other settings .recipe.alpha was 0.1, now 0.5"),
    ],
)
def test_what_cannot_be_continued(folder, epochs, options, more, error, message):
    with pytest.raises(error, match=message):
        open_run(folder, settings(epochs, **options), more_epochs=more)
    with pytest.raises(error, match=message):
        check_run(folder, lambda: settings(epochs, **options), more_epochs=more)
    assert (folder / "report.json").exists()


def test_nothing_to_continue(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run that could be continued"):
        open_run(tmp_path / "run", settings(20), more_epochs=True)
    with pytest.raises(FileNotFoundError, match="holds no run that could be continued"):
        check_run(tmp_path / "run", dict, more_epochs=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("epochs", [20, 50])
def test_a_check_changes_nothing(folder, tmp_path, epochs):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    check_run(folder, lambda: settings(epochs), more_epochs=True)
    check_run(tmp_path / "new", lambda: settings(epochs), more_epochs=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_check_finds_what_was_changed(folder):
    (folder / "report.json").write_text("other")
    with pytest.raises(ValueError, match=r"report.json: changed or damaged"):
        check_run(folder, lambda: settings(20), more_epochs=False)


def test_settings_that_cannot_be_read_are_told_of(folder):
    (folder / "settings.json").write_text("{")
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(ValueError, match=r"settings.json is not valid JSON"):
        open_run(folder, settings(20), more_epochs=False)

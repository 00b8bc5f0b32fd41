"""Every example is short, and is run in its short form: `python examples/NAME.py --short`."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TASKS = sorted((ROOT / "examples" / "tasks").glob("*.py"))
PARTS_OF_TASKS = sorted((ROOT / "examples" / "tasks" / "parts").glob("*.py"))
ALL = ROOT / "examples" / "run_all.py"
EXAMPLES = sorted({*(ROOT / "examples").rglob("*.py")} - {*TASKS, *PARTS_OF_TASKS})
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))


def name(path):
    folder = ROOT / "examples" if ROOT / "examples" in path.parents else ROOT / "benchmarks"
    return path.relative_to(folder).with_suffix("").as_posix()


@pytest.fixture
def run(tmp_path, monkeypatch, capfd, plain_teacher, traced_once):
    """Runs a script in its short form, in a fresh folder and in this process, which has loaded TensorFlow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of processes that it starts

    def in_this_process(path):
        monkeypatch.setattr(sys, "argv", [str(path), "--short", *PARTS.get(path.stem, ())])
        monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as little an error as in a process of its own
            runpy.run_path(str(path), run_name="__main__")
        return capfd.readouterr().out

    return in_this_process


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {"basic", "features", "deploy", "few_labels", "own_loss"}


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_fits_on_a_page_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) < 100
    assert f"Run: python examples/{name(path)}.py [--short]" in text


@pytest.mark.parametrize("path", TASKS, ids=name)
def test_a_task_reads_from_top_to_bottom(path):
    text = path.read_text()
    assert len(text.splitlines()) < 150
    assert f"Run: python examples/{name(path)}.py [--short]" in text


@pytest.mark.parametrize("path", PARTS_OF_TASKS, ids=name)
def test_a_part_of_tasks_is_small(path):
    assert len(path.read_text().splitlines()) < 200


@pytest.mark.slow
@pytest.mark.parametrize("path", TASKS, ids=name)
def test_tasks_run(path, run):
    """Each prints its rows: the student alone, distilled, and what its file is worth."""
    lines = [line for line in run(path).splitlines() if line.startswith("| ")]
    assert len(lines) > 2
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.slow
# Those in folders are run by tests/training/test_workers.py and tests/teachers/taught/test_bulk.py.
@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.parent.name == "examples" and p != ALL], ids=name)
def test_runs(path, run):
    assert "test digit" in run(path)  # it says what it found


@pytest.mark.slow
def test_all_tasks_make_one_table(run, tmp_path):
    lines = [line for line in run(ALL).splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| omitted class"]
    assert (tmp_path / "kept" / "table.md").read_text().splitlines() == lines


# What is run of a script that takes long even in its short form.
PARTS = {"attack": ("--only", "destinations"), "run_all": ("omitted_class", "--out", "kept")}
# What each benchmark prints ratios of.
RATIOS = {
    "attack": "under attack",
    "boosted": "Of the accuracy of the boosted trees",
    "busy_machine": "contradictions",
    "bridge": "difference / spread",
    "compression": "time / teacher",
    "clustering": "clustered / not clustered",
    "ensembles": "minus best single",
    "house": "% of arguments",
    "losses": "loss / MSE",
    "low_rank": "labels  distilled",
    "payoff": "distilled - best alone",
    "pruning": "pruned / not pruned",
    "quantization_aware": "minus post-training",
    "scaling": "/ one device",
    "schemes": "step / parts",
    "shrinking": "saved / removed",
    "shrinking_memory": "peak / model",
    "sparse_files": "ms / dense",
    "step": "keras_kd, logits - floor",
    "teachers": "step with the Keras model",
    "teaching": "labelling / fastest",
    "teaching_once": "CPU / alone",
    "teaching_workers": "least share",
    "temperatures": "on training data",
    "training": "last / first",
    "verdicts": "found/true",
    "versus_keras": "keras.distillation / keras_kd",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", BENCHMARKS, ids=name)
def test_benchmarks_run(path, run):
    assert RATIOS[path.stem] in run(path)

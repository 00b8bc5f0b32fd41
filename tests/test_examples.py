"""Every example is short, and is run in its short form: `python examples/NAME.py --short`."""

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
STARTED_BY_OTHERS = ["multi_worker/teacher", "multi_worker/train"]
# All others run in the process of the tests, which has loaded TensorFlow already. These start processes, or
# set up TensorFlow's devices before anything runs, or measure the memory of their process.
PROCESSES = ["multi_worker/launch", "multi_worker/ray_train"]


def name(path):
    folder = ROOT / "examples" if ROOT / "examples" in path.parents else ROOT / "benchmarks"
    return path.relative_to(folder).with_suffix("").as_posix()


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs a script in its short form, in a fresh folder; what it prints."""

    def in_a_process(path):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(path), "--short"]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def in_this_process(path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(path), "--short"])
        monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
        monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of processes that it starts
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as little an error as in a process of its own
            runpy.run_path(str(path), run_name="__main__")
        return capfd.readouterr().out

    return lambda path: in_a_process(path) if name(path) in PROCESSES else in_this_process(path)


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {"basic", "features", "deploy", "few_labels", "own_loss"}


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_fits_on_a_page_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) < 100
    assert f"Run: python examples/{name(path)}.py [--short]" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in EXAMPLES if name(p) not in STARTED_BY_OTHERS], ids=name)
def test_runs(path, run):
    assert "test digit" in run(path)  # it says what it found


# What each benchmark prints ratios of.
RATIOS = {
    "bridge": "difference / spread",
    "house": "% of arguments",
    "losses": "loss / MSE",
    "pruning": "pruned / not pruned",
    "quantization_aware": "minus post-training",
    "scaling": "/ one device",
    "sparse_files": "ms / dense",
    "step": "keras_kd, logits / floor",
    "training": "last / first",
    "versus_keras": "keras.distillation / keras_kd",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", BENCHMARKS, ids=name)
def test_benchmarks_run(path, run):
    assert RATIOS[path.stem] in run(path)

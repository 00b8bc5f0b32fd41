"""Every example is short, and is run in its short form: `python examples/NAME.py --short`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
STARTED_BY_OTHERS = ["multi_worker/teacher", "multi_worker/train"]


def name(path):
    return path.relative_to(ROOT / "examples").with_suffix("").as_posix()


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} >= {"basic", "features", "deploy", "few_labels", "own_loss"}


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
def test_fits_on_a_page_and_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) < 100
    assert f"Run: python examples/{name(path)}.py [--short]" in text


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in EXAMPLES if name(p) not in STARTED_BY_OTHERS], ids=name)
def test_runs(path, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(path), "--short"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test digit" in result.stdout  # it says what it found


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
@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_run(path, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(path), "--short"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert RATIOS[path.stem] in result.stdout

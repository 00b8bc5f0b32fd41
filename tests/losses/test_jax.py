"""The losses, taps and objectives on the JAX backend, in a process of their own.

Keras has one backend per process. The contract is that of `test_contract.py`: value and gradient of each
row, the first published value of each row, and masks for one row of each loss. The rest is left to
TensorFlow, since JAX compiles each case.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from tests.contract import LOSSES

ROOT = Path(__file__).parent.parent.parent
OF_EVERY_ROW = ["test_equals_the_oracle[{}]", "test_the_gradient_reaches_the_student_only[{}]"]
OF_MASKS = ["test_padded_tokens_get_no_gradient[{}]", "test_the_mask_of_keras_is_the_mask[{}]"]
MASKED = [name for name, row in LOSSES.items() if "," not in name and row.tokens is not None]
PUBLISHED = {name: next(iter(row.references)) for name, row in LOSSES.items() if row.references}
CASES = [test.format(name) for test in OF_EVERY_ROW for name in LOSSES]
CASES += [test.format(name) for test in OF_MASKS for name in MASKED]
CASES += [f"test_equals_the_published_reference[{name}-{case}-float32]" for name, case in PUBLISHED.items()]


def run_on_jax(report, *tests):
    """Run tests with Keras on JAX; the names of those that passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}"]
    # Compiling for speed takes longer than what is compiled then runs.
    env = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "XLA_FLAGS": "",  # those of TensorFlow's XLA; another one ends at a flag that it does not know
    }
    run = subprocess.run([*command, *tests], cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    names = {case.get("name") for case in cases if not len(case)}  # a failed or skipped one says so inside
    assert len(names) == len(cases)
    return names


@pytest.mark.slow
def test_losses_taps_and_objectives_keep_their_contract_on_jax(tmp_path):
    contract = (f"tests/losses/test_contract.py::{case}" for case in CASES)
    passed = run_on_jax(tmp_path / "report.xml", "tests/losses/on_jax.py", *contract)
    assert "test_keras_runs_on_jax" in passed
    assert set(CASES) <= passed
    print(f"{len(passed)} tests passed on JAX")

"""The losses, taps and objectives on the JAX backend, in a process of their own.

Keras has one backend per process. The contract is that of `test_contract.py`; float64, half precision and
finite differences are left to TensorFlow.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from tests.contract import LOSSES

ROOT = Path(__file__).parent.parent.parent
OF_EVERY_LOSS = ["test_equals_the_oracle[{}]", "test_the_gradient_reaches_the_student_only[{}]"]
MASKED = ["test_padded_tokens_get_no_gradient[{}]", "test_the_mask_of_keras_is_the_mask[{}]"]
SELECTED = (
    "on_jax or ((equals_the_oracle or equals_the_published or reaches_the_student or get_no_gradient or "
    "mask_of_keras) and not float64 and not half_precision)"
)


def run_on_jax(selected, report, *files):
    """Run tests with Keras on JAX; the names of those that passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", selected]
    command += [f"--junit-xml={report}", *(f"tests/losses/{file}" for file in files)]
    # Compiling for speed takes longer than what is compiled then runs.
    env = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    names = {case.get("name") for case in cases if not len(case)}  # a failed or skipped one says so inside
    assert len(names) == len(cases)
    return names


@pytest.mark.slow
def test_losses_taps_and_objectives_keep_their_contract_on_jax(tmp_path):
    passed = run_on_jax(SELECTED, tmp_path / "report.xml", "test_contract.py", "on_jax.py")
    assert "test_keras_runs_on_jax" in passed
    masked = [name for name, row in LOSSES.items() if row.tokens is not None]
    expected = {test.format(name) for test in OF_EVERY_LOSS for name in LOSSES}
    expected |= {test.format(name) for test in MASKED for name in masked}
    expected |= {
        f"test_equals_the_published_reference[{name}-{case}-float32]"
        for name, row in LOSSES.items()
        for case in row.references
    }
    assert expected - passed == set()
    print(f"{len(passed)} tests passed on JAX")

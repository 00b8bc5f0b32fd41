"""Descriptors 0 to 2 are never left for a file that is opened next."""

import subprocess
import sys

import pytest

PROGRAM = """
import os, runpy, sys
functions = runpy.run_path({path!r})
functions["reserve_standard_descriptors"]()
taken = [os.open(os.devnull, os.O_RDONLY), os.dup(0), os.dup(1), os.dup(2)]
assert min(taken) > 2, taken
assert all(os.get_inheritable(number) for number in (0, 1, 2))
os._exit(7)
"""


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_closed_ones_are_opened(closed):
    from keras_kd import descriptors

    redirections = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    program = PROGRAM.format(path=descriptors.__file__)
    command = ["bash", "-c", f'"$0" -S -c "$1" {redirections}', sys.executable, program]
    assert subprocess.run(command, capture_output=True).returncode == 7

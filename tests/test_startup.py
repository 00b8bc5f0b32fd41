"""Whether a process is the command line, and how it ends while it loads."""

import os
import subprocess
import sys

import pytest

from keras_kd import startup

PROGRAM = """
import sys
sys.argv[0] = {name!r}
from keras_kd import startup
print(startup.IS_COMMAND_LINE, "tensorflow" in sys.modules)
"""


def test_a_program_that_uses_the_package_is_not_the_command_line():
    assert not startup.IS_COMMAND_LINE
    assert not startup.is_deferred


@pytest.mark.parametrize("name", ["keras-kd", "/usr/bin/keras-kd", "keras-kd.exe"])
def test_the_command_is(name):
    command = [sys.executable, "-c", PROGRAM.format(name=name), "-m", "keras_kd"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "True False\n"


@pytest.mark.parametrize(
    "options", [["-m", "keras_kd"], ["-mkeras_kd"], ["-um", "keras_kd"], ["-umkeras_kd"]]
)
def test_the_module_is_however_it_is_written(options):
    command = [sys.executable, "-X", "importtime", *options, "--version"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout.startswith("keras-kd 0")
    assert "tensorflow" not in result.stderr


def test_the_process_ends_at_once():
    child = os.fork()
    if child == 0:
        os.close(2)
        startup.end_at_once(15, None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 143

"""Standard streams of the command line: closed, broken and full ones, and what is printed on them."""

import os
import pty
import subprocess
import sys
import textwrap

import pytest

# The streams alone: the package loads TensorFlow, which takes seconds.
PROGRAM = """
import sys, types
package = types.ModuleType("keras_kd")
package.__path__ = [{package!r}]
cli = types.ModuleType("keras_kd.cli")
cli.__path__ = [{package!r} + "/cli"]
sys.modules |= {{"keras_kd": package, "keras_kd.cli": cli}}
from keras_kd.cli.output import one_line_warnings, say, show_status, write
from keras_kd.cli.streams import standard_streams
with standard_streams(), one_line_warnings():
    {body}
sys.exit(3)
"""
BODY = "say('told'); write(40_000 * 'figures '); print('more', file=sys.stderr)"


def run(body, redirections="", **options):
    import keras_kd

    program = PROGRAM.format(package=os.path.dirname(keras_kd.__file__), body=body)
    command = ["bash", "-c", f'"$0" -c "$1" {redirections}', sys.executable, program]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, text=True, **options)


@pytest.mark.parametrize(
    ("redirections", "code", "told"),
    [
        ("", 3, True),
        (">&-", 3, True),
        ("2>&-", 3, False),
        ("<&- >&- 2>&-", 3, False),
        ("2>/dev/full", 3, False),
        (">/dev/full", 1, True),
        (">/dev/full 2>&1", 1, False),
        ("| head -c 1; exit ${PIPESTATUS[0]}", 141, True),
        ("2>&1 | true; exit ${PIPESTATUS[0]}", 141, False),
    ],
)
def test_the_exit_code_is_right_and_no_traceback_is_printed(redirections, code, told):
    result = run(BODY, redirections)
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert "OSError" not in result.stderr
    assert ("told" in result.stderr) == told
    assert ("No space left on device" in result.stderr) == (redirections == ">/dev/full")


EVIL = "'a\\x1b[2Jb\\r\\u202ec\\udcff'"


@pytest.mark.parametrize(
    "body",
    [
        f"write({EVIL})",
        f"say({EVIL})",
        f"print({EVIL})",
        f"print({EVIL}, file=sys.stderr)",
        f"import warnings; warnings.warn({EVIL})",
    ],
)
def test_control_characters_are_escaped_wherever_they_are_printed(body):
    result = run(body)
    assert r"a\u001b[2Jb\r\u202ec\udcff" in result.stdout + result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_an_encoding_that_lacks_a_character_is_no_error():
    result = run("write('Δ 模')", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stdout) == (3, "\\u0394 \\u6a21\n")


def test_a_terminal_shows_what_is_running_and_no_markup_or_control_characters_of_names():
    master, terminal = pty.openpty()
    body = f"import time\n    with show_status('[/b] {EVIL[1:-1]}'): time.sleep(0.3)"
    run(body, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # the end, on Linux
        pass
    os.close(master)
    assert rb"[/b] a\u001b[2Jb" in shown
    assert b"\x1b[2K" in shown  # rich itself draws
    assert rb"\u001b[2K" not in shown  # in every frame
    assert b"\x1b[2J" not in shown


LONG = "Files are made from the model that learned alone because it has an accuracy of 82.50 %"


def test_lines_are_wrapped_between_words_on_a_terminal_only():
    master, terminal = pty.openpty()
    run(f"say({LONG!r})", stderr=terminal, env=os.environ | {"COLUMNS": "40"})
    os.close(terminal)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert shown.splitlines() == textwrap.wrap(LONG, 40)
    assert run(f"say({LONG!r})", env=os.environ | {"COLUMNS": "40"}).stderr == f"{LONG}\n"


def test_the_streams_are_put_back():
    assert run("pass\nprint(type(sys.stdout).__name__)").stdout == "TextIOWrapper\n"

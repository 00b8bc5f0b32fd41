"""The command line as a whole: help, exit codes, errors in one line."""

import runpy
import signal
import subprocess
import sys

import pytest

from keras_kd import startup
from keras_kd.cli import app
from keras_kd.deployment import benchmark
from tests.cli.conftest import run

COMMANDS = ["demo", "distill", "taps", "cost", "shrink", "compact", "factorize"]
COMMANDS += ["sensitivity", "recalibrate", "export", "verify", "benchmark", "compare"]


@pytest.fixture
def existing(tmp_path):
    (tmp_path / "x.tflite").touch()
    return tmp_path / "x.tflite"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, printed):
    assert run(command, "--help") == 0
    assert f"Example: keras-kd {command}" in " ".join(printed()[0].split())


def test_no_command_shows_the_help(printed):
    run()
    out, err = printed()
    assert all(command in out + err for command in COMMANDS)


def test_no_description_is_cut_at_80_columns(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run("--help") == 0
    out, _ = printed()
    assert max(map(len, out.splitlines())) <= 80
    listed = {line.split()[0]: line for line in out.partition("Commands:")[2].splitlines() if line}
    assert list(listed) == COMMANDS
    assert all(line.endswith(".") and not line.endswith("..") for line in listed.values()), out


def test_as_a_module_it_is_the_command(capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["keras_kd", "taps", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("keras_kd", run_name="__main__")
    assert "Example: keras-kd taps" in capfd.readouterr().out


def test_as_a_module_it_is_quiet_about_tensorflow():
    result = subprocess.run(
        [sys.executable, "-m", "keras_kd", "taps", "--help"], capture_output=True, text=True
    )
    assert result.returncode == 0
    assert result.stderr == ""
    assert "Example: keras-kd taps" in result.stdout


def test_a_missing_file_is_one_line_and_a_traceback_on_request(printed):
    assert run("benchmark", "nowhere.tflite") == 1
    out, err = printed()
    assert out == ""
    assert err.count("\n") == 1
    assert "nowhere.tflite" in err
    with pytest.raises(FileNotFoundError):
        run("--debug", "benchmark", "nowhere.tflite")


def test_an_unexpected_error_is_named(printed, monkeypatch, existing):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(benchmark, "benchmark", fails)
    assert run("benchmark", existing) == 1
    assert printed()[1] == "Error: ZeroDivisionError: division by zero\n"


def test_interrupted(printed, monkeypatch, existing):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "benchmark", interrupted)
    assert run("benchmark", existing) == 130
    assert "the same command resumes" in printed()[1]


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["keras-kd", "--version"]
def interrupt(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
class Finder:
    find_spec = staticmethod(lambda name, *rest: interrupt() if name == "typer" else None)
class Last:
    write, flush = sys.stdout.write, interrupt
moment = {moment!r}
if moment == "imports":
    sys.meta_path.insert(0, Finder)
from keras_kd.cli import app
if moment == "options":
    app.write = interrupt
elif moment == "command":
    app.OneLineErrors.invoke = interrupt
    sys.argv[1] = "demo"
elif moment == "end of the process":
    sys.stdout = Last()
app.main()
"""
INTERRUPTS = {
    "imports": (130, "Interrupted.\n"),
    "options": (130, "Interrupted.\n"),
    "command": (130, "Interrupted.\n"),
    "end of the process": (0, ""),  # nothing is left to interrupt
}


ENDED = """
import atexit, os, sys, threading, time
sys.argv = ["keras-kd", {word!r}]
from keras_kd.cli import app
class Last:
    def __del__(self, write=os.write):
        write(1, b"taken apart")
last = Last()
def work():
    time.sleep(0.1)
    os.write(1, b"thread, ")
threading.Thread(target=work).start()
atexit.register(print, "cleaned up", end="")  # which stays in the buffer
app.write = lambda text: None
app.main()
"""


@pytest.mark.parametrize(("word", "code"), [("--version", 0), ("--debug=1", 2), ("exprot", 2)])
def test_the_process_ends_when_all_is_done_and_nothing_is_taken_apart(word, code):
    program = [sys.executable, "-c", ENDED.format(word=word)]
    result = subprocess.run(program, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (code, "thread, cleaned up")


@pytest.mark.parametrize(("moment", "ended"), INTERRUPTS.items(), ids=INTERRUPTS)
def test_ctrl_c_before_and_after_a_command_is_one_line_or_nothing(moment, ended):
    program = [sys.executable, "-c", INTERRUPTED.format(moment=moment)]
    result = subprocess.run(program, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == ended


def test_a_command_can_clean_up_after_ctrl_c(monkeypatch):
    before = signal.signal(signal.SIGINT, startup.end_at_once)
    try:
        with pytest.raises(KeyboardInterrupt), app.interruptible():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is startup.end_at_once
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a job in the background
        with app.interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_main_takes_the_signals_over_unless_they_are_ignored(monkeypatch):
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *app._REQUESTS)}
    monkeypatch.setattr(app, "run", lambda arguments: 3)
    try:
        signal.signal(signal.SIGINT, startup.end_at_once)  # as for a command
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests themselves were started with
        with pytest.raises(SystemExit, match="3"):
            app.main()
        assert signal.getsignal(signal.SIGINT) is startup.end_at_once  # until a command runs
        assert signal.getsignal(signal.SIGHUP) is signal.getsignal(signal.SIGTERM) is app._terminate
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for a job in the background
        with pytest.raises(SystemExit, match="3"):
            app.main()
        assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_terminated(number, code, printed, monkeypatch, existing):
    """As service managers, job schedulers and terminals end a process; what is open is closed on the way."""
    closed = []

    def terminated(*args, **kwargs):
        try:
            signal.raise_signal(number)
        finally:
            closed.append(True)

    monkeypatch.setattr(benchmark, "benchmark", terminated)
    before = signal.signal(number, app._terminate)
    try:
        assert run("benchmark", existing) == code
        assert signal.getsignal(number) == signal.SIG_DFL  # a second one does not wait
    finally:
        signal.signal(number, before)
    assert "the same command resumes" in printed()[1]
    assert closed == [True]


def test_usage_errors(printed):
    assert run("export", "m.keras", "--quantization", "int7", "--out", "m.tflite") == 2
    assert "int7" in printed()[1]
    assert run("exprot") == 2


def test_choices_in_any_case(printed):
    assert run("export", "none.keras", "--quantization", "INT8", "--out", "m.tflite") == 1
    assert "none.keras" in printed()[1]

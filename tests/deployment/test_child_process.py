"""A child that answers lines: deaths, time limits, and who may end it."""

import os
import signal
import subprocess

import pytest

from keras_kd.deployment.child_process import Child, ChildTimeout, seconds_allowed, signal_text

ECHO = "import sys\nfor line in sys.stdin: print(line.strip() * 2, flush=True)"


@pytest.fixture
def start():
    started = []

    def child(program):
        started.append(Child(["-c", program], {"EXTRA": "set"}, subprocess.DEVNULL))
        return started[-1]

    yield child
    for one in started:
        one.close()
        one.close()


def test_lines_are_answered_in_turn(start):
    child = start(ECHO)
    assert [child.ask(word, 60) for word in ("a", "b")] == ["aa\n", "bb\n"]
    assert child.pid is not None
    child.close()
    assert child.pid is None


def test_the_environment_is_changed_and_the_import_path_kept(start):
    child = start("import os, tests\ninput()\nprint(os.environ['EXTRA'])")
    assert child.ask("", 60) == "set\n"


def test_a_death_is_an_empty_answer(start):
    child = start("import os\ninput()\nos.kill(os.getpid(), 11)")
    assert child.ask("x", 60) == ""
    assert child.wait() == -signal.SIGSEGV
    assert child.ask("x", 60) == ""  # and it cannot be written to
    assert signal_text(-11) == "SIGSEGV: Segmentation fault"


@pytest.mark.parametrize("is_stopped", [False, True], ids=["busy", "stopped"])
def test_a_child_that_does_not_answer_in_time_is_ended(is_stopped, start):
    child = start(ECHO if is_stopped else "input()\nimport time; time.sleep(60)")
    if is_stopped:
        os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ChildTimeout):
        child.ask("x", 0.2)
    assert child.wait() == -signal.SIGKILL


def test_a_forked_process_leaves_the_child_of_its_parent_alone(start, monkeypatch):
    child = start(ECHO)
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: 1)
        assert child.pid is None
        child.close()
    assert child.ask("a", 60) == "aa\n"


def test_time_limits_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("LIMIT", raising=False)
    assert seconds_allowed("LIMIT", 5.0) == 5.0
    monkeypatch.setenv("LIMIT", "0.5")
    assert seconds_allowed("LIMIT", 5.0) == 0.5
    for wrong in ("soon", "0", "-1", "nan", "inf", "1e300"):
        monkeypatch.setenv("LIMIT", wrong)
        with pytest.raises(
            ValueError, match=f"LIMIT must be a positive number of seconds; received '{wrong}'"
        ):
            seconds_allowed("LIMIT", 5.0)

"""Unknown files are tried in a child: what kills or stops it is one error here, and known files need none."""

import json
import math
import os
import re
import signal
import time

import numpy as np
import pytest

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening import trials as module
from keras_kd.deployment.opening.tflite_trial import load
from keras_kd.deployment.opening.trials import Trials, trials
from tests.deployment.damage import crashing


@pytest.fixture
def mine():
    """Trials with a child of their own, which know nothing yet."""
    made = Trials()
    yield made
    made.close()


@pytest.fixture
def program(monkeypatch):
    """Replaces the program of the child; `answer(path)` is what it calls for each file."""

    def replace(answer):
        head, loop = (
            "import json, os, sys, time\nn = 0",
            "for line in sys.stdin:\n    n += 1\n    answer(line)",
        )
        monkeypatch.setattr(module, "_PROGRAM", f"{head}\n{answer}\n{loop}")

    return replace


GOOD = "print(json.dumps(['d', None, None]), flush=True)"


@pytest.mark.parametrize("scale", [math.nan, math.inf, -math.inf, -1.0, 0.0])
def test_scales_that_crash_the_interpreter_are_one_error(scale, small_file, tmp_path):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(crashing(small_file, scale))
    found = (
        rf"tensor 2 \('.*'\) has the scale {scale}" if scale else r"LiteRT crashes when .* \(SIGSEGV: .*\)"
    )
    message = rf"'{path}' is damaged: {found}\. Export the model again"
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            LiteModel(path)


def test_a_crash_in_the_child_is_one_error(mine, int8_file, tmp_path, program):
    program("def answer(line): os.kill(os.getpid(), 11)")
    fault = mine.fault_of(int8_file, "d")
    assert fault == "LiteRT crashes when it opens or runs it (SIGSEGV: Segmentation fault)"
    assert mine.pid is None
    assert mine.fault_of(int8_file, "d") == fault  # as remembered


def test_the_interpreter_does_crash(small_file, tmp_path, mine, monkeypatch):
    """Else nobody would need a child."""
    path = tmp_path / "damaged.tflite"
    path.write_bytes(crashing(small_file, math.nan))
    unchecked = (
        "import keras_kd.deployment.opening.tflite_trial as t; t.find_fault = lambda *given: None; main()"
    )
    monkeypatch.setattr(module, "_PROGRAM", module._PROGRAM.replace("main()", unchecked))
    assert "SIGSEGV" in mine.fault_of(path, load(path)[1])


def test_a_file_is_not_blamed_for_the_one_before(mine, int8_file, program):
    program(f"def answer(line): os.kill(os.getpid(), 6) if n > 1 else {GOOD}")
    assert mine.fault_of(int8_file, "d") is None
    mine._faults.clear()
    assert mine.fault_of(int8_file, "d") is None


@pytest.mark.parametrize("answer", ["time.sleep(60)", "os.kill(os.getpid(), 19)"], ids=["hangs", "stopped"])
def test_a_trial_that_takes_too_long(answer, mine, int8_file, program, monkeypatch):
    program(f"def answer(line): {answer}")
    monkeypatch.setenv("KERAS_KD_OPEN_TIMEOUT", "0.3")
    message = f"{re.escape(str(int8_file))}' within 0.3 s: .* variable KERAS_KD_OPEN_TIMEOUT sets the limit"
    with pytest.raises(TimeoutError, match=message):
        mine.fault_of(int8_file, "d")
    assert mine.pid is None
    program(f"def answer(line): {GOOD}")
    assert mine.fault_of(int8_file, "d") is None  # it may have been the machine


def test_a_file_that_is_being_written(mine, int8_file, tmp_path):
    with pytest.raises(OSError, match=r"is being written: open it when it is complete"):
        mine.fault_of(int8_file, "another digest")
    with pytest.raises(OSError, match="No such file"):
        mine.fault_of(tmp_path / "gone.tflite", "digest")


def test_one_child_tries_many_files(mine, dense_file, int8_file):
    children = set()
    for path in (dense_file, int8_file, dense_file):
        assert mine.fault_of(path, load(path)[1]) is None
        children.add(mine.pid)
    assert len(children) == 1


def test_an_exported_file_needs_no_trial(dense_file, tmp_path):
    trials.close()
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(dense_file.read_bytes())
    assert LiteModel(copy).predict(np.ones((1, 4))).shape == (1, 3)
    assert trials.pid is None


def test_the_child_loads_no_tensorflow(mine, dense_file, monkeypatch):
    lines = "print(json.dumps(sorted(sys.modules)), flush=True)"
    monkeypatch.setattr(module, "_PROGRAM", module._PROGRAM.replace("main()", "import json; " + lines))
    loaded = json.loads(mine._ask(dense_file))
    assert "ai_edge_litert.interpreter" in loaded
    assert not {"tensorflow", "keras", "keras_kd.losses"} & set(loaded)


def test_an_interrupt_ends_the_child(mine, int8_file, program):
    program("def answer(line): os.kill(os.getppid(), 2); time.sleep(60)")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            mine.fault_of(int8_file, "d")
    finally:
        signal.signal(signal.SIGINT, before)
    assert mine.pid is None


def test_a_child_that_was_killed_is_replaced(mine, dense_file, int8_file):
    assert mine.fault_of(dense_file, load(dense_file)[1]) is None
    os.kill(mine.pid, signal.SIGKILL)
    while mine.pid is not None:
        time.sleep(0.01)
    assert mine.fault_of(int8_file, load(int8_file)[1]) is None

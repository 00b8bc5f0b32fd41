"""The child process: started once, reused, replaced when it dies, never left behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_kd.deployment import tflite
from keras_kd.deployment.conversion.converter_process import Converter, ConverterCrashed, converter
from keras_kd.deployment.conversion.request import Converted, Request
from keras_kd.deployment.quantizations import FLOAT32
from keras_kd.deployment.tflite import export
from tests.deployment import small

ROOT = Path(__file__).parents[3]


def wait_until_dead(process):
    while process.pid is not None:
        time.sleep(0.01)


def test_one_child_serves_many_exports(dense, tmp_path):
    export(dense, tmp_path / "a.tflite")
    first = converter.pid
    export(dense, tmp_path / "b.tflite")
    assert converter.pid == first is not None


@pytest.fixture(scope="module")
def own_converter():
    """One for the tests that kill it, while others go on with the shared one."""
    mine = Converter()
    yield mine
    mine.close()


def test_a_child_is_closed_once_or_twice():
    mine = Converter()
    mine.start()
    assert mine.pid is not None
    for _ in range(2):
        mine.close()
        assert mine.pid is None


@pytest.mark.slow
def test_a_child_that_was_killed_is_replaced(dense, tmp_path, own_converter):
    request, mine = small.request(dense, tmp_path), own_converter
    mine.start()
    idle = mine.pid
    os.kill(idle, signal.SIGKILL)
    wait_until_dead(mine)
    mine.start()
    child = mine.pid
    assert child not in (None, idle)
    # In the middle of a request: by then the child still loads TensorFlow.
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(.5); os.kill({child}, 9)"])
    with pytest.raises(ConverterCrashed, match="SIGKILL: Killed"):
        mine.convert(request)
    killer.wait()
    assert mine.pid is None
    assert mine.convert(request) == Converted(ran=True)


@pytest.mark.slow
def test_a_crash_of_the_converter_is_an_error_with_advice(own_converter, tmp_path, monkeypatch):
    monkeypatch.setattr(tflite, "converter", own_converter)
    model = small.lstm()
    message = (
        r"The converter crashed while making an int8 file of 'lstm': SIG\w+: .*"
        r"Try quantization='dynamic' or 'float16', or unroll=True in layer '\w+'\."
    )
    with pytest.raises(ValueError, match=message):
        export(model, tmp_path / "m.tflite", quantization="int8", calibration=small.data(model))
    assert list(tmp_path.iterdir()) == []
    assert own_converter.pid is None


def test_an_interrupt_ends_the_child(dense, tmp_path):
    mine = Converter()
    request = small.request(dense, tmp_path)  # first: it may take as long as the child takes to start
    mine.start()
    child = mine.pid
    # By then the child still loads TensorFlow.
    # A process that was started in the background may ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            mine.convert(request)
    finally:
        signal.signal(signal.SIGINT, before)
    assert mine.pid is None
    assert not alive(child)
    mine.close()


def test_a_child_that_hangs_meets_a_time_limit(dense, tmp_path, monkeypatch):
    request = small.request(dense, tmp_path)
    mine = Converter()
    mine.start()
    child = mine.pid
    os.kill(child, signal.SIGSTOP)
    monkeypatch.setenv("KERAS_KD_CONVERT_TIMEOUT", "0.2")
    with pytest.raises(TimeoutError, match=r"within 0\.2 s, and was stopped.* KERAS_KD_CONVERT_TIMEOUT sets"):
        mine.convert(request)
    assert mine.pid is None
    assert not alive(child)
    mine.close()


def test_the_time_limit_is_checked_before_the_conversion(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_KD_CONVERT_TIMEOUT", "ten")
    mine = Converter()
    with pytest.raises(ValueError, match="KERAS_KD_CONVERT_TIMEOUT must be a positive number of seconds"):
        mine.convert(Request(tmp_path, FLOAT32))
    assert mine.pid is None


def test_the_folder_of_a_request_goes_with_it_and_with_the_converter():
    mine = Converter()
    with mine.folder() as folder:
        assert folder.parent.name.startswith("keras_kd_")
    assert not folder.exists()
    shutil.rmtree(folder.parent)  # as a system cleans its temporary files
    with mine.folder() as folder:
        (folder / "model.tflite").touch()
        mine.close()
    assert not folder.parent.exists()


def test_a_child_that_cannot_start_says_why(monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho no such library >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    mine = Converter()
    with pytest.raises(ChildProcessError, match=r"ended with exit code 3: no such library"):
        mine.convert(Request(tmp_path, FLOAT32))
    mine.close()


SCRIPT = """
import signal, sys, keras
from keras_kd.deployment.conversion.converter_process import converter
from keras_kd.deployment.tflite import export
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    while True:
        export(model, sys.argv[1], overwrite=True)
        print(converter.pid, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "is_stopped"),
    [("SIGINT", False), ("SIGTERM", False), ("SIGKILL", False), ("SIGKILL", True)],
    ids=["SIGINT", "SIGTERM", "SIGKILL", "SIGKILL-stopped-child"],
)
def test_the_child_goes_when_the_parent_does(name, is_stopped, tmp_path):
    # From another folder, where a module has the name of one that the child imports.
    elsewhere, temporary = tmp_path / "elsewhere", tmp_path / "temporary"
    elsewhere.mkdir()
    temporary.mkdir()
    (elsewhere / "queue.py").write_text("raise ImportError('the wrong queue')")
    (tmp_path / "script.py").write_text(SCRIPT)
    target = tmp_path / "m.tflite"
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", target],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child = int(process.stdout.readline())
    time.sleep(0.3)
    if is_stopped:
        os.kill(child, signal.SIGSTOP)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    deadline = time.monotonic() + 20
    while alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)
    assert [path.name for path in tmp_path.glob("*.tflite*")] == ["m.tflite"]
    assert list(temporary.glob("keras_kd_*")) == []
    if name == "SIGINT":
        assert "KeyboardInterrupt" in errors
        # TensorFlow leaves the compiled form of the functions that it rewrites.
        assert [path.name for path in temporary.iterdir() if path.name != "__pycache__"] == []
        assert list(tmp_path.glob(".m.tflite*")) == []


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

"""The child process: started once, reused, replaced when it dies, never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from keras_kd.deployment import tflite_converter
from keras_kd.deployment.converter_process import Converter, ConverterCrashed, converter
from keras_kd.deployment.saved_model import save
from keras_kd.deployment.serving import serving
from keras_kd.deployment.tflite import export
from tests.deployment import small

ROOT = Path(__file__).parents[2]


def request(model, folder, **options):
    """Save a model and write what the child would be asked."""
    served = serving(model, batch_size=options.get("batch_size"))
    save(served, folder / "saved")
    np.savez(folder / "samples.npz", **served.arrays(small.data(model)))
    paths = {"saved_model": "saved", "samples": "samples.npz", "file": "m.tflite", "outputs": "outputs.npz"}
    defaults = {"quantization": None, "io": "float32", "batch_size": None, "compared": 9}
    defaults |= {"allow_flex": False, "sparse": False, "has_ranges": False}
    return defaults | {name: str(folder / path) for name, path in paths.items()} | options


@pytest.mark.slow
def test_one_child_serves_many_exports_and_is_replaced_when_killed(dense, tmp_path):
    export(dense, tmp_path / "a.tflite")
    first = converter.pid
    export(dense, tmp_path / "b.tflite")
    assert converter.pid == first
    os.kill(first, signal.SIGKILL)
    while converter.pid is not None:
        time.sleep(0.01)
    assert export(dense, tmp_path / "c.tflite").max_error < 1e-6
    assert converter.pid not in (None, first)


@pytest.mark.slow
def test_a_child_killed_in_the_middle_is_an_error(dense, tmp_path):
    asked = request(dense, tmp_path)
    mine = Converter()
    mine.start()
    child = mine.pid
    # By then the child still loads TensorFlow.
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(.5); os.kill({child}, 9)"])
    with pytest.raises(ConverterCrashed, match="SIGKILL: Killed"):
        mine.convert(asked)
    killer.wait()
    assert mine.pid is None
    assert mine.convert(asked) == {"ran": True}
    mine.close()
    assert mine.pid is None
    mine.close()


def test_an_interrupt_ends_the_child(dense, tmp_path):
    mine = Converter()
    asked = request(dense, tmp_path)  # first, because it may take as long as the child takes to start
    mine.start()
    child = mine.pid
    # By then the child still loads TensorFlow.
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        mine.convert(asked)
    assert mine.pid is None
    assert not alive(child)


def test_a_child_that_died_before_it_was_asked():
    gone = subprocess.Popen(["true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    gone.wait()
    assert Converter._exchange(gone, "{}") == ""
    gone.stdout.close()
    with pytest.raises(BrokenPipeError):
        gone.stdin.close()


def test_a_child_that_cannot_start_says_why(monkeypatch, dense, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho first >&2\necho no such library >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    mine = Converter()
    with pytest.raises(ChildProcessError, match=r"ended with exit code 3: no such library"):
        mine.convert(request(dense, tmp_path))


SCRIPT = """
import sys, keras
from keras_kd.deployment.converter_process import converter
from keras_kd.deployment.tflite import export
if __name__ == "__main__":
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    while True:
        export(model, sys.argv[1], overwrite=True)
        print(converter.pid, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGKILL", marks=pytest.mark.slow)])
def test_the_child_goes_when_the_parent_does(name, tmp_path):
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
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    deadline = time.monotonic() + 20
    while alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.05)
    assert [path.name for path in tmp_path.glob("*.tflite*")] == ["m.tflite"]
    if name == "SIGINT":
        assert "KeyboardInterrupt" in errors
        assert list(temporary.iterdir()) == []
        assert list(tmp_path.glob(".m.tflite*")) == []


def alive(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


# The child's own code, in this process. In the child, warnings are off.


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("build", "options"),
    [
        (small.dense, {}),
        (small.dense, {"quantization": "float16"}),
        (small.dense, {"quantization": "int8", "io": "int8", "batch_size": 7}),
        (small.attention, {"quantization": "int8"}),
    ],
)
def test_answer(build, options, tmp_path):
    asked = request(build(), tmp_path, **options)
    assert tflite_converter.answer(asked) == {"ran": True}
    with np.load(asked["outputs"]) as outputs:
        assert len(outputs["output_0"]) == 9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_answers_that_are_failures(tmp_path):
    import tensorflow as tf

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    inverse = small.applied(lambda x: tf.linalg.inv(x + tf.eye(3)), (3, 3))
    answer = tflite_converter.answer(request(inverse, tmp_path / "a"))
    assert answer["failed"] == "convert"
    assert answer["reason"] == "TensorFlow Lite does not have these operators: MatrixInverse"
    assert tflite_converter.answer(request(inverse, tmp_path / "a", allow_flex=True)) == {"ran": False}
    answer = tflite_converter.answer(request(small.attention(), tmp_path / "b", quantization="int16x8"))
    assert answer["failed"] == "run"
    assert "; node number" in answer["reason"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("\n  first line \n second", "first line"),
        (
            'x\n<unknown>:0: error: loc("a"): \'tf.B\' op requires c\n<unknown>:0: note: loc("a"): called',
            "'tf.B' op requires c",
        ),
        ("a TF Select ops: B, C\nDetails:", "TensorFlow Lite does not have these operators: B, C"),
        (
            "TF Select ops: B\nCustom ops: D\n",
            "TensorFlow Lite does not have these operators: B; "
            "TensorFlow Lite, even with Flex, does not have these operators: D",
        ),
        ("y" * 500, "y" * 400),
    ],
)
def test_reasons_are_one_line(text, expected):
    assert tflite_converter.reason(text) == expected

"""The program of the converter process, run in this process. In the child, warnings are off."""

import contextlib
import threading
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment.conversion import tflite_converter
from keras_kd.deployment.conversion.request import Converted, Request
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.quantizations import FLOAT16, FLOAT32, INT8, INT16X8
from tests.deployment import small

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def dense_request(dense, tmp_path_factory):
    return small.request(dense, tmp_path_factory.mktemp("dense"))


@pytest.mark.parametrize(
    "options",
    [{}, {"quantization": FLOAT16}, {"quantization": INT8, "io": "int8", "batch_size": 7}],
    ids=["float32", "float16", "int8"],
)
def test_a_model_is_converted_and_run(options, dense_request):
    request = replace(dense_request, **options)
    assert tflite_converter.answer(request) == Converted(ran=True)
    with np.load(request.outputs) as outputs:
        assert len(outputs["output_0"]) == request.compared


def test_what_has_no_integer_kernel_is_left_in_float(tmp_path):
    request = small.request(small.applied(tf.cos), tmp_path, quantization=INT8)
    assert tflite_converter.answer(request) == Converted(ran=True)
    assert "COS" in Contents.read(request.file).operators


@pytest.mark.slow
def test_answers_that_are_failures(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    inverse = small.applied(lambda x: tf.linalg.inv(x + tf.eye(3)), (3, 3))
    request = small.request(inverse, tmp_path / "a")
    answer = tflite_converter.answer(request)
    assert answer.stage == "convert"
    assert answer.reason == "TensorFlow Lite does not have these operators: MatrixInverse"
    assert tflite_converter.answer(replace(request, allow_flex=True)) == Converted(ran=False)
    answer = tflite_converter.answer(small.request(small.attention(), tmp_path / "b", quantization=INT16X8))
    assert answer.stage == "run"
    assert "; node number" in answer.reason


def test_operator_sets_of_a_request(tmp_path):
    def sets(quantization, **options):
        return tflite_converter.operator_sets(Request(tmp_path, quantization, **options))

    assert sets(FLOAT32) == [("TFLITE_BUILTINS",)]
    assert sets(INT8) == [("TFLITE_BUILTINS_INT8",), ("TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8")]
    assert sets(INT8, has_ranges=True) == sets(FLOAT32)
    assert sets(INT8, allow_flex=True) == [("TFLITE_BUILTINS", "TFLITE_BUILTINS_INT8", "SELECT_TF_OPS")]


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


def test_a_folder_goes_while_another_thread_writes_to_it(tmp_path):
    folder = tmp_path / "keras_kd_x"
    folder.mkdir()
    writes, many = count(), threading.Event()

    def write():
        # As TensorFlow does in the middle of a conversion: the next file comes while others are removed.
        with contextlib.suppress(FileNotFoundError):
            for i in writes:
                (folder / str(i)).touch()
                if i == 500:
                    many.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert many.wait(20)
    tflite_converter.remove(str(folder))
    writer.join(20)
    assert not writer.is_alive()
    assert list(tmp_path.iterdir()) == []
    tflite_converter.remove(str(folder))  # the parent may have done so

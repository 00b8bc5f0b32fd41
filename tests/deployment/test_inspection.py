"""A converted file is compared with Keras and described; one that is wrong is refused."""

import numpy as np
import pytest

from keras_kd.deployment.conversion.request import Request
from keras_kd.deployment.inspection import inspect_file, io_fault
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.quantizations import FLOAT32, INT8
from keras_kd.deployment.source.serving import make_serving
from tests.deployment import small


@pytest.fixture
def request_for(dense_file, tmp_path):
    """A request whose file is the float32 file of `dense`."""

    def made(quantization, **options):
        request = Request(tmp_path, quantization, **options)
        request.file.write_bytes(dense_file.read_bytes())
        return request

    return made


def test_a_file_is_described_as_it_is(dense, request_for):
    x = small.data(dense, 5)
    outputs = {"output_0": np.asarray(dense(x))}
    exported = inspect_file(request_for(FLOAT32), make_serving(dense), outputs, outputs)
    assert exported.operators == {"FULLY_CONNECTED": 1}
    assert (exported.compared, exported.notes, exported.needs_flex) == (5, (), False)
    assert (exported.inputs[0].name, exported.outputs[0].shape) == ("input_0", (None, 3))
    assert exported.bytes == exported.path.stat().st_size
    assert exported.float_tensors == ()
    as_integer = inspect_file(request_for(INT8), make_serving(dense), outputs, outputs)
    assert as_integer.float_tensors == Contents.read(as_integer.path).float_tensors != ()


def test_a_file_that_disagrees_is_refused(dense, request_for):
    outputs = {"output_0": np.asarray(dense(small.data(dense, 5)))}
    wrong = {"output_0": outputs["output_0"] + 1}
    served = make_serving(dense)
    with pytest.raises(ValueError, match=r"float32 file of 'dense' is wrong: output 'output_0' is off by 1"):
        inspect_file(request_for(FLOAT32), served, outputs, wrong)
    with pytest.raises(ValueError, match=r"is wrong: .* Try sparse=False\.$"):
        inspect_file(request_for(FLOAT32, sparse=True), served, outputs, wrong)


def test_a_file_that_was_not_run_is_described_from_keras(dense, request_for):
    exported = inspect_file(request_for(FLOAT32), make_serving(dense), {"y": np.zeros((2, 3))}, None)
    assert (exported.max_error, exported.compared) == (None, 0)
    assert [(tensor.name, tensor.shape) for tensor in exported.outputs] == [("y", (None, 3))]
    assert "it was not run, and nothing about it is verified" in exported.notes[0]


def test_io_that_was_ignored_is_found(dense, dense_file, int8_file):
    served, outputs = make_serving(dense), {"output_0": np.zeros((1, 3), "float32")}
    assert io_fault(served, LiteModel(dense_file), outputs, "float32") is None
    assert io_fault(served, LiteModel(int8_file), outputs, "int8") is None
    message = "io='int8' was requested, but input 'input_0' is float32"
    assert io_fault(served, LiteModel(dense_file), outputs, "int8") == message
    indices = make_serving(small.text())
    message = "io='int8' was requested, but output 'output_0' is float32"
    assert io_fault(indices, LiteModel(dense_file), outputs, "int8") == message

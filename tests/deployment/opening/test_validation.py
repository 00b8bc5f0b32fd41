"""Numbers that LiteRT takes on trust: each is named, and honest files have none that is wrong."""

import math
import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment.opening.validation import find_fault
from tests.deployment import small
from tests.deployment.damage import changed, with_scales
from tests.selection import rest_slow


@pytest.mark.parametrize(
    ("build", "quantization"),
    rest_slow(
        {
            **{
                f"cnn, {kind or 'float32'}": (small.cnn, kind)
                for kind in (None, "float16", "dynamic", "int8", "int16x8")
            },
            "wide, dynamic": (small.wide, "dynamic"),
            "text, int8": (small.text, "int8"),
            "lstm, float32": (small.lstm, None),
            "lists, float32": (small.lists, None),
        },
        *("cnn, int8", "lstm, float32"),
    ),
)
def test_files_that_export_writes_are_whole(build, quantization, small_file):
    assert find_fault(small_file(build, quantization)[1].path.read_bytes()) is None


NAN, INFINITE = math.nan, math.inf


@pytest.mark.parametrize(
    ("scales", "fault"),
    [
        ([NAN], "scale nan"),
        ([INFINITE], "scale inf"),
        ([-INFINITE], "scale -inf"),
        ([-0.5], "scale -0.5"),
        ([0.1, NAN, 0.1], "scale nan"),
        ([0.1, 0.2], "2 scales for axis 0 of its shape (3, 4)"),
        ([0.1] * 4, "4 scales"),
    ],
)
def test_scales(scales, fault, int8_file):
    found = find_fault(with_scales(int8_file.read_bytes(), scales))
    assert fault in found
    assert "tensor 1 ('dense" in found


def test_a_scale_of_zero_is_left_to_the_trial(int8_file):
    # A constant of zeros may have it.
    assert find_fault(with_scales(int8_file.read_bytes(), [0.0] * 3)) is None


def tensor(model, number=1):
    return model.subgraphs[0].tensors[number]


def operator(model):
    return model.subgraphs[0].operators[0]


def first(model):
    return model.subgraphs[0]


def put(values, index, value):
    values = list(values)
    values[index] = value
    return values


CHANGES = {
    "zero point 128, outside": lambda m: setattr(tensor(m, 0).quantization, "zeroPoint", [128]),
    "zero point -129, outside": lambda m: setattr(tensor(m, 0).quantization, "zeroPoint", [-129]),
    "2 zero points for 1 scales": lambda m: setattr(tensor(m, 0).quantization, "zeroPoint", [0, 0]),
    "is kept in buffer 99 of": lambda m: setattr(tensor(m), "buffer", 99),
    "bytes, and its shape": lambda m: setattr(tensor(m), "shape", [3, 5]),
    "an input of the graph is tensor 77 of": lambda m: setattr(first(m), "inputs", [77]),
    "an output of the graph is tensor -1 of": lambda m: setattr(first(m), "outputs", [-1]),
    "operator 0 is of kind 5 of": lambda m: setattr(operator(m), "opcodeIndex", 5),
    "reads or writes tensor 44": lambda m: setattr(operator(m), "inputs", put(operator(m).inputs, 0, 44)),
    "operator 0 lacks its input 0": lambda m: setattr(operator(m), "inputs", put(operator(m).inputs, 0, -1)),
    "operator 0 lacks its input 1": lambda m: setattr(operator(m), "inputs", put(operator(m).inputs, 1, -1)),
    "reads or writes tensor -2": lambda m: setattr(operator(m), "inputs", put(operator(m).inputs, 0, -2)),
    "reads or writes tensor -1": lambda m: setattr(operator(m), "outputs", [-1]),
    "a signature belongs to graph 3": lambda m: setattr(m.signatureDefs[0], "subgraphIndex", 3),
    "of a signature is tensor 55": lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 55),
    "a name of a signature is": lambda m: setattr(m.signatureDefs[0].inputs[0], "name", b"\xff\xfe"),
    "buffer 2 ends after the end": lambda m: [
        setattr(m.buffers[2], "offset", 10),
        setattr(m.buffers[2], "size", 9999),
    ],
    "which needs more memory": lambda m: setattr(tensor(m, 0), "shape", [2**31 - 1, 2**20]),
    "it holds no graph": lambda m: setattr(m, "subgraphs", []),
}


@pytest.mark.parametrize("fault", CHANGES)
def test_other_numbers(fault, int8_file):
    assert fault in find_fault(changed(int8_file.read_bytes(), CHANGES[fault]))


def test_an_optional_tensor_may_be_left_out(small_file):
    content = small_file(small.dense)[1].path.read_bytes()

    def without_bias(model):
        operator(model).inputs = put(operator(model).inputs, 2, -1)

    assert find_fault(changed(content, without_bias)) is None


def outputs_to(index):
    return lambda operators: setattr(operators[1], "outputs", index(operators))


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("reads tensor [0-9]+ before an operator writes it", list.reverse),
        ("writes tensor [0-9]+, which another has", outputs_to(lambda operators: operators[0].outputs)),
        (
            "operator 1 writes tensor [0-9]+, a constant",
            outputs_to(lambda operators: operators[1].inputs[1:]),
        ),
    ],
)
def test_the_order_of_operators(fault, change, small_file):
    content = small_file(small.cnn, "int8")[1].path.read_bytes()
    found = find_fault(changed(content, lambda model: change(first(model).operators)))
    assert re.search(fault, found)


def test_a_variable_may_be_read_before_it_is_written(small_file):
    content = small_file(small.cnn)[1].path.read_bytes()

    def turn(model):
        first(model).operators.reverse()
        for operator in first(model).operators[1:]:
            tensor(model, operator.outputs[0]).isVariable = True

    assert find_fault(changed(content, turn)) is None


def test_a_graph_that_an_operator_runs(int8_file):
    loop = schema.WhileOptionsT()
    loop.condSubgraphIndex, loop.bodySubgraphIndex = 0, 6

    def add(model):
        operator(model).builtinOptionsType = schema.BuiltinOptions.WhileOptions
        operator(model).builtinOptions = loop

    assert find_fault(changed(int8_file.read_bytes(), add)) == "operator 0 runs graph 6 of 1"


def test_constants_behind_the_flatbuffer(small_file, tmp_path):
    """As in files of more than 2 GB. The interpreter is the oracle."""
    content = small_file(small.dense)[1].path.read_bytes()
    kernels = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)).buffers
    number = max(range(len(kernels)), key=lambda i: 0 if kernels[i].data is None else len(kernels[i].data))
    kernel = bytes(kernels[number].data)

    def move(offset):
        def change(model):
            buffer = model.buffers[number]
            buffer.data, buffer.offset, buffer.size = None, offset, len(kernel)

        return change

    place = -(-len(changed(content, move(2**20))) // 64) * 64
    whole = changed(content, move(place)).ljust(place, b"\0") + kernel
    assert find_fault(whole) is None
    assert "ends after the end of the file" in find_fault(whole[:-1])
    x = np.ones((1, 4), "float32")
    results = []
    for file in (content, whole):
        interpreter = Interpreter(model_content=file)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*results)

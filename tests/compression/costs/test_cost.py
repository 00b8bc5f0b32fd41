"""What a model costs, layer by layer."""

import json
import math

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.costs.cost import Cost, cost
from tests.compression.costs.profiler import profiled
from tests.compression.costs.test_leaves import Untraceable
from tests.graphs.topologies import TOPOLOGIES, nested, shared

topologies = pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)


@topologies
def test_parameters_are_those_that_keras_counts(make):
    model = make()
    found = cost(model)
    assert found.parameters == model.count_params()
    assert found.bytes == 4 * found.parameters
    assert found.peak_memory >= max(layer.memory for layer in found.layers) > 0


@topologies
def test_the_model_is_left_as_it_is(make):
    model = make()
    before = model.get_config(), [np.array(value) for value in model.get_weights()]
    cost(model)
    assert model.get_config() == before[0]
    for value, kept in zip(model.get_weights(), before[1], strict=True):
        np.testing.assert_array_equal(value, kept)


def test_layers_of_nested_models_have_their_paths():
    found = {layer.path: layer for layer in cost(nested(), batch_size=2).layers}
    assert [path for path in found if "/" in path] == [
        *("backbone/conv1", "backbone/conv2", "head/dropout", "head/logits")
    ]
    conv = found["backbone/conv1"]
    assert (conv.kind, conv.output_shape, conv.calls) == ("Conv2D", (2, 8, 8, 4), 1)
    assert (conv.parameters, conv.bytes, conv.macs) == (3 * 3 * 4 * 4 + 4, 4 * 148, 2 * 64 * 144)


def test_shared_layers_have_their_parameters_once_and_compute_each_time():
    found = {layer.path: layer for layer in cost(shared()).layers}
    assert (found["tower/hidden"].calls, found["tower/hidden"].parameters) == (2, 28)
    assert found["tower/hidden"].macs == 2 * 24


def test_bytes_follow_the_type_of_the_weights():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, dtype="float16")])
    assert cost(model).bytes == 2 * cost(model).parameters


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_kernels_multiply_as_often(mode):
    parts = [layers.Dense(7), layers.EinsumDense("abc,cd->abd", (9, 5)), layers.Flatten(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((9, 33)), *parts])
    expected = cost(model).macs
    for number in (0, 1, 3):
        parts[number].quantize(mode)
    assert cost(model).macs == expected == 9 * 33 * 7 + 9 * 7 * 5 + 45 * 3


def test_the_memory_of_half_precision_is_that_of_its_file():
    """A file computes in float32."""
    found = [
        cost(keras.Sequential([keras.Input((8, 8, 2)), layers.Conv2D(4, 3, dtype=dtype)])).peak_memory
        for dtype in ("float32", "mixed_float16", "mixed_bfloat16")
    ]
    assert len(set(found)) == 1


def test_it_is_written_as_json():
    found = json.loads(cost(shared()).to_json())
    assert (found["parameters"], found["macs"]) == (48, 84)
    assert found["input_shapes"] == {"left": [1, 6], "right": [1, 6]}
    assert found["layers"][0]["path"] == "tower/hidden"


def test_layers_that_cannot_be_read_are_named():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(Untraceable(name="mine")(inputs)))
    assert cost(model).uncounted == ("mine",)
    assert cost(shared()).uncounted == ()


def subclassed():
    class Own(keras.Model):
        def call(self, x):
            return x

    model = Own()
    model(np.zeros((1, 2)))
    return model


WRONG = {
    "number": (lambda: cost(3), TypeError, "must be a keras.Model"),
    "unbuilt": (lambda: cost(keras.Sequential([layers.Dense(2)])), ValueError, "has no graph to read"),
    "subclassed": (lambda: cost(subclassed()), ValueError, "has no graph to read"),
    "batch": (
        lambda: cost(shared(), batch_size=0),
        ValueError,
        "batch_size must be an integer of at least 1",
    ),
    "shape": (lambda: cost(shared(), input_shape={"left": (7,)}), ValueError, "'left' has the shape"),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_counted(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_tf_keras_models_are_refused():
    import tf_keras

    with pytest.raises(TypeError, match="from_tf_keras"):
        cost(tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(4,))]))


def test_of_a_distiller_the_student_counts():
    teacher, student = (keras.Sequential([keras.Input((4,)), layers.Dense(2)]) for _ in range(2))
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets()])
    assert isinstance(cost(distiller), Cost)
    assert cost(distiller).parameters == student.count_params()


APPLICATIONS = {
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "ResNet50": 64,
    "EfficientNetB0": 64,
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
    "Xception": 96,
    "VGG16": 64,
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), APPLICATIONS.items())
def test_applications_cost_what_the_profiler_counts(name, size):
    model = getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=10)
    found = cost(model)
    assert found.parameters == model.count_params()
    assert found.macs == profiled(model) + in_groups(model)


def in_groups(model):
    """The multiply-adds of grouped convolutions, which TensorFlow compiles and its profiler does not see."""
    grouped = [layer for layer in model.layers if type(layer) is layers.Conv2D and layer.groups > 1]
    return sum(math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape) for layer in grouped)

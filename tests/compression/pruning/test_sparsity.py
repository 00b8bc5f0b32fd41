"""What `kd.sparsity` counts and finds, prints, and says about gzip."""

import gzip
import json
import re
import types

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from tests.compression.pruning.test_structure import mask_of


def network():
    return keras.Sequential(
        [
            keras.Input((6, 6, 4)),
            layers.Conv2D(8, 3, name="conv"),
            layers.DepthwiseConv2D(2, name="depthwise"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ],
        name="net",
    )


def randomized(model, seed=0):
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=w.shape) for w in model.get_weights()])
    return model


def pruned(variable, pattern, fraction, run):
    """Set the smallest weights of a kernel to zero; its last axis is the outputs."""
    value = np.array(variable)
    magnitudes = np.abs(value).reshape(-1, value.shape[-1])
    assert magnitudes.shape[0] % run == 0
    variable.assign(value * mask_of(magnitudes, pattern, fraction).reshape(value.shape))


def test_zeros_are_counted_by_kernel_and_in_all():
    model = randomized(network())
    values = {layer: np.array(model.get_layer(layer).kernel) for layer in ("conv", "depthwise", "head")}
    values["conv"][0] = 0
    values["depthwise"][..., 1, 0] = -0.0
    for layer, value in values.items():
        model.get_layer(layer).kernel.assign(value)
    model.get_layer("head").bias.assign(np.zeros(3))  # no kernel
    found = kd.sparsity(model)
    assert [(k.layer, k.weight, k.shape, k.size, k.zeros) for k in found.kernels] == [
        ("conv", "kernel", (3, 3, 4, 8), 288, 96),
        ("depthwise", "kernel", (2, 2, 8, 1), 32, 4),
        ("head", "kernel", (72, 3), 216, 0),
    ]
    assert [kernel.fraction for kernel in found.kernels] == [1 / 3, 1 / 8, 0]
    assert (found.size, found.zeros, found.fraction) == (536, 100, 100 / 536)
    assert found.parameters == model.count_params() == 536 + 8 + 8 + 4 * 8 + 3
    assert found.bytes == 4 * found.parameters


def test_structure_of_a_convolution_is_along_its_channels():
    model = randomized(network())
    pruned(model.get_layer("conv").kernel, "2:4", None, 4)
    pruned(model.get_layer("head").kernel, "4x1", 0.5, 72)
    model.get_layer("depthwise").kernel.assign(np.tile([1.0, 0, 2.0, 0], (2, 2, 2))[..., None])
    assert [kernel.structure for kernel in kd.sparsity(model).kernels] == [("2:4",), (), ("4x1",)]


def test_str_is_a_table_of_kernels():
    model = randomized(network())
    pruned(model.get_layer("conv").kernel, "2:4", None, 4)
    found = kd.sparsity(model)
    lines = str(found).splitlines()
    assert lines[0].split() == ["kernel", "shape", "zeros", "of", "%", "distinct", "structure", "gzip", "KiB"]
    assert lines[2].split()[:7] == ["conv/kernel", "3x3x4x8", "144", "288", "50.00", "145", "2:4"]
    assert [line.split()[0] for line in lines[2:5]] == ["conv/kernel", "depthwise/kernel", "head/kernel"]
    assert lines[-2].split() == ["all", "kernels", "144", "536", "26.87"]
    size = re.fullmatch(r"all 587 parameters: 2\.3 KiB in float32, (\d\.\d) KiB after gzip", lines[-1])
    assert float(size[1]) == pytest.approx(found.gzip_bytes / 1024, abs=0.06)
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)


def test_names_are_printed_as_they_are():
    found = kd.sparsity(keras.Sequential([keras.Input((4,)), layers.Dense(2, name="[bold]x[0]")]))
    assert "[bold]x[0]/kernel" in str(found)


def test_to_dict_becomes_json(tmp_path):
    model = randomized(network())
    pruned(model.get_layer("conv").kernel, "2:4", None, 4)
    found = kd.sparsity(model)
    figures = json.loads(json.dumps(found.to_dict()))
    assert set(figures) == {"kernels", "parameters", "gzip_bytes", "size", "zeros", "fraction", "bytes"}
    assert figures["fraction"] == found.fraction
    first = figures["kernels"][0]
    assert first == {
        "layer": "conv",
        "weight": "kernel",
        "shape": [3, 3, 4, 8],
        "size": 288,
        "zeros": 144,
        "distinct": 145,
        "structure": ["2:4"],
        "gzip_bytes": found.kernels[0].gzip_bytes,
        "fraction": 0.5,
    }


def test_equal_models_have_equal_figures():
    assert kd.sparsity(randomized(network())) == kd.sparsity(randomized(network()))
    assert kd.sparsity(randomized(network())) != kd.sparsity(randomized(network(), seed=1))


def test_a_distiller_gives_its_student(teacher, student):
    student.get_layer("logits").kernel.assign(np.zeros_like(student.get_layer("logits").kernel))
    found = kd.sparsity(kd.Distiller(student, teacher))
    assert found == kd.sparsity(student)
    assert found != kd.sparsity(teacher)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_other_floats_count_as_float32(dtype):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4, dtype=dtype)])
    value = np.ones((8, 4))
    value[::2] = 0
    model.layers[0].kernel.assign(value)
    found = kd.sparsity(model)
    assert (found.zeros, found.bytes, found.kernels[0].structure[0]) == (16, 4 * 36, "1:2")


@pytest.mark.parametrize(
    "value", [None, "student.tflite", np.ones(3), layers.Dense(2), types.SimpleNamespace(student=3)], ids=type
)
def test_only_keras_models_are_accepted(value):
    with pytest.raises(TypeError, match=f"Expected a keras.Model; received {type(value).__name__}"):
        kd.sparsity(value)


def test_a_model_without_kernels_is_refused():
    with pytest.raises(ValueError, match="'bare' has no kernels that can be pruned"):
        kd.sparsity(keras.Sequential([keras.Input((4,)), layers.BatchNormalization()], name="bare"))


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="'late' is not built"):
        kd.sparsity(keras.Sequential([layers.Dense(3)], name="late"))


def convolutions():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ]
    )


def perceptron():
    units = [layers.Dense(256, activation="relu"), layers.Dense(128, activation="relu"), layers.Dense(10)]
    return keras.Sequential([keras.Input((64,)), *units])


@pytest.mark.slow
@pytest.mark.parametrize(("make", "fraction"), [(convolutions, 0.0), (perceptron, 0.5), (convolutions, 0.9)])
def test_gzip_bytes_predicts_the_size_of_the_zipped_file(make, fraction, tmp_path):
    model = randomized(make())
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            pruned(layer.kernel, "unstructured", fraction, 1)
    kd.export(model, tmp_path / "model.tflite")
    measured = len(gzip.compress((tmp_path / "model.tflite").read_bytes()))
    found = kd.sparsity(model)
    assert abs(found.gzip_bytes - measured) <= 0.1 * measured + 2048
    if fraction == 0.9:
        assert found.gzip_bytes < 0.3 * found.bytes

"""Sizes that a model leaves free: fixed in a file, given to a timing, advised where a layer needs them."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.benchmark import benchmark
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.input_shapes import shapes_by_name, sized
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from tests.deployment import small

layers = keras.layers
IMAGE, IDS = (
    TensorDetails("image", (None, None, None, 3), "float32"),
    TensorDetails("ids", (None, None), "int32"),
)


def growing(interpolation):
    image = keras.Input((None, None, 3), name="image")
    x = layers.UpSampling2D(interpolation=interpolation, name="grow")(layers.Conv2D(4, 3)(image))
    return keras.Model(image, layers.Conv2D(2, 3)(x), name="growing")


@pytest.mark.parametrize("interpolation", [pytest.param("nearest", marks=pytest.mark.slow), "bilinear"])
def test_a_layer_that_needs_a_fixed_size_is_named_and_the_advice_helps(interpolation, tmp_path):
    model = growing(interpolation)
    with pytest.raises(
        ValueError, match=r"Layer 'grow' needs an input 'image' of fixed size: input_shape=\(32, 32, 3\)\.$"
    ):
        export(model, tmp_path / "m.tflite")
    exported = export(model, tmp_path / "m.tflite", input_shape=(12, 10, 3))
    assert exported.inputs[0].shape == (1, 12, 10, 3)
    x = np.random.default_rng(0).random((2, 12, 10, 3), "float32")
    np.testing.assert_allclose(LiteModel(exported.path).predict(x), model(x), atol=1e-5)
    assert verify(model, exported.path, x).max_error < 1e-5
    assert benchmark(model, runs=3).runs == 3


@pytest.mark.slow
def test_the_advised_size_is_that_of_the_calibration_data(tmp_path):
    model, samples = growing("nearest"), np.random.default_rng(0).random((40, 16, 12, 3), "float32")
    options = {"quantization": "int8", "calibration": samples}
    with pytest.raises(
        ValueError, match=r"needs known sizes for .* of fixed size: input_shape=\(16, 12, 3\)\.$"
    ):
        export(model, tmp_path / "m.tflite", **options)
    assert export(model, tmp_path / "m.tflite", input_shape=(16, 12, 3), **options).path.exists()


def test_shapes_go_by_name_position_or_structure():
    named, listed = Interface({"a": "image", "b": ["ids"]}), Interface(["image", "ids"])
    wanted = {"image": (8, 9, 3), "ids": (5,)}
    for interface, shape in (
        (listed, [(8, 9, 3), (5,)]),
        (listed, {"image": (8, 9, 3), "input_1": (5,)}),
        (named, {"a": [8, 9, 3], "b": [(5,)]}),
    ):
        assert shapes_by_name(shape, interface, (IMAGE, IDS)) == wanted
    assert shapes_by_name(tuple(np.array([5])), Interface("ids"), (IDS,)) == {"ids": (5,)}
    assert shapes_by_name((5,), Interface("ids"), (IDS,)) == {"ids": (5,)}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (8, 8),
            r"input_shape=\(8, 8\) does not fit input 'image': .* the shape \(any, any, 3\), without a batch",
        ),
        ((1, 8, 8, 3), "does not fit input 'image'"),
        ((8, 8, 1), "does not fit input 'image'"),
        ({"imag": (8, 8, 3)}, r"Unknown name 'imag'.*Did you mean 'image'"),
        ((8, 0, 3), r"must be the shape of one sample, such as \(224, 224, 3\).* received \(8, 0, 3\)"),
        ((8, 8, None), "must be the shape of one sample"),
        ("8,8,3", "must be the shape of one sample.* received '8,8,3'"),
        (8, "must be the shape of one sample.* received 8"),
    ],
)
def test_shapes_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        shapes_by_name(shape, Interface("image"), (IMAGE,))


def test_only_free_sizes_change():
    served = make_serving(small.any_size())
    assert sized(served, None) is served
    assert sized(served, (8, 7, 1)).inputs[0].shape == (None, 8, 7, 1)
    with pytest.raises(ValueError, match=r"one sample of it has the shape \(4,\), without"):
        sized(make_serving(small.dense()), (5,))


def test_models_and_files_are_timed_at_the_size_that_is_asked_for(small_file, monkeypatch):
    model, exported = small_file(small.any_size)
    shapes = []
    load = LiteModel.load
    monkeypatch.setattr(
        LiteModel, "load", lambda lite, x: (shapes.append(x["input_0"].shape), load(lite, x))[1]
    )
    for target in (model, exported.path):
        assert benchmark(target, runs=3, input_shape=(40, 50, 1)).runs == 3
        with pytest.raises(ValueError, match=r"input_shape=\(40, 50, 3\) does not fit"):
            benchmark(target, runs=3, input_shape=(40, 50, 3))
    assert shapes == [(1, 40, 50, 1)]

"""The shapes that data has to fit."""

import keras
import pytest

from keras_kd.datasets.model_shape import ModelShape, fits

IMAGE = ModelShape({"image": (8, 6, 3)}, {"kind": (2,)})
FREE = ModelShape({"image": (None, None, 1)}, {"kind": (2,)})
TWO = ModelShape({"a": (4,), "b": (4,)}, {})


def test_shapes_of_models():
    image, numbers = keras.Input((8, 8, 1), name="image"), keras.Input((None,), name="numbers")
    outputs = {"kind": keras.layers.Flatten()(image), "sum": numbers + 1}
    assert ModelShape.of(keras.Model([image, numbers], outputs)) == ModelShape(
        {"image": (8, 8, 1), "numbers": (None,)}, {"kind": (64,), "sum": (None,)}
    )
    listed = keras.Model(image, [keras.layers.Dense(2, name=name)(image) for name in "ba"])
    assert list(ModelShape.of(listed).outputs) == ["b", "a"]
    one = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="kind")])
    assert ModelShape.of(one) == ModelShape({"x": (3,)}, {"kind": (2,)})
    assert ModelShape.of(keras.Sequential([keras.layers.Dense(2)])) == ModelShape({}, {})


def test_fits():
    assert fits((3, 4), (None, 4))
    assert not fits((3, 4), (None, 3))
    assert not fits((3,), (3, 1))


def test_images_and_columns():
    assert IMAGE.image(None) == IMAGE.image((8, 6)) == (8, 6, 3)
    assert FREE.image((4, 5)) == (4, 5, 1)
    assert (IMAGE.columns(), FREE.columns()) == (144, None)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        (FREE, None, r"takes images of any size, \(None, None, 1\): say which, as in image_size="),
        (IMAGE, (8, 8), r"images of shape \(8, 6, 3\). Received: image_size=\(8, 8\)"),
        (ModelShape({"x": (4,)}, {}), None, r"inputs of shape \(4,\); images are"),
        (ModelShape({"x": (3, 8, 8)}, {}), None, "with 1, 3 or 4 channels"),
        (TWO, None, "Images are for a model with one input, whose shape is known: it has a, b"),
        (ModelShape({}, {}), None, "it is not built"),
    ],
)
def test_models_that_take_no_images(shape, size, message):
    with pytest.raises(ValueError, match=message):
        shape.image(size)

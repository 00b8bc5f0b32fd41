"""What `teacher_preprocess` does, what it raises, and what it does to integers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.preprocessing import PreprocessingError, check_integers, preprocess_inputs
from tests.distillation.conftest import cross_entropy

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3)).astype("uint8")
TOKENS = np.random.default_rng(1).integers(0, 9, (8, 5))
caffe = keras.applications.vgg16.preprocess_input
ops, layers = keras.ops, keras.layers

WRONG = {
    "preprocess_input, caffe": caffe,
    "cast too late": lambda x: tf.cast(caffe(x), "float32"),
    "before a resize": lambda x: ops.image.resize(caffe(x), (4, 4)),
    "after a resize": lambda x: caffe(ops.image.resize(x, (4, 4))),
    "a product": lambda x: x * 2,
}


@pytest.mark.parametrize("preprocess", WRONG.values(), ids=WRONG)
def test_integers_that_wrap_around_are_warned_of(preprocess):
    with pytest.warns(UserWarning, match=r"computes in uint8, where .* Cast first: tf.cast\(x, 'float32'\)"):
        check_integers(preprocess, tf.constant(PIXELS))


def test_the_integers_of_an_image_are_meant_among_others():
    both = {"id": tf.range(8, dtype="int64"), "image": tf.constant(PIXELS)}
    with pytest.warns(UserWarning, match="computes in uint8"):
        check_integers(lambda x: tf.cast(caffe(x["image"]), "float32"), both)


def test_the_warning_has_the_numbers():
    """A black image, by hand: blue minus 103.939, in float and in the ring of 256 numbers."""
    with pytest.warns(UserWarning, match=r"gives 153 where the same data as float32 gives -103\.939"):
        check_integers(caffe, tf.zeros((2, 4, 4, 3), tf.uint8))


RIGHT = {
    "cast first": lambda x: caffe(tf.cast(x, "float32")),
    "nothing": lambda x: x,
    "crop": lambda x: x[:, 1:5],
    "resize": lambda x: ops.image.resize(x, (4, 4)),
    "enlarge, beyond white": lambda x: ops.image.resize(x, (9, 9), interpolation="bicubic"),
    "gray": tf.image.rgb_to_grayscale,
    "scaled by its dtype": lambda x: tf.image.convert_image_dtype(x, "float32"),
    "Rescaling": layers.Rescaling(1 / 255),
    "random": lambda x: tf.image.random_brightness(x, 0.2),
    "inverted": lambda x: 255 - x,
}


@pytest.mark.parametrize("preprocess", RIGHT.values(), ids=RIGHT)
def test_integers_that_are_as_good_as_floats_are_not(preprocess):
    check_integers(preprocess, tf.constant(PIXELS))


def test_what_is_no_image_is_not_warned_of():
    check_integers(None, tf.constant(PIXELS))
    check_integers(caffe, tf.constant(PIXELS, "float32"))
    check_integers(layers.Embedding(9, 2), tf.constant(TOKENS))
    check_integers(lambda x: tf.one_hot(x, 9), tf.constant(TOKENS))
    check_integers(lambda x: x % 1000, tf.constant(TOKENS * 2**40))
    check_integers(lambda x: x, tf.sparse.from_dense(TOKENS))
    check_integers(lambda x: x["image"], {"image": tf.constant(PIXELS), "name": tf.constant(["a"] * 8)})


@pytest.mark.slow
def test_fit_warns_before_it_trains_on_wrong_pixels():
    """By hand: the loss against what the teacher says of images that were cast."""
    inputs = keras.Input((6, 6, 3))
    teacher = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    student = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs))))
    values = {}
    for name, preprocess in (("wrong", caffe), ("right", RIGHT["cast first"])):
        distiller = kd.Distiller(student, teacher, ["mse"], teacher_preprocess=preprocess)
        distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
        if name == "wrong":
            with pytest.warns(UserWarning, match="computes in uint8"):
                values[name] = distiller.fit(PIXELS, verbose=0).history["loss"][0]
        else:
            values[name] = distiller.fit(PIXELS, verbose=0).history["loss"][0]
    bgr = PIXELS[..., ::-1].astype("float32") - np.array([103.939, 116.779, 123.68], "float32")
    expected = np.mean((np.asarray(teacher(bgr)) - np.asarray(student(PIXELS))) ** 2)
    assert values["right"] == pytest.approx(expected, rel=1e-3)
    assert abs(values["wrong"] - expected) > 0.1 * expected


@pytest.mark.parametrize("mode", ["mobilenet_v2", "densenet"])
def test_an_exception_is_named(mode):
    """In the modes "tf" and "torch", `preprocess_input` divides by a float, which uint8 cannot be."""
    preprocess = getattr(keras.applications, mode).preprocess_input
    message = (
        r"`teacher_preprocess` \(preprocess_input\) raised TypeError: .*It received \(8, 6, 6, 3\) uint8\. "
        r"If it computes with floats, cast integers first"
    )
    with pytest.raises(PreprocessingError, match=message) as caught:
        preprocess_inputs(preprocess, tf.constant(PIXELS))
    assert isinstance(caught.value.__cause__, TypeError)


def of_unknown_rank(x):
    return tf.numpy_function(lambda pixels: pixels, [x], tf.float32)


@pytest.mark.parametrize(
    ("preprocess", "message"),
    [
        (
            of_unknown_rank,
            r"\(of_unknown_rank\) returns a tensor with an unknown number of axes.*ensure_shape",
        ),
        (lambda x: None, r"`teacher_preprocess` \(.*<lambda>\) returns no tensor"),
    ],
)
def test_what_is_no_input_of_a_teacher_is_named(preprocess, message):
    inputs = keras.Input((4,))
    teacher, student = (keras.Model(inputs, layers.Dense(3)(inputs)) for _ in range(2))
    distiller = kd.Distiller(student, teacher, teacher_preprocess=preprocess)
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match=message):
        distiller.fit(np.ones((8, 4)), np.zeros(8), verbose=0)


def test_taking_parts_out_of_the_data_takes_none_from_the_student():
    x = {"image": tf.constant(PIXELS), "other": tf.zeros((8, 2))}
    assert preprocess_inputs(lambda parts: parts.pop("image"), x) is x["image"]


def test_an_exception_of_a_layer_is_named_in_fit():
    class Broken(layers.Layer):
        def call(self, x):
            raise RuntimeError("no pixels today")

    inputs = keras.Input((6, 6, 3))
    teacher, student = (keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs))) for _ in range(2))
    distiller = kd.Distiller(student, teacher, teacher_preprocess=Broken(name="broken"))
    distiller.compile("sgd", loss=cross_entropy())
    message = (
        r"`teacher_preprocess` \(broken\) raised RuntimeError: .*no pixels today.*\(None, 6, 6, 3\) float32"
    )
    with pytest.raises(ValueError, match=message):
        distiller.fit(PIXELS.astype("float32"), np.zeros(8, "int32"), verbose=0)
    assert preprocess_inputs(lambda x: x + 1, 1) == 2

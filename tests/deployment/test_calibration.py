"""Calibration data: what is taken, and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment.calibration import representative_samples
from keras_kd.deployment.data_sources import batches
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from tests.deployment import small

X = np.arange(400, dtype="float32").reshape(100, 4)
Y = np.arange(100)


def dataset(*arrays, size=30):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(size)


FORMS = [
    X,
    (X, Y),
    (X, Y, Y),
    [X],
    X.astype("float64"),
    X.astype("int64"),
    tf.constant(X),
    (tf.constant(X), Y),
]
FORMS += [dataset(X), dataset(X, Y), dataset(X, Y, Y), {"input_0": X}, dataset({"input_0": X}, Y)]


@pytest.mark.parametrize("data", FORMS, ids=range(len(FORMS)))
def test_samples_are_spread_over_arrays_and_the_first_of_anything_else(data):
    samples = representative_samples(data, make_serving(small.dense()), limit=70)
    assert list(samples) == ["input_0"]
    is_dataset = isinstance(data, tf.data.Dataset)
    rows = np.arange(70) if is_dataset else [row * 100 // 70 for row in range(70)]
    np.testing.assert_array_equal(samples["input_0"], X[rows])
    assert samples["input_0"].dtype == "float32"


def test_an_endless_data_set_is_left_early():
    samples = representative_samples(dataset(X).repeat(), make_serving(small.dense()))
    assert samples["input_0"].shape == (256, 4)


@pytest.mark.parametrize("names", [("zebra", "ant"), ("input_0", "input_1")])
def test_several_inputs(names):
    served = make_serving(small.lists())
    for data in ([X, -X], ([X, -X], Y), dict(zip(names, (X, -X), strict=True)), dataset((X, -X), Y)):
        samples = representative_samples(data, served)
        np.testing.assert_array_equal(samples["zebra"], X)
        np.testing.assert_array_equal(samples["ant"], -X)


def test_dicts_go_by_name():
    samples = representative_samples({"right": X, "left": -X}, make_serving(small.dicts()))
    np.testing.assert_array_equal(samples["left"], -X)


def spoiled(value):
    x = X.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (X[:0], ValueError, "The calibration data is empty; pass a few hundred samples"),
        (dataset(X).take(0), ValueError, "The calibration data is empty"),
        (X[:, :3], ValueError, r"does not fit the model\. Input 'input_0' needs shape \(rows, 4\)"),
        (dataset(X).unbatch(), ValueError, r"holds single samples, .*: add \.batch\(32\)"),
        (spoiled(np.nan), ValueError, "The calibration data for 'input_0' holds NaN or infinity"),
        (spoiled(np.inf), ValueError, "holds NaN or infinity"),
        (
            {"inputs_0": X},
            ValueError,
            r"does not fit the model\. Unknown name 'inputs_0'.*Did you mean 'input_0'",
        ),
        (np.array([["a"] * 4] * 40), TypeError, r"does not fit the model\. .*needs numbers"),
        ((X, Y[:5]), ValueError, r"the same number of rows; received \[5, 100\]"),
    ],
)
def test_data_that_does_not_fit_is_refused_before_any_conversion(data, error, message, dense, tmp_path):
    with pytest.raises(error, match=message):
        export(dense, tmp_path / "m.tflite", quantization="int8", calibration=data)
    assert list(tmp_path.iterdir()) == []


def test_samples_of_several_shapes():
    image = keras.Input((None, None, 1))
    served = make_serving(keras.Model(image, keras.layers.Conv2D(2, 3)(image)))
    sizes = tf.data.Dataset.from_generator(
        lambda: (np.ones((20, side, side, 1), "float32") for side in (8, 9)),
        output_signature=tf.TensorSpec((20, None, None, 1)),
    )
    with pytest.raises(ValueError, match=r"samples of several shapes, \[\(8, 8, 1\), \(9, 9, 1\)\]; use one"):
        representative_samples(sizes, served)


def test_few_samples_and_equal_samples_are_warnings(dense, tmp_path):
    zeros = np.zeros((31, 4), "float32")
    with pytest.warns(UserWarning, match="calibration samples") as caught:
        export(dense, tmp_path / "m.tflite", quantization="int8", calibration=zeros)
    assert [warning.filename for warning in caught] == [__file__] * 2
    assert "All calibration samples for 'input_0' are equal" in str(caught[0].message)
    assert "31 calibration samples are few" in str(caught[1].message)


@pytest.mark.slow
def test_a_fixed_batch_is_calibrated_in_full_batches(small_file):
    _, fixed = small_file(small.dense, "int8", batch_size=7)
    assert fixed.inputs[0].shape[0] == 7
    assert fixed.max_error == pytest.approx(small_file(small.dense, "int8")[1].max_error)


def test_batches():
    assert [len(x) for x, _ in batches(X, 40)] == [40, 40, 20]
    assert [y for _, y in batches(X)] == [None]
    assert [y.tolist() for _, y in batches((X, Y), 3, most=5)] == [[0, 20, 40], [60, 80]]
    assert [len(x) for x, _ in batches(X, 40, most=1000)] == [40, 40, 20]
    x, y = next(batches(({"a": X}, {"b": Y}), 3))
    assert (x["a"].shape, y["b"].tolist()) == ((3, 4), [0, 1, 2])
    assert list(batches(X[:0])) == []

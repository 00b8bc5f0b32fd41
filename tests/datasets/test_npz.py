"""A user's own arrays, from a `.npz` file."""

import os

import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets import check
from keras_kd.datasets.npz import load_calibration, load_test
from tests.datasets.conftest import contents

X, Y = np.zeros((4, 3)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:0], Y[:0], "val: there are no samples"),
        (X[:, 0], Y, r"val: inputs must have the shape \(samples, ...\), got \(4,\)"),
        (X, np.eye(3)[Y], r"got \(4, 3\); turn one-hot labels into integers with y.argmax\(-1\)"),
        (X, np.array([[0, 1, 1]] * 4), r"labels must have the shape \(samples,\), got \(4, 3\)$"),
        (X, Y[:, None, None], r"labels must have the shape \(samples,\), got \(4, 1, 1\)$"),
        (X, Y[:3], "val: 4 inputs but 3 labels"),
        (X.astype(str), Y, "val: inputs must be numbers, got <U32"),
        (X, Y.astype(float), "val: labels must be integers, got float64"),
        (np.where(np.eye(4, 3), np.nan, 0), Y, "val: 3 inputs hold NaN or infinity, the first at row 0"),
        (np.full((4, 3), np.inf), Y, "val: 4 inputs hold NaN or infinity"),
        (X, np.array([0, -1, 2, 0]), "val: labels must be from 0 to 2, found -1 at row 1"),
        (X, np.array([0, 1, 3, 0]), "val: labels must be from 0 to 2, found 3 at row 2"),
    ],
)
def test_check_says_what_is_wrong(x, y, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(x, y, classes=3, what="val")
    assert "\n" not in str(caught.value)


def test_check_accepts_what_can_be_trained_on():
    check(X, Y)
    check(X.astype("uint8"), Y.astype("uint8"), classes=3)
    with pytest.raises(ValueError, match="labels must be at least 0, found -1 at row 0"):
        check(X, Y - 1)


@pytest.fixture
def mine(tmp_path):
    x = np.arange(120.0).reshape(40, 3)
    y = np.arange(40) % 4
    return tmp_path / "mine.npz", {"x_train": x, "y_train": y, "x_test": x[:8] + 0.5, "y_test": y[:8]}


def test_load_sets_a_validation_split_aside(mine):
    path, arrays = mine
    np.savez(path, **arrays)
    data = datasets.load(path, batch_size=5)
    assert str(data) == "mine: inputs 3, 4 classes, 36 train, 4 validation, 8 test"
    assert data.arrays["train"].x.dtype == "float32"
    assert sorted(data.arrays["validation"].y) == [0, 1, 2, 3]
    assert not set(contents(data.arrays["train"].x)) & set(contents(data.arrays["validation"].x))
    np.testing.assert_array_equal(datasets.load(path).arrays["train"].x, data.arrays["train"].x)


def test_load_takes_the_validation_split_of_the_file(mine):
    path, arrays = mine
    np.savez(path, **arrays, x_val=arrays["x_train"][:3], y_val=arrays["y_train"][:3])
    data = datasets.load(path, name="own")
    assert (data.name, len(data.arrays["train"].x), len(data.arrays["validation"].x)) == ("own", 40, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "has no array y_test; it has x_test, x_train, y_train"),
        ({"x_val": X}, "has no array y_val"),
        ({"y_test": np.full(8, 4)}, "test: labels must be from 0 to 3, found 4 at row 0"),
        ({"x_test": np.zeros((8, 2))}, r"test: inputs of shape \(2,\), but those of train \(3,\)"),
        ({"x_train": np.full((40, 3), np.nan)}, "train: 40 inputs hold NaN"),
        ({"x_train": X[:1], "y_train": Y[:1], "y_test": np.zeros(8, int)}, "one training row"),
        ({"x_test": np.zeros((8, 3), "uint8")}, "test: inputs of type uint8, but those of train float32"),
        ({"x_train": np.zeros((40, 0))}, r"train: inputs of shape \(0,\) hold no values"),
        ({"x_train": np.full((40, 3), 1e300)}, "train: 40 inputs hold NaN or infinity"),  # not in float32
        ({"x_train": np.array([{}, {}], object)}, "is not a .npz file of plain arrays"),
    ],
)
def test_load_says_what_is_wrong(mine, change, message):
    path, arrays = mine
    np.savez(path, **{key: value for key, value in {**arrays, **change}.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        datasets.load(path)


def test_load_refuses_what_is_not_npz(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nothing\.npz"):
        datasets.load(tmp_path / "nothing.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(OSError, match=r"Expected a \.npz file; .*pipe\.npz' is a pipe"):
        datasets.load(tmp_path / "pipe.npz")
    path = tmp_path / "text.npz"
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"is not a \.npz file; write one with numpy.savez"):
        datasets.load(path)


def test_load_refuses_a_damaged_file(mine):
    path, arrays = mine
    np.savez(path, **arrays)
    raw = bytearray(path.read_bytes())
    raw[200:240] = b"x" * 40
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"is not a .npz file of plain arrays"):
        datasets.load(path)


@pytest.mark.parametrize("kind", [">f4", ">f8", "longdouble", "float16"])
def test_load_takes_floats_of_any_width_and_byte_order(mine, kind):
    path, arrays = mine
    np.savez(path, **{key: a.astype(kind) if key[0] == "x" else a.astype(">i4") for key, a in arrays.items()})
    x, y = next(iter(datasets.load(path).train))
    assert x.dtype == ("float16" if kind == "float16" else "float32")
    assert set(contents(x.numpy())) <= set(contents(arrays["x_train"].astype(x.dtype.name)))
    assert y.dtype == "int32"


KINDS = {"numbers": np.linspace(0, 1, 40), "several": np.eye(40, 3) + 1, "maps": np.ones((40, 3, 2), int)}


@pytest.mark.parametrize("y", [*KINDS.values(), None], ids=[*KINDS, "none"])
def test_labels_of_any_kind_in_tests_and_for_calibration(tmp_path, y):
    path, x = tmp_path / "mine.npz", np.arange(120.0).reshape(40, 3)
    labels = {} if y is None else {"y_train": y, "y_test": y}
    np.savez(path, x_train=x, x_test=x, **labels)
    found = list(load_test(path, batch_size=30).as_numpy_iterator())
    parts = [found] if y is None else zip(*found, strict=True)
    for part, wanted in zip(parts, [x] if y is None else [x, y], strict=True):
        assert [len(batch) for batch in part] == [30, 10]
        np.testing.assert_array_equal(np.concatenate(part), wanted.astype(part[0].dtype))
    rows = load_calibration(path)
    assert len(set(contents(rows))) == len(rows) == 36
    assert set(contents(rows)) < set(contents(x.astype("float32")))


@pytest.mark.parametrize("more", [{}, {"x_val": X, "y_val": Y}])
def test_calibration_takes_the_samples_that_distillation_takes(mine, more):
    path, arrays = mine
    np.savez(path, **arrays, **more)
    np.testing.assert_array_equal(load_calibration(path), datasets.load(path).arrays["calibration"].x)
    np.savez(path, x_train=X[:1])
    assert load_calibration(path).shape == (1, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_test": None}, "has no array x_test; it has x_train, y_test, y_train"),
        ({"x_test": np.full((8, 3), np.nan)}, "test: 8 inputs hold NaN or infinity, the first at row 0"),
        (
            {"y_test": np.array([1.0] * 7 + [np.inf])},
            "test: 1 labels hold NaN or infinity, the first at row 7",
        ),
        ({"y_test": np.array(["a"] * 8)}, "test: labels must be numbers, got <U1"),
        ({"y_test": np.ones((5, 3))}, r"test: 8 inputs but labels of shape \(5, 3\)"),
        ({"y_test": np.array(1)}, r"test: 8 inputs but labels of shape \(\)"),
    ],
)
def test_load_test_says_what_is_wrong(mine, change, message):
    path, arrays = mine
    np.savez(path, **{key: value for key, value in {**arrays, **change}.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        load_test(path)


def test_load_calibration_says_what_is_wrong(tmp_path):
    path = tmp_path / "mine.npz"
    for x, message in ((None, "has no array x_train"), (X[:0], "train: there are no samples")):
        np.savez(path, **{"x_test": X} | ({} if x is None else {"x_train": x}))
        with pytest.raises(ValueError, match=message):
            load_calibration(path)

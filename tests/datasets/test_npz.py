"""A user's own arrays, from a `.npz` file."""

import os

import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.npz import find_arrays, load_calibration, load_test, load_training, load_validation
from tests.datasets.conftest import contents

X, Y = np.zeros((4, 3)), np.array([0, 1, 2, 0])


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


@pytest.mark.parametrize("y", [*KINDS.values(), np.arange(40) % 4, None], ids=[*KINDS, "classes", "none"])
@pytest.mark.parametrize("own", [False, True], ids=["set aside", "of the file"])
def test_validation_rows(tmp_path, y, own):
    path, x = tmp_path / "mine.npz", np.arange(120.0).reshape(40, 3)
    labels = {} if y is None else {"y_train": y}
    more = {"x_val": x[:5]} | ({} if y is None else {"y_val": y[:5]}) if own else {}
    np.savez(path, x_train=x, **labels, **more)
    rows, where = load_validation(path)
    found = rows.read(slice(None))
    assert (len(found), where) == ((5, "x_val") if own else (4, "set aside from x_train"))
    if y is None:
        assert rows.y is None
    else:
        np.testing.assert_array_equal(rows.y, y[(found[:, 0] / 3).astype(int)].astype(rows.y.dtype))
    train = load_training(path)
    assert len(train.x) == (40 if own else 36)
    assert own or not set(contents(train.x)) & set(contents(found))


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


ONE, TWO = ModelShape({"x": (3,)}, {"kind": (4,)}), ModelShape({"x": (3,)}, {"age": (1,), "kind": (4,)})


def test_arrays_are_split_as_load_splits_them(mine):
    path, arrays = mine
    np.savez(path, **arrays)
    found, loaded = find_arrays(path, ONE, None), datasets.load(path)
    for key, rows in found.groups.items():
        np.testing.assert_array_equal(rows.read(slice(None)), loaded.arrays[key].x)
        np.testing.assert_array_equal(rows.y, loaded.arrays[key].y)
    assert found.split("mine")[1] == "validation set aside: 36 train, 4 validation, 8 test"


def test_labels_of_several_outputs(mine):
    path, arrays = mine
    labels = {f"{key}_{name}": arrays[key] for key in ("y_train", "y_test") for name in ("age", "kind")}
    inputs = {key: arrays[key] for key in ("x_train", "x_test")}
    np.savez(path, **inputs, **labels)
    found = find_arrays(path, TWO, None)
    assert list(found.groups["validation"].y) == ["age", "kind"]
    assert (found.groups["test"].y["age"].dtype, found.groups["test"].y["kind"].dtype) == ("float32", "int32")
    assert list(next(iter(load_test(path)))[1]) == ["age", "kind"]
    np.savez(path, **inputs, **{key.replace("kind", "knid"): y for key, y in labels.items()})
    with pytest.raises(
        ValueError, match=r"train: labels for 'knid', .* are age, kind. Did you mean 'kind'\?"
    ):
        find_arrays(path, TWO, None)
    np.savez(path, **inputs, **labels, y_train=arrays["y_train"])
    with pytest.raises(ValueError, match="has y_train and y_train_age: give one array of labels, or one for"):
        find_arrays(path, TWO, None)


@pytest.mark.parametrize(
    ("change", "pixels", "message"),
    [
        ({"y_test": None}, None, "has no array y_test; it has x_test, x_train, y_train"),
        ({"y_test": np.zeros(3, int)}, None, "test: 8 inputs but 3 labels"),
        ({"x_test": np.zeros((8, 2))}, None, r"test: inputs of shape \(2,\), but those of train \(3,\)"),
        ({"y_train": np.full(40, 7)}, None, "train: output of 4 units: labels must be from 0 to 3, found 7"),
        ({"y_train": np.array(["a"] * 40)}, None, "train: labels must be numbers, got <U1"),
        ({}, "0..1", r"pixels= is for inputs that are bytes \(uint8\); those of .* are float32"),
    ],
)
def test_find_arrays_says_what_is_wrong(mine, change, pixels, message):
    path, arrays = mine
    np.savez(path, **{key: value for key, value in {**arrays, **change}.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        find_arrays(path, ONE, pixels)

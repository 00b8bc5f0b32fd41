import gzip
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets import bundled, check
from keras_kd.datasets.bundled import FASHION_FILES, FASHION_FOLDER

HERE = Path(FASHION_FOLDER)


def contents(x):
    return [row.tobytes() for row in x]


def order(dataset):
    return np.concatenate([batch[0].numpy().reshape(len(batch[0]), -1) for batch in dataset])


def test_digits_are_images_with_labels(digits):
    assert digits.input_shape == (8, 8, 1)
    assert {key: len(split.x) for key, split in digits.arrays.items()} == {
        "train": 1257,
        "validation": 180,
        "test": 360,
        "calibration": 256,
    }
    for split in digits.arrays.values():
        assert (split.x.dtype, split.x.min(), split.x.max()) == ("float32", 0, 1)
        assert sorted(set(split.y)) == list(range(10))
        assert np.bincount(split.y).min() >= 0.07 * len(split.y)


def test_splits_share_nothing_and_calibration_is_from_train(digits):
    train, validation, test = (set(contents(digits.arrays[key].x)) for key in ("train", "validation", "test"))
    assert len(train | validation | test) == 1797
    assert not train & validation
    assert not (train | validation) & test
    assert set(contents(digits.arrays["calibration"].x)) <= train


def test_splits_do_not_depend_on_the_training_seed(digits):
    keras.utils.set_random_seed(99)
    np.testing.assert_array_equal(datasets.digits().arrays["test"].x, digits.arrays["test"].x)


def test_train_is_shuffled_every_epoch_and_again_the_same_way(digits):
    train = digits.train
    first, second = order(train), order(train)
    again = digits.train
    np.testing.assert_array_equal(first, order(again))
    np.testing.assert_array_equal(second, order(again))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, digits.arrays["train"].x.reshape(1257, -1))
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(second, axis=0))


def test_order_of_train_follows_the_seed(digits):
    first = order(digits.train)
    keras.utils.set_random_seed(1)
    assert not np.array_equal(first, order(digits.train))
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(first, order(digits.train))


@pytest.mark.parametrize("name", ["validation", "test", "calibration"])
def test_the_others_keep_their_order(digits, name):
    split = digits.arrays[name]
    batches = list(getattr(digits, name))
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), split.y)
    assert len(batches[0][0]) == digits.batch_size


@pytest.mark.parametrize("labels", [10, 100, 105, 1257])
def test_labels_are_balanced(digits, labels):
    counts = np.bincount(digits.labelled_only(labels).arrays["train"].y, minlength=10)
    assert counts.sum() == labels
    full = np.bincount(digits.arrays["train"].y)
    assert ((counts >= labels // 10) | (counts == full)).all()


def test_both_few_label_settings_choose_the_same_rows(digits):
    only, partly = (
        digits.labelled_only(50, seed=3).arrays["train"],
        digits.partly_labelled(50, seed=3).arrays["train"],
    )
    kept = partly.weight > 0
    assert set(contents(partly.x[kept])) == set(contents(only.x))
    other = digits.labelled_only(50, seed=4).arrays["train"]
    assert set(contents(other.x)) != set(contents(only.x))


def test_taken_labels_do_not_leak(digits):
    full, partly = digits.arrays["train"], digits.partly_labelled(50).arrays["train"]
    kept = partly.weight > 0
    np.testing.assert_array_equal(partly.x, full.x)
    np.testing.assert_array_equal(partly.y[kept], full.y[kept])
    assert (kept.sum(), partly.y[~kept].max()) == (50, 0)
    assert partly.weight.mean() == pytest.approx(1)
    assert set(partly.weight[kept]) == {np.float32(1257 / 50)}
    assert [part.shape for part in next(iter(digits.partly_labelled(50).train))] == [
        (32, 8, 8, 1),
        (32,),
        (32,),
    ]


def test_few_labels_leave_the_other_splits_alone(digits):
    for few in (digits.labelled_only(50), digits.partly_labelled(50)):
        assert all(few.arrays[key] is digits.arrays[key] for key in ("validation", "test", "calibration"))


def test_few_rows_fill_as_many_steps(digits):
    few = digits.labelled_only(50)
    train = few.train
    batches = [y for _, y in train]
    assert len(batches) == len(list(digits.train)) == 40
    assert {len(y) for y in batches} == {32}
    assert not np.array_equal(order(train), order(train))


@pytest.mark.parametrize("labels", [9, 1258])
@pytest.mark.parametrize("way", ["labelled_only", "partly_labelled"])
def test_too_few_or_too_many_labels(digits, way, labels):
    with pytest.raises(ValueError, match=rf"from 10 \(one per class\) to 1257 .* got {labels}"):
        getattr(digits, way)(labels)


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        datasets.digits(batch_size=0)


X, Y = np.zeros((4, 3)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:0], Y[:0], "val: there are no samples"),
        (X[:, 0], Y, r"val: inputs must have the shape \(samples, ...\), got \(4,\)"),
        (X, np.eye(3)[Y], r"got \(4, 3\); turn one-hot labels into integers with y.argmax\(-1\)"),
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
        ({"x_train": np.array([{}, {}], object)}, "cannot be read as plain arrays"),
    ],
)
def test_load_says_what_is_wrong(mine, change, message):
    path, arrays = mine
    np.savez(path, **{key: value for key, value in {**arrays, **change}.items() if value is not None})
    with pytest.raises(ValueError, match=message):
        datasets.load(path)


def test_load_refuses_what_is_not_npz(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*nothing\.npz"):
        datasets.load(tmp_path / "nothing.npz")
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
    with pytest.raises(ValueError, match="cannot be read as plain arrays"):
        datasets.load(path)


def test_fashion_says_which_files_are_missing(tmp_path, monkeypatch):
    (tmp_path / "train-images-idx3-ubyte.gz").touch()
    message = "does not hold train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
    with pytest.raises(FileNotFoundError, match=message):
        datasets.fashion_mnist(source=tmp_path, data_dir=tmp_path / "tfds")
    monkeypatch.setenv("KERAS_KD_FASHION_MNIST", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=message):
        datasets.fashion_mnist(data_dir=tmp_path / "tfds")


def test_fashion_that_cannot_be_prepared_says_what_to_install(tmp_path):
    for name in FASHION_FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"not images"))
    with pytest.raises(
        OSError, match="Install the Debian package dataset-fashion-mnist, or set KERAS_KD_FASHION"
    ):
        datasets.fashion_mnist(source=tmp_path, data_dir=tmp_path / "tfds", progress=lambda line: None)
    assert not list((tmp_path / "tfds").rglob("*.tfrecord*"))


def idx(name):
    raw = gzip.decompress((HERE / f"{name}.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16 if "images" in name else 8)


@pytest.fixture(scope="module")
def fashion(tmp_path_factory):
    if not all((HERE / f"{name}.gz").is_file() for name in FASHION_FILES):
        pytest.skip(f"{HERE} is not there: install the Debian package dataset-fashion-mnist")
    lines = []
    folder = tmp_path_factory.mktemp("tfds")
    datasets.fashion_mnist(source=HERE, data_dir=folder, progress=lines.append)
    assert lines == [f"Preparing Fashion-MNIST from {HERE}: up to a minute, only this once"]
    return datasets.fashion_mnist(data_dir=folder, progress=lines.remove)  # prepared: it must not be called


@pytest.mark.slow
def test_fashion_is_what_debian_ships(fashion):
    assert {key: len(split.x) for key, split in fashion.arrays.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
        "calibration": 256,
    }
    for names, prefix in ((("train", "validation"), "train"), (("test",), "t10k")):
        x = np.concatenate([fashion.arrays[name].x for name in names])
        y = np.concatenate([fashion.arrays[name].y for name in names])
        images = idx(f"{prefix}-images-idx3-ubyte").reshape(-1, 784)
        rows = zip(contents(images), idx(f"{prefix}-labels-idx1-ubyte").tolist(), strict=True)
        ours = zip(contents(np.rint(x.reshape(-1, 784) * 255).astype("uint8")), y.tolist(), strict=True)
        assert sorted(ours) == sorted(rows)


@pytest.mark.slow
def test_fashion_splits_hold_every_class(fashion):
    for name, size in (("train", 5_500), ("validation", 500), ("test", 1_000)):
        assert np.bincount(fashion.arrays[name].y).tolist() == [size] * 10
    assert fashion.arrays["train"].x.dtype == "float32"
    assert (fashion.arrays["train"].x.min(), fashion.arrays["train"].x.max()) == (0, 1)


def test_stripped_gzip_headers_are_restored_and_whole_ones_kept(tmp_path):
    name = "t10k-labels-idx1-ubyte"
    whole = b"\x1f\x8b\x08\x08" + bytes.fromhex("f3e9a759") + b"\x02\x03" + name.encode() + b"\0" + b"content"
    path = tmp_path / f"{name}.gz"
    path.write_bytes(whole)
    assert bundled.original_bytes(tmp_path, name) == whole
    path.write_bytes(b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\x03" + b"content")
    assert bundled.original_bytes(tmp_path, name) == whole

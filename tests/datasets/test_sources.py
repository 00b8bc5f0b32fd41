"""Data from wherever it is."""

import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.sources import Source, open_data
from tests.datasets.conftest import contents, save_images

PETS = ModelShape({"image": (4, 6, 3)}, {"kind": (3,)})
FLOWERS = ModelShape({"x": (2,)}, {"kind": (2,)})
PICTURES = ModelShape({"image": (9, 7, 1)}, {"kind": (2,)})


@pytest.fixture
def flowers(tmp_path):
    """A table with one number for each row, a constant, and one of two kinds."""
    rows = [f"{index},0,{'rose' if index % 4 else 'tulip'}" for index in range(100)]
    (tmp_path / "flowers.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    return tmp_path / "flowers.csv"


@pytest.fixture
def arrays(tmp_path):
    x, y = np.random.default_rng(0).integers(0, 256, (60, 9, 7, 1), "uint8"), np.arange(60) % 2
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    return tmp_path / "mine.npz"


def test_a_folder_of_images(pets):
    lines = []
    data = open_data(pets, PETS, pixels="-1..1", batch_size=8, progress=lines.append)
    assert str(data) == "pets: inputs 4x6x3, 3 classes, 24 train, 3 validation, 3 test"
    assert (data.classes, data.class_names, data.pixels) == (3, ("cat", "dog", "fish"), "-1..1")
    assert (
        lines
        == [data.source]
        == [
            "pets: 30 images, resized to 4x6x3, pixels -1..1; 3 classes (0 cat, 1 dog, 2 fish); validation "
            "and test set aside: 24 train, 3 validation, 3 test"
        ]
    )
    assert data.arrays["train"].x.dtype == "uint8"
    x, y = next(iter(data.test))
    assert (x.dtype, y.dtype) == ("float32", "int32")
    np.testing.assert_allclose(x, data.arrays["test"].x / 127.5 - 1, atol=1e-6)
    assert sorted(data.arrays["test"].y) == [0, 1, 2]


def test_the_parts_of_a_source_are_those_of_its_data(pets, flowers, arrays):
    for path, model, target in ((pets, PETS, None), (flowers, FLOWERS, "kind"), (arrays, PICTURES, None)):
        data = open_data(path, model, target=target, pixels="0..255" if target else "0..1")
        source = Source(str(path), target, "0..255" if target else "0..1")
        for mine, whole in zip(source.test(model), data.test, strict=True):
            np.testing.assert_array_equal(mine[0], whole[0])
            np.testing.assert_array_equal(mine[1], whole[1])
        for mine, whole in zip(source.validation(model), data.validation, strict=True):
            np.testing.assert_array_equal(mine[0], whole[0])
            np.testing.assert_array_equal(mine[1], whole[1])
        read = source.training(model, batch_size=7)
        training = np.concatenate(list(read()))
        assert len(training) == sum(map(len, read())) == len(data.arrays["train"].x)
        known = {x.tobytes() for x, _ in data.train.unbatch().as_numpy_iterator()}
        assert {x.tobytes() for x in training} == known
        calibration = np.concatenate([x for x, _ in data.calibration])
        np.testing.assert_allclose(source.calibration(model), calibration, atol=1e-6)
        parts = [set(contents(data.arrays[name].x)) for name in ("train", "validation", "test")]
        if path != arrays:
            assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_a_table(flowers):
    data = open_data(flowers, FLOWERS, target="kind", name="garden")
    assert str(data) == "garden: inputs 2, 2 classes, 80 train, 10 validation, 10 test"
    assert data.class_names == ("rose", "tulip")
    for split in ("train", "validation", "test"):
        x, y, _ = data.arrays[split]
        np.testing.assert_array_equal(y, x[:, 0] % 4 == 0)
        assert abs(y.mean() - 0.25) < 0.06
    again = open_data(str(flowers), FLOWERS, target="kind")
    np.testing.assert_array_equal(again.arrays["test"].x, data.arrays["test"].x)


def test_tables_without_labels_can_be_measured_with(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 20)
    source = Source(str(tmp_path / "a.csv"))
    assert [x.shape.as_list() for x in source.test(FLOWERS)] == [[2, 2]]
    assert source.calibration(FLOWERS).shape == (16, 2)
    assert [x.shape.as_list() for x in source.validation(FLOWERS)] == [[2, 2]]
    assert [x.shape for x in source.training(FLOWERS, batch_size=10)()] == [(10, 2), (6, 2)]
    with pytest.raises(ValueError, match="needs target="):
        open_data(tmp_path / "a.csv", FLOWERS)


@pytest.mark.parametrize(("pixels", "dtype"), [("0..255", "uint8"), ("0..1", "float32")])
def test_bytes_in_arrays_are_scaled_if_that_is_said(arrays, pixels, dtype):
    x, _ = next(iter(open_data(arrays, PICTURES, pixels=pixels).test))
    assert x.dtype == Source(str(arrays), pixels=pixels).calibration(PICTURES).dtype == dtype
    if pixels == "0..255":
        loaded = datasets.load(arrays)
        np.testing.assert_array_equal(x, loaded.arrays["test"].x)


def test_a_dataset_of_tensorflow_datasets(data_dir):
    lines = []
    data = open_data("tfds:tiny_pictures", PICTURES, pixels="0..1", progress=lines.append)
    assert str(data) == "tiny_pictures: inputs 9x7x1, 2 classes, 36 train, 4 validation, 10 test"
    assert [line.split()[0] for line in lines] == ["Preparing", "reading", "tiny_pictures:"]
    again = open_data("tfds:tiny_pictures", PICTURES, progress=lines.append)
    assert [line.split()[0] for line in lines[3:]] == ["reading", "tiny_pictures:"]
    np.testing.assert_array_equal(again.arrays["train"].x, data.arrays["train"].x)
    numbers = open_data("tfds:tiny_numbers", ModelShape({"x": (4,)}, {"y": (1,)}))
    assert str(numbers) == "tiny_numbers: inputs 4, 2 classes, 24 train, 3 validation, 3 test"


def test_a_dataset_that_does_not_fit_is_not_prepared(data_dir):
    with pytest.raises(ValueError, match="the model takes float32"):
        open_data("tfds:tiny_text", PICTURES)
    assert not data_dir.exists()


def test_classes_are_those_of_training(tmp_path):
    rows = "".join(f"1,2,{kind},{split}\n" for kind, split in ((0, "train"), (1, "train"), (2, "test")))
    (tmp_path / "a.csv").write_text("a,b,y,split\n" + rows + "1,2,0,val\n")
    with pytest.raises(ValueError, match="test: labels must be from 0 to 1, found 2 at row 0"):
        open_data(tmp_path / "a.csv", ModelShape({"x": (2,)}, {"y": (9,)}), target="y")


def test_more_classes_than_units(pets):
    for units in (1, 2):
        with pytest.raises(
            ValueError, match=f"pets: there are 3 classes, but the output 'kind' .* {units} unit"
        ):
            open_data(pets, ModelShape({"image": (4, 6, 3)}, {"kind": (units,)}))
    save_images(pets.parent / "two", {"cat": 10, "dog": 10})
    data = open_data(pets.parent / "two", ModelShape({"image": (4, 6, 3)}, {"dog": (1,)}))
    assert (data.classes, sorted(data.arrays["test"].y)) == (2, [0, 1])


ARGUMENTS = {
    "no such range": (
        "pets",
        {"pixels": "0-1"},
        r"pixels= is one of 0..255, 0..1, -1..1. .* Did you mean '0..1'",
    ),
    "pixels of a table": ("flowers", {"pixels": "0..1"}, "pixels= is for images. Received: '0..1' for"),
    "target of a folder": ("pets", {"target": "kind"}, "target= is for tables. Received: 'kind' for"),
    "size of a table": (
        "flowers",
        {"image_size": (8, 8)},
        "image_size= is for images that are resized, which",
    ),
}


@pytest.mark.parametrize(("fixture", "arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_for_other_data(request, fixture, arguments, message):
    with pytest.raises(ValueError, match=message):
        open_data(request.getfixturevalue(fixture), PETS, **arguments)


def test_names_in_reports(tmp_path, monkeypatch, pets):
    monkeypatch.chdir(pets)
    assert (Source(".").name, Source("tfds:emnist/digits").name) == ("pets", "emnist/digits")

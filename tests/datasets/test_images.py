"""Folders of images."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_kd.datasets.images import find_images, read_images
from keras_kd.datasets.rows import ALL_ROWS
from tests.datasets.conftest import save_images

SHAPE = (4, 6, 3)


@pytest.mark.parametrize(("suffix", "mode", "channels"), [
    (".png", "RGB", 3), (".JPG", "RGB", 3), (".bmp", "RGB", 3), (".gif", "RGB", 3), (".jpeg", "L", 1),
    (".png", "L", 3), (".PNG", "RGBA", 4), (".png", "P", 3), (".png", "RGB", 1),
])  # fmt: skip
def test_images_are_those_of_keras(tmp_path, suffix, mode, channels):
    save_images(tmp_path / "pets", {"dog": 2, "cat": 3}, suffix, mode)
    found = find_images(tmp_path / "pets", (4, 6, channels), "0..255")
    colors = {1: "grayscale", 3: "rgb", 4: "rgba"}[channels]
    theirs = keras.utils.image_dataset_from_directory(
        tmp_path / "pets", image_size=(4, 6), color_mode=colors, shuffle=False, verbose=False, batch_size=9
    )
    x, y = next(iter(theirs))
    rows = found.groups["train"]
    read = rows.read(ALL_ROWS)
    assert read.dtype == "uint8"
    np.testing.assert_array_equal(read, np.rint(x.numpy()))
    np.testing.assert_array_equal(rows.y, y)
    assert found.class_names == ("cat", "dog")
    assert found.row_bytes == 4 * 6 * channels
    assert found.text == f"5 images, resized to 4x6x{channels}, pixels 0..255"


def test_only_the_rows_that_are_needed_are_read(pets):
    (pets / "dog" / "99.png").write_bytes(b"broken")
    rows = find_images(pets, SHAPE, "0..255").groups["train"]
    assert rows.size == 31
    assert rows.among(np.array([0, 30])).read(ALL_ROWS).shape == (2, *SHAPE)


@pytest.mark.parametrize(
    ("train", "test", "name"),
    [("train", "test", "val"), ("Training", "Testing", "VALID"), ("train", "test", None)],
)
def test_folders_of_splits(tmp_path, train, test, name):
    for split, sizes in {train: {"a": 4, "b": 3}, test: {"b": 2}, name: {"a": 1, "b": 1}}.items():
        if split:
            save_images(tmp_path / split, sizes)
    found = find_images(tmp_path, SHAPE, "0..255")
    labels = {split: rows.y.tolist() for split, rows in found.groups.items()}
    validation = {"validation": [0, 1]} if name else {}
    assert labels == {"train": [0, 0, 0, 0, 1, 1, 1], "test": [1, 1], **validation}


def test_what_keras_ignores_is_ignored(pets):
    plain = find_images(pets, SHAPE, "0..255").groups["train"].size
    for name in (".DS_Store", "Thumbs.db", "cat/.DS_Store", "cat/notes.txt", "cat/Thumbs.db", "cover.png"):
        (pets / name).write_bytes(b"x")
    (pets / ".git" / "objects").mkdir(parents=True)
    (pets / "cat" / "more").mkdir()
    shutil.copy(pets / "cat" / "00.png", pets / "cat" / "more" / "copy.png")
    (pets / "bird").symlink_to(pets / "dog")
    (pets / "fish" / "link.png").symlink_to(pets / "dog" / "00.png")
    found = find_images(pets, SHAPE, "0..255")
    assert found.class_names == ("bird", "cat", "dog", "fish")
    assert found.groups["train"].size == plain + 12 + 1 + 1
    assert found.groups["train"].read(ALL_ROWS).any()


def test_classes_may_be_called_train_and_test(tmp_path):
    save_images(tmp_path, {"plane": 2, "train": 3, "test": 1})
    assert find_images(tmp_path, SHAPE, "0..255").class_names == ("plane", "test", "train")


def broken(pets, name, content):
    (pets / "cat" / name).write_bytes(content)
    return find_images(pets, SHAPE, "0..255").groups["train"].read(ALL_ROWS)


def cut_short(pets):
    whole = pets / "cat" / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")).save(whole)
    return broken(pets, "5.jpg", whole.read_bytes()[:900])


def leading_nowhere(pets):
    (pets / "cat" / "5.png").symlink_to(pets / "nowhere.png")
    return find_images(pets, SHAPE, "0..255").groups["train"].read(ALL_ROWS)


BROKEN = {
    "text": lambda pets: broken(pets, "5.png", b"hello"),
    "empty": lambda pets: broken(pets, "5.png", b""),
    "cut short": cut_short,
    "a link that leads nowhere": leading_nowhere,
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_a_broken_image_is_named(pets, make):
    with pytest.raises(
        ValueError, match=r"/cat/5\.\w+' cannot be read as an image: .*[^.]\. Replace, conv"
    ) as error:
        make(pets)
    assert "Iterator::" not in str(error.value)


def without_images(pets):
    (pets / "bird").mkdir()


def other_files(pets):
    without_images(pets)
    (pets / "bird" / "1.tiff").touch()
    (pets / "bird" / "README").touch()


def flat(pets):
    for path in pets.glob("*/*.png"):
        path.rename(pets / f"{path.parent.name}{path.name}")
    for folder in pets.iterdir():
        if folder.is_dir():
            folder.rmdir()


def split_into(*names):
    def split(pets):
        whole = pets.rename(pets.with_name("whole"))
        for name in names:
            shutil.copytree(whole, pets / name)

    return split


def class_in_test_only(pets):
    split_into("train", "test")(pets)
    shutil.rmtree(pets / "train" / "fish")


WRONG = {
    "an empty folder": (
        without_images,
        r"folder of a class, '.*bird', holds no images \(.*\)\. Add some, or",
    ),
    "other files": (other_files, r"holds no images .*, only .tiff, files without suffix\. Add"),
    "no folders": (
        flat,
        r"has no folders. Images have to lie in one folder for each class, as in .*1\.jpg and",
    ),
    "no test": (split_into("train", "val"), "has a folder 'train' but no folder 'test'. Add one, or put"),
    "two validations": (split_into("train", "val", "validation", "test"), "has both 'val' and 'validation'"),
    "a class in the test only": (class_in_test_only, "test' has folders of classes .* images of: fish"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_folders_that_are_none_of_images(pets, change, message):
    change(pets)
    with pytest.raises(ValueError, match=message):
        find_images(pets, SHAPE, "0..255")


def test_no_images_to_read():
    assert read_images(np.array([], str), SHAPE).shape == (0, *SHAPE)

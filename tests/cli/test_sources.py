"""Data of every kind in the commands that measure and calibrate."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_kd.cli.sources import shape_for
from keras_kd.datasets.model_shape import ModelShape
from tests.cli.conftest import run


@pytest.fixture
def pets(tmp_path):
    """A folder of images in two shades, and a model of any size that tells them apart by their mean."""
    rng = np.random.default_rng(0)
    for name, low in (("bright", 128), ("dark", 0)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(low, low + 128, (9, 7, 3), "uint8")
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{index}.png")
    image = keras.Input((None, None, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    kind = keras.layers.Dense(2, name="kind")
    keras.Model(image, kind(mean)).save(tmp_path / "any.keras")
    kind.set_weights([np.array([[1, -1]] * 3), np.array([-1.5, 1.5])])  # for pixels from 0 to 1
    image = keras.Input((6, 5, 3), name="image")
    keras.Model(image, kind(keras.layers.GlobalAveragePooling2D()(image))).save(tmp_path / "m.keras")
    return tmp_path


@pytest.mark.slow
def test_a_folder_of_images(pets, printed):
    data = ["--data", pets / "pets", "--pixels", "0..1"]
    model, file = pets / "m.keras", pets / "m.tflite"
    assert run("export", model, "--out", file, "--quantization", "int8", *data, "--json") == 0
    exported = json.loads(printed()[0])
    assert 0 <= exported["calibration"][0]["low"] < 0.2 < 0.8 < exported["calibration"][0]["high"] <= 1
    assert run("verify", model, file, *data, "--json") == 0
    out, err = printed()
    assert (json.loads(out)["samples"], json.loads(out)["keras_accuracy"]) == (4, 1.0)
    assert "pets: 40 images, resized to 6x5x3, pixels 0..1; 4 of them for the test" in err
    assert run("compare", f"file={file}", f"m={model}", *data, "--json") == 0
    report = json.loads(printed()[0])
    assert [row["accuracy"] for row in report["rows"]] == [1, 1]
    assert report["meta"]["data"] == "pets, test split"


@pytest.mark.slow
def test_a_model_of_any_size_needs_one(pets, printed):
    data = ["--data", pets / "pets"]
    assert run("export", pets / "any.keras", "--out", pets / "a.tflite", "--quantization", "int8", *data) == 1
    assert "say which, as in --image-size 224x224." in printed()[1]
    words = ["export", pets / "any.keras", "--out", pets / "a.tflite", "--quantization", "int8", *data]
    for size, shape in (
        (("--image-size", "6x5"), [1, None, None, 3]),
        (("--input-shape", "6,5,3"), [1, 6, 5, 3]),
    ):
        assert run(*words, *size, "--json", "--overwrite") == 0
        assert json.loads(printed()[0])["inputs"][0]["shape"] == shape
    assert run("verify", pets / "any.keras", pets / "a.tflite", *data, "--image-size", "6x5") == 0


def test_a_table(tmp_path, printed):
    model = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, name="price")])
    model.layers[0].set_weights([np.array([[2.0], [1.0]]), np.zeros(1)])
    model.save(tmp_path / "m.keras")
    rows = "".join(f"{i},{i % 7},{2 * i + i % 7 + 1}\n" for i in range(50))
    (tmp_path / "houses.csv").write_text("size,rooms,price\n" + rows)
    files = [tmp_path / "m.keras", tmp_path / "m.tflite"]
    assert run("export", files[0], "--out", files[1]) == 0
    printed()
    data = ["--data", tmp_path / "houses.csv"]
    assert run("verify", *files, *data) == 1
    assert "are size, rooms, price. Name columns of labels with --target." in printed()[1]
    assert run("verify", *files, *data, "--target", "price", "--metric", "mae", "--json") == 0
    assert json.loads(printed()[0])["keras_metric"] == pytest.approx(1)
    words = ["compare", f"m={files[0]}", *data, "--target", "price", "--metric", "mae", "--json"]
    assert run(*words) == 0
    assert json.loads(printed()[0])["rows"][0]["metric_value"] == pytest.approx(1)


def test_shapes_of_files(files):
    wanted = ModelShape({"image": (8, 8, 1)}, {"logits": (10,)})
    for name in ("student.keras", "student.tflite"):
        assert shape_for("tfds:mnist", str(files / name)) == wanted
    assert shape_for("mine.npz", "nowhere.keras") == ModelShape({}, {})  # not looked for

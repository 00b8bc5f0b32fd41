"""`keras-kd export`, `verify` and `benchmark`."""

import json

import keras
import numpy as np
import pytest
import typer

from keras_kd.cli.deploy import parse_batch_size, parse_input_shape, size_in
from tests.cli.conftest import run


def test_export_verify_benchmark(files, printed, tmp_path):
    target = tmp_path / "int8.tflite"
    words = ["export", files / "student.keras", "--out", target, "--quantization", "int8"]
    assert run(*words, "--data", files / "data.npz", "--json") == 0
    assert json.loads(printed()[0])["quantization"] == "int8"
    assert run("verify", files / "student.keras", target, "--data", files / "data.npz", "--json") == 0
    assert json.loads(printed()[0])["samples"] == 50
    words_of_verify = ["verify", files / "student.keras", target, "--data", files / "data.npz"]
    assert run(*words_of_verify, "--metric", "sparse_top_k_categorical_accuracy") == 0
    assert "sparse_top_k_categorical_accuracy of logits: " in printed()[0]
    assert run(*words_of_verify, "--metric", "sparse_topk_categorical_accuracy") == 1
    assert "Did you mean 'sparse_top_k_categorical_accuracy'?" in " ".join(printed()[1].split())
    assert run("benchmark", target) == 0
    assert ": median " in printed()[0]
    assert run(*words, "--data", files / "data.npz") == 1
    assert printed()[1].startswith("Error: ")
    assert run(*words, "--data", files / "data.npz", "--overwrite") == 0
    assert run("export", files / "student.keras", "--out", tmp_path / "sparse.tflite", "--sparse") == 0
    assert "sparse" in printed()[0]
    assert run(*words, "--data", files / "data.npz", "--overwrite", "--sparse") == 1
    assert "sparse" in printed()[1]


@pytest.mark.slow
def test_labels_that_are_no_classes(printed, tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    x, y = np.random.default_rng(0).normal(size=(2, 60, 4)).astype("float32")
    y = y[:, :2]
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:40], y_test=y[:40])
    data, files = ["--data", tmp_path / "d.npz"], [tmp_path / "m.keras", tmp_path / "m.tflite"]
    words = ["export", files[0], "--out", files[1], "--quantization", "int8"]
    assert run(*words, *data, "--json") == 0
    assert json.loads(printed()[0])["quantization"] == "int8"
    assert run("verify", *files, *data, "--metric", "mse", "--json") == 0
    wanted = ((model.predict(x[:40], verbose=0) - y[:40]) ** 2).mean()
    assert json.loads(printed()[0])["keras_metric"] == pytest.approx(wanted, rel=1e-4)
    assert run("compare", f"a={files[0]}", *data, "--metric", "mse", "--json") == 0
    assert json.loads(printed()[0])["rows"][0]["metric_value"] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
def test_a_file_has_one_sample_per_call_unless_told_otherwise(files, printed, tmp_path):
    for words, shape in (((), [1, 8, 8, 1]), (("--batch-size", "free"), [None, 8, 8, 1])):
        assert (
            run(
                "export",
                files / "student.keras",
                "--out",
                tmp_path / "m.tflite",
                "--overwrite",
                "--json",
                *words,
            )
            == 0
        )
        assert json.loads(printed()[0])["inputs"][0]["shape"] == shape
    assert run("export", files / "student.keras", "--out", tmp_path / "n.tflite", "--batch-size", "0") == 2
    assert printed()[1].endswith("--batch-size must be a number from 1, or free. Received: '0'\n")


@pytest.mark.slow
def test_a_fixed_batch_needs_no_option_to_be_timed(files, printed, tmp_path):
    words = ["export", files / "student.keras", "--out", tmp_path / "m.tflite"]
    assert run(*words, "--batch-size", "4") == 0
    printed()
    assert run("benchmark", tmp_path / "m.tflite") == 0
    assert "batch fixed at 4" in printed()[0]
    assert run("benchmark", tmp_path / "m.tflite", "--batch-size", "1") == 1
    assert "is fixed at 4; received --batch-size 1." in " ".join(printed()[1].split())


@pytest.fixture
def with_two_inputs(tmp_path):
    """The path of a model that takes an image and numbers."""
    image, meta = keras.Input((8, 8, 1), name="image"), keras.Input((2,), name="meta")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(image), meta])
    keras.Model([image, meta], keras.layers.Dense(3)(x)).save(tmp_path / "two.keras")
    return tmp_path / "two.keras"


def test_data_for_several_inputs_is_refused_in_the_words_of_the_command_line(
    with_two_inputs, files, printed, tmp_path
):
    file, data = tmp_path / "two.tflite", ["--data", files / "data.npz"]
    assert run("export", with_two_inputs, "--out", file) == 0
    for words in (
        ["export", with_two_inputs, "--out", tmp_path / "int8.tflite", "--quantization", "int8"],
        ["verify", with_two_inputs, file],
        ["compare", with_two_inputs],
    ):
        assert run(*words, *data) == 1
        said = printed()[1]
        assert "['image', 'meta']" in said
        assert "--data is for models with one input: for others, use kd.export" in said
        assert "Pass a dict" not in said


def test_a_size_can_be_given(printed, tmp_path):
    image = keras.Input((None, None, 1), name="image")
    keras.Model(image, keras.layers.Conv2D(2, 3)(image)).save(tmp_path / "m.keras")
    words = ["export", tmp_path / "m.keras", "--out", tmp_path / "m.tflite", "--json"]
    assert run(*words, "--input-shape", "image=9,7,1") == 0
    assert json.loads(printed()[0])["inputs"][0]["shape"] == [1, 9, 7, 1]
    assert run("benchmark", tmp_path / "m.tflite", "--input-shape", "9,8,1") == 1
    assert "--input-shape (9, 8, 1) does not fit" in printed()[1].replace("9,8,1", "(9, 8, 1)")
    assert run("benchmark", tmp_path / "m.tflite", "--input-shape", "9,7,1") == 0


def test_options_are_parsed():
    assert [parse_batch_size(text) for text in ("1", "32", "free")] == [1, 32, None]
    assert parse_input_shape(None) is None
    assert parse_input_shape(["224, 224,3"]) == (224, 224, 3)
    assert parse_input_shape(["a=8,8", "b=5"]) == {"a": (8, 8), "b": (5,)}
    assert parse_input_shape(["8x6x3"]) == (8, 6, 3)
    assert parse_input_shape(["max=8x6"]) == {"max": (8, 6)}
    for texts in (["8x"], ["8;8"], ["photo=8 8"], ["8,,3"], ["a="], ["-8,8"]):
        with pytest.raises(
            typer.BadParameter, match="--input-shape must be sizes such as 224,224,3, or NAME=224,224,3"
        ):
            parse_input_shape(texts)
    with pytest.raises(typer.BadParameter, match="needs a name for each of several inputs"):
        parse_input_shape(["8,8", "a=5"])


@pytest.mark.parametrize(
    ("shape", "data", "size"),
    [
        ((28, 20, 3), "tfds:mnist", "28x20"),
        ((28, 20, 3), "mine.npz", None),  # arrays are not resized
        ((28,), "tfds:mnist", None),
        ({"image": (28, 20, 3)}, "tfds:mnist", None),
        (None, "tfds:mnist", None),
    ],
)
def test_images_get_the_size_of_the_input_shape(shape, data, size):
    assert size_in(shape, data) == size

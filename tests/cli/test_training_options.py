"""Options of commands that train: wrong words are refused before TensorFlow loads."""

import json
import re

import keras
import numpy as np
import pytest

from keras_kd.cli.training_options import listed
from tests.cli.conftest import run


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, ()), ("int8", ("int8",)), (" INT8, float16 ,,int8", ("int8", "float16")), (",", ())],
)
def test_lists(text, words):
    assert listed(text) == words


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--files", "int8,int9", "there is no 'int9'; there are float32, .* Did you mean 'int8'"),
        ("--files", ",", "expected some of float32, float16"),
        ("--augment", "flop", "there is no 'flop'; there are flip, .* Did you mean 'flip'"),
        ("--early-stopping", "0", "greater than or equal to 1"),
    ],
)
def test_wrong_words(files, printed, tmp_path, option, text, message):
    words = ["--teacher", files / "teacher.keras", "--student", files / "student.keras"]
    assert run("distill", *words, "--data", files / "data.npz", "--out", tmp_path / "run", option, text) == 2
    err = " ".join(printed()[1].replace("│", " ").split())
    assert re.search(message, err), err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Give --student, a Keras model, or --shrink, such as 0.25"),
        (["--student", "student.keras", "--shrink", "0.5"], "Give --student, a Keras model, or --shrink"),
        (["--shrink", "25"], "--shrink must be in (0, 1]. Received: 25.0. For 25 %, give 0.25."),
    ],
)
def test_a_student_or_a_part_of_the_teacher(files, printed, tmp_path, options, message):
    options = [files / word if word.endswith(".keras") else word for word in options]
    words = ["--teacher", files / "teacher.keras", "--data", files / "data.npz", "--out", tmp_path / "run"]
    assert run("distill", *words, *options) == 1
    assert message in " ".join(printed()[1].split())


@pytest.mark.slow
def test_the_teacher_is_shrunk(files, printed, tmp_path):
    words = ["--teacher", files / "teacher.keras", "--data", files / "data.npz", "--out", tmp_path / "run"]
    assert run("distill", *words, "--shrink", "0.5", "--epochs", "1", "--files", "float32") == 0
    err = printed()[1]
    said = "The student is the teacher shrunk to 0.5 of its multiply-adds: 19,744 -> "
    assert said in err
    assert said in json.loads((tmp_path / "run/report.json").read_text())["facts"][1]
    made = keras.models.load_model(tmp_path / "run/student.keras")
    alone = keras.models.load_model(tmp_path / "run/seed0/alone.keras")
    assert made.count_params() == alone.count_params()
    assert not np.array_equal(made.weights[0], alone.weights[0])
    student = keras.models.load_model(tmp_path / "run/seed0/distilled.keras")
    teacher = keras.models.load_model(files / "teacher.keras")
    assert student.count_params() < teacher.count_params()

"""Options of commands that train: wrong words are refused before TensorFlow loads."""

import re

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

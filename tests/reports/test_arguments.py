"""What `compare` is given, before anything is measured."""

from pathlib import Path

import keras
import pytest

from keras_kd.reports.arguments import check_arguments, merge_names
from keras_kd.reports.subjects import Subject

MODEL = Subject("student", "keras", dict, model=keras.Sequential(), path=None)
FILE = Subject("int8", "int8", dict, path=Path("m.tflite"))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seeds": {"studnt": [0.5]}}, ValueError, "seeds names 'studnt', .* Did you mean 'student'"),
        ({"seeds": {"student": []}}, ValueError, "accuracies from 0 to 1"),
        ({"seeds": {"student": [0.9, 97.0]}}, ValueError, "accuracies from 0 to 1"),
        ({"sources": {"int8": "b"}}, ValueError, "sources names 'b'"),
        ({"sources": {"int4": "student"}}, ValueError, "Did you mean 'int8'"),
        ({"sources": {"student": "student"}}, ValueError, "maps a file to a Keras model"),
        ({"sources": {"int8": "int8"}}, ValueError, "maps a file to a Keras model"),
        ({"facts": "It helped."}, TypeError, "list of sentences"),
        ({"class_names": "abc"}, TypeError, "class_names is a list .* Received one string: 'abc'"),
        ({"class_names": ["a", "b", "b"]}, ValueError, "class_names must differ. Received 'b' 2 times"),
    ],
)
def test_arguments_that_make_no_sense(arguments, error, message):
    with pytest.raises(error, match=message):
        check_arguments([MODEL, FILE], **{"sources": {}, "seeds": {}, "facts": ()} | arguments)


def test_arguments_that_do():
    check_arguments([MODEL, FILE], {"int8": "student"}, {"student": [0.0, 1.0]}, ["It helped."], ["a", "b"])


def test_names_are_given_once():
    assert merge_names({"a": "a.keras"}, {"b": "b.keras"}) == {"a": "a.keras", "b": "b.keras"}
    assert merge_names(None, {}) == {}
    with pytest.raises(ValueError, match=r"both in models= and keywords: \['a'\]. Every row needs its own"):
        merge_names({"a": "a.keras"}, {"a": "b.keras"})

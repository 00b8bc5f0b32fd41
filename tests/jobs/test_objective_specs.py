"""Objectives as they are typed."""

import re

import pytest

from keras_kd.jobs.objective_specs import check_objectives, parse_objective


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mse:block2:block4", ("mse", "block2", "block4", 1.0)),
        ("0.5*mse:a/b:c", ("mse", "a/b", "c", 0.5)),
        ("mse:shared:1:shared:2", ("mse", "shared:1", "shared:2", 1.0)),
    ],
)
def test_parts_of_an_objective(text, parts):
    assert tuple(parse_objective(text)) == parts


@pytest.mark.parametrize("text", ["mse", "mse:a", "mse:a:b:c", ":a:b", "x*mse:a:b", "mse::b", ""])
def test_what_is_no_objective(text):
    with pytest.raises(ValueError, match=rf"LOSS:STUDENT_TAP:TEACHER_TAP.*{re.escape(repr(text))}"):
        parse_objective(text)


@pytest.mark.parametrize("weight", ["nan", "-1", "inf", "-0.5"])
def test_weights_that_are_none(weight):
    with pytest.raises(ValueError, match=rf"at least 0. Received: {weight} in '{weight}\*mse:a:b'"):
        parse_objective(f"{weight}*mse:a:b")


@pytest.mark.parametrize("texts", [[], ["mse:a:b", "mse:a:c", "mae:a:b"]])
def test_objectives_that_differ(texts):
    check_objectives(texts)


@pytest.mark.parametrize("other", ["mse:a:b", "2*mse:a:b", "mean_squared_error:a:b", "3*MSE:a:b"])
def test_equal_objectives(other):
    loss = other.rpartition("*")[2]
    wanted = rf"'mse:a:b' and {re.escape(repr(other))} .* as in 2\*{re.escape(loss)}"
    with pytest.raises(ValueError, match=wanted):
        check_objectives(["mse:a:c", "mse:a:b", other])

"""The arguments of `kd.factorize`."""

import re

import pytest

from keras_kd.compression.low_rank.arguments import resolve
from keras_kd.compression.low_rank.ranks import Amount


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 0}, "`rank` is a whole number from 1, or a fraction"),
        ({"rank": -0.5}, "Received: -0.5"),
        ({"rank": True}, "Received: True"),
        ({"rank": "half"}, "Received: 'half'"),
        ({"rank": 8.0}, "Did you mean 8?"),
        ({"energy": 0}, "`energy` is the fraction of the squared singular values"),
        ({"energy": 95}, "Did you mean 0.95?"),
        ({"energy": "most"}, "Received: 'most'"),
        ({"energy": 0.9, "rank": 0.5}, "give one. Received: rank=0.5, energy=0.9"),
        ({"method": "tuker"}, "Did you mean 'tucker'?"),
        ({"layers": {"conv*": 1.5}}, "`layers['conv*']` is a whole number"),
    ],
)
def test_what_is_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve(**arguments)


def test_layers_are_given_by_name():
    with pytest.raises(TypeError, match="Layers are given by name"):
        resolve(layers=[3])
    with pytest.raises(TypeError, match="Layers are given by name"):
        resolve(skip=3)


@pytest.mark.parametrize(
    ("arguments", "rest", "default"),
    [
        ({}, Amount(0.5), None),
        ({"rank": 3}, Amount(3), None),
        ({"energy": 1}, Amount(energy=1.0), None),
        ({"layers": {"a": 2}}, Amount(0.5), None),
        ({"layers": {"a": 2}, "rank": 0.25}, Amount(0.25), Amount(0.25)),
        ({"layers": {"a": 2}, "energy": 0.9}, Amount(energy=0.9), Amount(energy=0.9)),
    ],
)
def test_layers_of_a_mapping_alone_unless_it_is_said_what_others_get(arguments, rest, default):
    settings = resolve(**arguments)
    assert (settings.amount, settings.selection.default) == (rest, default)

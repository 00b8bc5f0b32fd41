"""The arguments of `sensitivity`."""

import re

import numpy as np
import pytest

from keras_kd.compression.sensitivity.arguments import WAYS, resolve


@pytest.mark.parametrize("by", WAYS)
def test_default_amounts_are_checked_like_others(by):
    settings = resolve(by)
    assert settings.amounts == WAYS[by].amounts == resolve(by, settings.amounts).amounts
    assert settings.way is WAYS[by]


def test_what_is_given_is_kept():
    assert resolve("rank", [8, 0.5, 8]).amounts == (8, 0.5)
    assert resolve("rank", 4).amounts == (4,)
    assert resolve("sparsity", np.array([0.5, 0.9])).amounts == (0.5, 0.9)
    assert resolve(layers="a", skip=["b"]).selection.layers == ["a"]
    assert resolve(layers="a", skip=["b"]).selection.skip == ["b"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "channel"}, ValueError, "Did you mean 'channels'?"),
        ({"amounts": []}, ValueError, "`amounts` is empty"),
        ({"amounts": [0.5, 50]}, ValueError, "For 50 %, give 0.5."),
        ({"amounts": 0}, ValueError, "must be in (0, 1]"),
        ({"by": "rank", "amounts": [8.0]}, ValueError, "Did you mean 8?"),
        ({"by": "rank", "amounts": ["half"]}, ValueError, "Received: 'half'"),
        ({"by": "sparsity", "amounts": [1.0]}, ValueError, "from 0 to less than 1"),
        ({"by": "sparsity", "amounts": "much"}, TypeError, "numbers"),
        ({"amounts": {0.5}}, TypeError, "numbers"),
        ({"by": "clusters", "amounts": [16, 1]}, ValueError, "from 2 to 65,536. Received: 1"),
        ({"by": "clusters", "amounts": 0.5}, ValueError, "Received: 0.5"),
        ({"layers": {"a": 0.5}}, TypeError, "`amounts` is tried on each"),
        ({"layers": 3}, TypeError, "given by name"),
        ({"samples": 0}, ValueError, "`samples` is a whole number"),
        ({"samples": 2.5}, ValueError, "Received: 2.5"),
        ({"samples": True}, ValueError, "Received: True"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        resolve(**options)

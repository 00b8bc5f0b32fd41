"""Arguments of `kd.shrink` are checked before anything is built."""

import numpy as np
import pytest

from keras_kd.compression.shrinking.arguments import Arguments

ERRORS = {
    "keep_0": ({"keep": 0}, "keep= must be in (0, 1]. Received: 0."),
    "keep_negative": ({"keep": -0.5}, "keep= must be in (0, 1]. Received: -0.5."),
    "keep_percent": ({"keep": 50}, "keep= must be in (0, 1]. Received: 50. For 50 %, give 0.5."),
    "keep_large": ({"keep": 101}, "keep= must be in (0, 1]. Received: 101."),
    "keep_nan": ({"keep": float("nan")}, "keep= must be in (0, 1]. Received: nan."),
    "keep_text": ({"keep": "half"}, "keep= must be in (0, 1]. Received: 'half'."),
    "keep_bool": ({"keep": True}, "keep= must be in (0, 1]. Received: True."),
    "budget": (
        {"budget": "parameter"},
        "budget= must be one of 'channels', 'parameters', 'macs', 'bytes'. Received: 'parameter'. Did you "
        "mean 'parameters'?",
    ),
    "scope": ({"scope": "all"}, "scope= must be one of 'global', 'layer'. Received: 'all'."),
    "multiple_0": ({"multiple_of": 0}, "multiple_of= is a whole number of 1 or more. Received: 0."),
    "multiple_float": ({"multiple_of": 8.0}, "multiple_of= is a whole number of 1 or more. Received: 8.0."),
    "multiple_bool": ({"multiple_of": True}, "multiple_of= is a whole number of 1 or more. Received: True."),
    "floor_1": ({"floor": 1}, "floor= is a fraction in [0, 1). Received: 1."),
    "floor_negative": ({"floor": -0.1}, "floor= is a fraction in [0, 1). Received: -0.1."),
    "floor_text": ({"floor": "low"}, "floor= is a fraction in [0, 1). Received: 'low'."),
    "layers": (
        {"layers": {"a": 0.5, "b": 0}},
        "The fraction to keep of a layer must be in (0, 1]. Received: 0.",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_out_of_range_is_refused(name):
    given, message = ERRORS[name]
    with pytest.raises(ValueError) as caught:
        Arguments(**given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"keep": 1},
        {"keep": 1e-3, "floor": 0, "multiple_of": 1},
        {"budget": "macs", "scope": "layer", "layers": {"a": 1.0}},
        {"layers": ["a"], "skip": "b"},
        {"keep": np.float32(0.5), "floor": np.float32(0.25), "multiple_of": np.int64(4)},
        {"layers": {"a": np.float32(0.5)}},
    ],
)
def test_what_is_in_range_is_taken(given):
    arguments = Arguments(**given)
    assert {name: getattr(arguments, name) for name in given} == given

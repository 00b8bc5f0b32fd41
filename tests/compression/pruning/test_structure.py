"""The n:m and block patterns that are found in the zeros of a matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.compression.pruning.patterns import Blocks, Groups, keep_largest, parse_pattern
from keras_kd.compression.pruning.structure import find_structure


def mask_of(magnitudes, pattern, fraction):
    pattern = parse_pattern(pattern)
    if isinstance(pattern, Groups):
        return pattern.mask(magnitudes)
    return pattern.expand(keep_largest([pattern.scores(magnitudes)], fraction)[0])


STRUCTURES = {
    "2:4": ("2:4", None, 16, ("2:4",)),
    "1:4": ("1:4", None, 16, ("1:4",)),
    "3:4": ("3:4", None, 16, ("3:4",)),
    "1:2": ("1:2", None, 16, ("1:2",)),
    "4:8": ("4:8", None, 16, ("4:8",)),
    "1:16": ("1:16", None, 16, ("1:16",)),
    "2:4 in short runs": ("2:4", None, 4, ("2:4",)),
    "1x4": ("1x4", 0.5, 16, ("1x4",)),
    "4x1": ("4x1", 0.5, 16, ("4x1",)),
    "2x2": ("2x2", 0.75, 16, ("2x2",)),
    "16x1": ("16x1", 0.5, 16, ("16x1",)),
    "8x2": ("8x2", 0.5, 16, ("8x2",)),
    "unstructured": ("unstructured", 0.5, 16, ()),
    "unstructured, many zeros": ("unstructured", 0.9, 16, ()),
    "unstructured, few zeros": ("unstructured", 0.03, 16, ()),
    "no zeros": ("unstructured", 0.0, 16, ()),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure_is_found(name):
    pattern, fraction, run, expected = STRUCTURES[name]
    magnitudes = np.random.default_rng(0).random((64, 48)).astype("float32")
    assert find_structure(mask_of(magnitudes, pattern, fraction), run) == expected


def test_all_zeros_are_no_structure():
    assert find_structure(np.zeros((16, 16), bool), 16) == ()


@pytest.mark.parametrize(("pattern", "run"), [("2:4", 6), ("4x1", 2), ("16x1", 8)])
def test_structure_does_not_reach_beyond_a_run_of_inputs(pattern, run):
    magnitudes = np.random.default_rng(0).random((48, 16)).astype("float32")
    assert pattern not in find_structure(mask_of(magnitudes, pattern, 0.5), run)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([1, 2, 4, 8, 16]))
def test_what_is_found_is_true(seed, rows, columns):
    random = np.random.default_rng(seed)
    kept = Blocks(rows, columns).expand(random.random((32 // rows, 32 // columns)) < 0.4)
    for found in find_structure(kept, 32):
        pattern = parse_pattern(found)
        if isinstance(pattern, Groups):
            assert kept.T.reshape(-1, pattern.size).sum(1).max() == pattern.kept
        else:
            assert pattern.rows * pattern.columns >= rows * columns
            blocks = kept.reshape(32 // pattern.rows, pattern.rows, 32 // pattern.columns, pattern.columns)
            assert (blocks.min((1, 3)) == blocks.max((1, 3))).all()

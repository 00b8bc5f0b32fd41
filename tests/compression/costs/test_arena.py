"""The arena holds what lives at the same time side by side."""

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_kd.compression.costs.arena import BLOCK, Life, arena_size

CASES = {
    "nothing": ([], 0),
    "one": ([Life(100, 0, 2)], 100),
    "side by side": ([Life(64, 0, 1), Life(64, 1, 2)], 128),
    "one after the other": ([Life(64, 0, 0), Life(64, 1, 2)], 64),
    "aligned": ([Life(10, 0, 1), Life(10, 0, 1)], 74),
    "throughout first": ([Life(640, 1, 2), Life(64, 0, 3)], 704),
    "gaps remain": ([Life(256, 1, 1), Life(192, 1, 2), Life(192, 2, 3), Life(256, 3, 3)], 640),
}


@pytest.mark.parametrize(("lives", "size"), CASES.values(), ids=CASES)
def test_sizes(lives, size):
    assert arena_size(lives, steps=3) == size


@hypothesis.given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_it_is_between_the_most_that_lives_at_once_and_everything(drawn):
    lives = [Life(size, min(ends), max(ends)) for size, *ends in drawn]
    alive = [sum(life.size for life in lives if life.first <= step <= life.last) for step in range(6)]
    assert max(alive) <= arena_size(lives, steps=6) <= sum(life.size + BLOCK for life in lives)

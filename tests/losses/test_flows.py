"""SolutionFlow: flow matrices against the published value, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import REFERENCE, common, few, maps, seeds, value
from tests.oracles.maps import flows


def test_flow_equals_the_published_reference():
    teacher, student = (
        tuple(REFERENCE[f"fsp/{side}_{end}"] for end in ("first", "last")) for side in ("teacher", "student")
    )
    for dtype in ("float32", "float64"):
        np.testing.assert_allclose(
            kd.losses.SolutionFlow(dtype=dtype)(teacher, student), REFERENCE["fsp/value"], rtol=1e-5
        )


@common
@given(seeds, few, few, st.integers(1, 3))
def test_flow_is_a_mean_over_positions_in_any_order(seed, first, last, ratio):
    random = np.random.default_rng(seed)
    teacher, student = (
        (random.normal(size=(2, 4 * ratio, 4 * ratio, first)), random.normal(size=(2, 4, 4, last)))
        for _ in range(2)
    )
    loss = kd.losses.SolutionFlow()
    assert value(loss, teacher, student) == pytest.approx(flows(teacher, student).mean(), rel=1e-4)
    tokens = [x.reshape(2, 16, -1) for x in (random.normal(size=(2, 16, first)), student[1])]
    order = random.permutation(16)
    assert value(loss, teacher, tuple(x[:, order] for x in tokens)) == pytest.approx(
        value(loss, teacher, tuple(tokens)), rel=1e-4
    )


def test_flow_names_what_it_reads():
    first, last = maps(0, 2, 4, 4, 3), maps(1, 2, 4, 4, 5)
    loss = kd.losses.SolutionFlow()
    with pytest.raises(ValueError, match=r"student=\('stage1', 'stage2'\). Received: teacher \(2, 4, 4, 3\)"):
        loss(first, first)
    with pytest.raises(ValueError, match="Received: teacher a tuple of 1"):
        loss((first,), (first,))
    with pytest.raises(ValueError, match="3 of the teacher, 2 of the student"):
        loss((first, last, last), (first, last))
    with pytest.raises(ValueError, match=r"teacher \(3, 5\), student \(5, 3\).*project=True"):
        loss((first, last), (last, first))
    with pytest.raises(ValueError, match="tap a layer before pooling"):
        loss((first, maps(0, 2, 5)), (first, last))

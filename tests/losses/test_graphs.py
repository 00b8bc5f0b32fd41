"""What is particular to instance relationship graphs."""

import numpy as np
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import common, rows, scales, seeds, value, vectors
from tests.oracles.relations import graph


@common
@given(seeds, scales)
def test_a_graph_is_zero_at_the_teacher_and_at_its_multiples(seed, scale):
    maps, deep, output = vectors(seed, (5, 4, 4, 3), (5, 2, 2, 6), (5, 3))
    loss = kd.losses.InstanceRelationshipGraph()
    assert value(loss, (maps, deep, output), (scale * maps, scale * deep, output)) == pytest.approx(
        0, abs=1e-5
    )


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_each_part_of_a_graph(weights):
    teacher, student = (tuple(vectors(seed, (5, 8), (5, 4), (5, 3))) for seed in (0, 1))
    loss = kd.losses.InstanceRelationshipGraph(*weights)
    np.testing.assert_allclose(
        rows(loss, teacher, student), graph(*weights)(teacher, student), rtol=1e-4, atol=1e-7
    )


def test_a_graph_of_one_feature_has_no_transformation():
    teacher, student = (tuple(vectors(seed, (5, 8), (5, 3))) for seed in (0, 1))
    with pytest.raises(ValueError, match="two consecutive features of the same rank"):
        kd.losses.InstanceRelationshipGraph()(teacher, student)
    loss = kd.losses.InstanceRelationshipGraph(transformation=0)
    np.testing.assert_allclose(rows(loss, teacher, student), graph(0.1, 5, 0)(teacher, student), rtol=1e-4)


def test_a_graph_takes_a_mask_and_vectors():
    """The mask is that of the tokens; a pooled feature and the output have none."""
    tokens, deep, pooled, output = vectors(0, (5, 4, 6), (5, 4, 3), (5, 3), (5, 2))
    student = vectors(1, (5, 4, 6), (5, 4, 3), (5, 3), (5, 2))
    mask = np.arange(4) < np.full((5, 1), 2)
    loss = kd.losses.InstanceRelationshipGraph()
    short = loss(
        (tokens[:, :2], deep[:, :2], pooled, output), (student[0][:, :2], student[1][:, :2], *student[2:])
    )
    masked = loss((tokens, deep, pooled, output), tuple(student), mask=mask)
    assert float(masked) == pytest.approx(float(short), rel=1e-5)


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        ([(5, 3)], [(5, 3)], "features and then the output"),
        ([(5, 3), (5, 2)], [(5, 3)], "features and then the output"),
        ([(5, 4, 3), (5, 2)], [(5, 3), (5, 2)], "of the same ranks"),
        ([(5, 3), (5, 3), (5, 2)], [(5, 3), (5, 3), (5, 4)], "same shape"),
        ([(5, 3), (5, 4), (5, 2)], [(5, 3), (5, 3), (5, 2)], "a multiple of the other"),
        ([(5, 6, 3), (5, 4, 3), (5, 2)], [(5, 6, 3), (5, 6, 3), (5, 2)], "must have the same length"),
    ],
)
def test_graphs_that_do_not_meet(teacher, student, message):
    teacher, student = (tuple(np.ones(shape) for shape in side) for side in (teacher, student))
    with pytest.raises(ValueError, match=message):
        kd.losses.InstanceRelationshipGraph()(teacher, student)


def test_a_graph_needs_a_tuple():
    with pytest.raises(ValueError, match=r"Received: teacher \(5, 3\), student \(5, 3\)"):
        kd.losses.InstanceRelationshipGraph()(np.ones((5, 3)), np.ones((5, 3)))


@pytest.mark.parametrize("name", ["vertices", "edges", "transformation"])
def test_weights_of_a_graph_are_not_negative(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a number of at least 0"):
        kd.losses.InstanceRelationshipGraph(**{name: -1.0})

"""Questions that a graph answers: order, articulation points, parts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_kd.graphs import articulation_points, graph_of, opened
from tests.graphs.topologies import gate, nested, residual, shared


def paths(calls):
    return [call.path for call in calls]


def test_articulation_points_are_where_no_shortcut_goes_around():
    assert paths(graph_of(residual()).articulation_points()) == ["stem", "add", "block", "pool", "head"]
    names = ["expand", "depthwise", "scaled", "project", "pool"]
    assert paths(graph_of(gate()).articulation_points()) == names


def test_an_early_output_and_a_second_input_go_around():
    graph = opened(graph_of(nested()))
    assert paths(graph.articulation_points()) == ["stem", "backbone/conv1"]
    assert paths(graph_of(shared()).articulation_points()) == ["dot"]


@st.composite
def ordered_graphs(draw):
    size = draw(st.integers(1, 7))
    return [draw(st.sets(st.integers(i + 1, size), max_size=3)) | {i + 1} for i in range(size)]


@given(ordered_graphs(), st.integers(0, 2))
def test_articulation_points_are_on_every_path(readers, start):
    """Against all paths from before the first position to after the last, listed one by one."""
    start = min(start, len(readers) - 1)
    edges = {-1: set(range(start + 1)), **dict(enumerate(readers))}

    def walks(position):
        if position >= len(readers):
            yield []
        for later in edges.get(position, ()):
            yield from ([position, *rest] for rest in walks(later))

    common = set.intersection(*map(set, walks(-1))) - {-1}
    assert list(articulation_points(readers, start)) == sorted(common)


def test_a_part_between_two_tensors():
    graph = graph_of(residual())
    (stem,), (add,) = graph.calls_at("stem"), graph.calls_at("add")
    part = graph.cut(stem.results[0], add.results[0])
    assert paths(part.calls) == ["conv", "norm", "add"]
    assert paths(graph.calls_between(add.results, [graph.outputs])) == ["block", "pool", "head"]


def test_a_part_that_reads_something_else_names_it():
    graph = graph_of(residual())
    (norm,) = graph.calls_at("norm")
    with pytest.raises(ValueError, match="also reads the input 'keras_tensor"):
        graph.cut(norm.results[0])


def test_slots_are_values_and_calls_are_objects():
    graph = graph_of(residual())
    assert len(set(graph.calls)) == len(graph.calls)
    assert all(a != b for a, b in itertools.combinations(range(len(graph.symbols)), 2))

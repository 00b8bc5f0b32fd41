"""What is known of tensors and weights while a graph is followed."""

import keras
import numpy as np
import pytest

from keras_kd.compression.shrinking.channels import Channels, Role, Step, nothing, placed, repeated
from keras_kd.compression.shrinking.ties import NONE
from keras_kd.graphs import graph_of
from tests.compression.shrinking.models import conv, image_model


@pytest.fixture
def channels():
    return Channels(graph_of(image_model(lambda x: conv(4, "after")(x))()))


@pytest.fixture
def step(channels):
    return Step(channels, channels.graph.calls[0])


def test_inputs_have_no_channels(channels):
    assert [labels.shape for labels in channels.of_slots.values()] == [(1, 1, 1, 1)]
    assert not channels.of_slots[next(iter(channels.of_slots))].any()


def test_labels_along_one_axis(channels):
    labels = channels.ties.fresh(3)
    np.testing.assert_array_equal(channels.vector(placed(labels, -1, 4), -1, 3, "why"), labels)
    assert channels.vector(nothing(4), 1, 5, "why").tolist() == [NONE] * 5


def test_labels_that_vary_along_several_axes_are_kept(channels):
    labels = channels.ties.fresh(6).reshape(2, 3)
    channels.vector(labels, 1, 3, "is read along both")
    assert channels.ties.why_kept(labels) == "is read along both"


def test_a_tensor_remains_a_box(channels):
    """Of channels along two axes, all rows lose the same."""
    given = channels.ties.fresh(6).reshape(2, 3)
    labels = channels.box(given)
    assert labels.shape == (1, 3)
    assert channels.ties.varying_axes(labels) == [1]
    np.testing.assert_array_equal(*channels.ties.classes(given))


def test_axes_without_channels_are_narrowed(channels):
    labels = np.broadcast_to(placed(channels.ties.fresh(3), 1, 3), (4, 3, 5))
    assert channels.narrowed(labels).shape == (1, 3, 1)


def test_a_weight_of_two_calls_ties_what_they_read(channels, step):
    weight = keras.Variable(np.zeros((3, 2)))
    first, second = channels.ties.fresh(3), channels.ties.fresh(3)
    step.axis(weight, 0, Role.READS, first)
    step.axis(weight, 0, Role.READS, second)
    step.axis(None, 0, Role.READS, first)
    np.testing.assert_array_equal(channels.ties.classes(first), channels.ties.classes(second))
    assert len(channels.axes) == 1


def test_channels_are_made_once(channels, step):
    """The second call of a layer gets those that the first one made; gates repeat them."""
    weight = keras.Variable(np.zeros((3, 8)))
    made = step.made(weight, -1, 2, repeats=4)
    np.testing.assert_array_equal(step.made(weight, 1, 2, repeats=4), made)
    np.testing.assert_array_equal(channels.axes[id(weight), 1].labels, np.tile(made, 4))
    assert channels.axes[id(weight), 1].role is Role.MAKES


def test_what_a_step_keeps_is_named_once(channels, step):
    labels = channels.ties.fresh(2)
    step.keep("first", [labels])
    step.keep("second", [channels.ties.fresh(2)])
    assert channels.kept == {"stem": "first"}
    assert channels.ties.why_kept(labels) == "is read by 'stem': first"


def test_nothing_is_named_where_there_is_nothing_to_keep(channels, step):
    step.keep("why", [nothing(4)])
    assert channels.kept == {}


def test_small_helpers():
    assert placed(np.array([1, 2]), 1, 3).shape == (1, 2, 1)
    assert repeated(np.array([1, 2]), (3, 2), 1).tolist() == [1, 2, 1, 2, 1, 2]
    assert repeated(np.array([1, 2]), (2, 3), 0).tolist() == [1, 1, 1, 2, 2, 2]

"""How many channels are kept: multiples, floors, thresholds, budgets."""

import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.channels import Axis, Role
from keras_kd.compression.shrinking.counting import (
    Budget,
    Limits,
    counts_by_layer,
    counts_over_all,
    fit_counts,
    rounded_up,
)
from keras_kd.compression.shrinking.groups import Group, groups_of
from keras_kd.compression.shrinking.planning import plan_shrinking
from keras_kd.compression.shrinking.sizes import Sizes
from keras_kd.graphs import open_layers
from tests.compression.shrinking.models import MODELS


def group(size, whole=False):
    axis = Axis(None, 0, Role.MAKES, "layer", np.arange(size), whole)
    return Group(np.arange(1, size + 1), (axis,))


@pytest.mark.parametrize(
    ("size", "wanted", "multiple", "floor", "expected"),
    [
        (64, 32, 8, 0.1, 32),
        (64, 30, 8, 0.1, 32),
        (64, 27, 8, 0.1, 24),
        (64, 0, 8, 0.1, 8),
        (64, 0, 8, 0.2, 16),  # 12.8, up to a multiple
        (64, 64, 8, 0.1, 64),
        (66, 66, 8, 0.1, 66),  # all of them, though no multiple
        (30, 15, 8, 0.1, 16),  # fewer than four times 8: multiples of 4
        (12, 5, 8, 0.1, 6),
        (6, 3, 8, 0.1, 3),
        (5, 0, 8, 0.0, 1),
        (64, 27, 1, 0.0, 27),
        (10, 0, 1, 0.99, 10),
    ],
)
def test_a_number_is_rounded_within_its_limits(size, wanted, multiple, floor, expected):
    assert Limits(multiple, floor).count(group(size), wanted) == expected


def test_heads_are_counted_one_by_one():
    assert Limits(8, 0.1).count(group(32, whole=True), 11) == 11


@given(
    size=st.integers(2, 300),
    fraction=st.floats(0, 1),
    multiple=st.sampled_from([1, 2, 8, 16, 6]),
    floor=st.floats(0, 0.99),
)
def test_limits_hold(size, fraction, multiple, floor):
    limits, one = Limits(multiple, floor), group(size)
    count = limits.count(one, fraction * size)
    assert 1 <= count <= size
    assert count >= floor * size
    step = multiple
    while step > 1 and size < 4 * step:
        step //= 2
    assert count % step == 0 or count == size
    if count not in (limits.count(one, 0), size):
        assert abs(count - fraction * size) <= step / 2
    assert count <= limits.count(one, min(size, fraction * size + 1))


def test_every_group_has_its_fraction():
    groups = [group(16), group(10), group(8)]
    assert counts_by_layer(groups, [0.5, 0.3, 1.0], Limits(1, 0.1)) == [8, 3, 8]


def test_channels_above_a_threshold_are_kept_and_own_fractions_as_well():
    groups = [group(4), group(4), group(4)]
    scores = [np.array([0.1, 0.5, 1.5, 1.9]), np.array([1.0, 1.0, 1.0, 1.0]), np.array([2.0, 2, 0, 0])]
    assert counts_over_all(groups, scores, [None, None, 0.75], 0.9, Limits(1, 0.0)) == [2, 4, 3]
    assert counts_over_all(groups, scores, [None] * 3, np.inf, Limits(1, 0.0)) == [1, 1, 1]


@pytest.fixture(scope="module")
def sizes():
    channels, groups = groups_of(open_layers(MODELS["u_net"]()))
    return Sizes(channels, groups)


MEASURES = ["channels", "parameters", "macs", "bytes"]


LEVELS = np.linspace(0, 1, 41)[1:].tolist()


def by_layer(sizes, multiple=1, floor=0.0):
    limits = Limits(multiple, floor)
    return lambda level: counts_by_layer(sizes.groups, [level] * len(sizes.groups), limits)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("keep", [0.2, 0.5, 0.77, 0.99])
def test_the_largest_model_within_the_budget_is_found_and_groups_take_what_still_fits(sizes, measure, keep):
    counts, budget = by_layer(sizes), Budget(measure, keep, sizes.full(measure))
    found = fit_counts(sizes, budget, LEVELS, counts)
    fitting = [level for level in LEVELS if sizes.measure(measure, counts(level)) <= budget.most]
    largest, following = (counts(LEVELS[LEVELS.index(fitting[-1]) + more]) for more in (0, 1))
    assert sizes.measure(measure, largest) <= sizes.measure(measure, found) <= budget.most
    for number, (count, most) in enumerate(zip(found, following, strict=True)):
        assert count in (largest[number], most)
        if count < most:  # it does not fit
            assert not budget.includes(sizes, [*found[:number], most, *found[number + 1 :]])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("keep", [0.2, 0.35, 0.5, 0.77])
def test_groups_that_can_still_grow_use_the_budget_up(sizes, measure, keep):
    """With eights, a level alone is up to a third smaller than it may be."""
    counts, budget = by_layer(sizes, 8), Budget(measure, keep, sizes.full(measure))
    once, onward = (fit_counts(sizes, budget, LEVELS, counts, onward=more) for more in (False, True))
    assert all(more >= less for more, less in zip(onward, once, strict=True))
    assert budget.includes(sizes, onward)
    if not budget.is_used_up(sizes, onward):
        for number, count in enumerate(onward):
            larger = next((c for level in LEVELS if (c := counts(level)[number]) > count), None)
            if larger is not None:
                assert not budget.includes(sizes, [*onward[:number], larger, *onward[number + 1 :]])


def test_one_layer_that_does_not_fit_does_not_hold_back_the_others():
    """A quarter of what may stay was unused, for one step of the largest layer."""
    shape, layer = (16, 16, 1), keras.layers.Conv2D
    made = [layer(16, 3, padding="same"), layer(48, 3), layer(48, 3), layer(64, 3), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input(shape), *made, keras.layers.Dense(10)])
    keras.utils.set_random_seed(1)
    for keep in (0.1, 0.5, 0.75):
        share = kd.cost(kd.shrink(model, keep, budget="macs")).macs / kd.cost(model).macs
        assert 0.93 * keep < share <= keep


@pytest.mark.parametrize("measure", MEASURES)
def test_a_budget_that_cannot_be_met_says_what_can(sizes, measure):
    counts = by_layer(sizes, floor=0.5)
    least = sizes.measure(measure, counts(0.01)) / sizes.full(measure)
    with pytest.raises(ValueError) as caught:
        fit_counts(sizes, Budget(measure, 0.02, sizes.full(measure)), [0.01, 1.0], counts)
    assert str(caught.value) == (
        f"The {measure} cannot be reduced to 0.02 of the original: with the layers, the floor and the "
        f"multiple given, the least is {rounded_up(least)}. Lower floor= or multiple_of=, or let more "
        "layers be shrunk."
    )


@given(number=st.floats(1e-6, 1))
def test_the_least_is_not_below_the_truth_and_hardly_above_it(number):
    assert number * (1 - 1e-9) <= float(rounded_up(number)) <= 1.011 * number


OPTIONS = [
    {},
    {"floor": 0.0},
    {"multiple_of": 1},
    {"scope": "layer"},
    {"layers": ["conv3*"]},
    {"layers": {"conv1*": 0.9}},
    {"depth": 0},
]


@pytest.fixture(scope="module")
def teacher():
    return kd.models.digits_teacher()


@pytest.mark.parametrize(
    "budget", ["macs", *(pytest.param(name, marks=pytest.mark.slow) for name in MEASURES if name != "macs")]
)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_is_said_to_be_the_least_can_be_had_and_no_less(budget, options, teacher):
    with pytest.raises(ValueError, match="the least is") as caught:
        plan_shrinking(teacher, Arguments(1e-9, budget, **options))
    least = float(re.search(r"the least is ([\d.e-]+\d)", str(caught.value))[1])
    plan_shrinking(teacher, Arguments(least, budget, **options))
    with pytest.raises(ValueError, match="the least is"):
        plan_shrinking(teacher, Arguments(0.985 * least, budget, **options))

"""When to prune and how much, against the schedules of tensorflow-model-optimization at every step."""

import re

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.pruning.schedule_arguments import make_schedule
from keras_kd.compression.pruning.schedules import (
    ConstantSchedule,
    FunctionSchedule,
    TfmotSchedule,
)

TYPICAL = {
    "sparsity": None,
    "schedule": "polynomial",
    "begin": 0,
    "end": None,
    "frequency": 100,
    "initial": 0.0,
    "power": 3,
}


def made(**options):
    return make_schedule(**{**TYPICAL, **options})


def due_steps(schedule, steps, window=1):
    """The steps at which to prune, asked once for every `window` batches."""
    ends = range(window, steps + 1, window)
    found = [schedule.due(-1 if end == window else end - window, end) for end in ends]
    return [step for step in found if step is not None]


def tfmot_steps(schedule, steps, first=1):
    return [step for step in range(first, steps + 1) if bool(schedule(step)[0])]


GRIDS = [(1, 13, 4), (1, 1, 1), (5, 20, 5), (3, 21, 1), (7, 27, 10), (2, 30, 100), (10, 10, 3)]


@pytest.mark.parametrize(("begin", "end", "frequency"), GRIDS)
@pytest.mark.parametrize("shape", ["polynomial", "constant"])
def test_pruning_is_due_at_the_steps_of_tfmot_and_at_the_end(tfmot, shape, begin, end, frequency):
    if shape == "constant":
        other = tfmot.sparsity.keras.ConstantSparsity(0.5, begin, end, frequency)
    else:
        other = tfmot.sparsity.keras.PolynomialDecay(0.1, 0.5, begin, end, frequency=frequency)
    schedule = made(sparsity=0.5, schedule=shape, begin=begin, end=end, frequency=frequency)
    # tfmot leaves `end` out if the grid misses it; then the sparsity that was asked for is not reached.
    assert due_steps(schedule, 40) == sorted({*tfmot_steps(other, 40), end})


@pytest.mark.parametrize(("begin", "frequency"), [(1, 1), (1, 7), (9, 4), (50, 2)])
def test_without_an_end_pruning_goes_on_as_in_tfmot(tfmot, begin, frequency):
    other = tfmot.sparsity.keras.ConstantSparsity(0.5, begin, frequency=frequency)
    schedule = made(sparsity=0.5, schedule="constant", begin=begin, frequency=frequency)
    assert due_steps(schedule, 40) == tfmot_steps(other, 40)


@pytest.mark.parametrize("frequency", [1, 4, 100])
def test_a_schedule_that_begins_at_zero_is_asked_at_the_first_batch(tfmot, frequency):
    # Steps are counted from 1, so that tfmot first prunes at `frequency`; it passes step 0 by in silence.
    other = tfmot.sparsity.keras.ConstantSparsity(0.5, 0, 20, frequency)
    schedule = made(sparsity=0.5, schedule="constant", end=20, frequency=frequency)
    first = 1 if frequency == 1 else 0
    assert due_steps(schedule, 40) == sorted({*tfmot_steps(other, 40, first), 20})
    assert due_steps(schedule, 40)[0] == first


POWERS = [1, 2, 3, 0.5, 3.7]
LEVELS = [(0.0, 0.8), (0.5, 0.9), (0.25, 0.25), (0.7, 0.3), (0.0, 0.0)]
SPANS = [(0, 37), (5, 6), (100, 163)]


@pytest.mark.parametrize(
    ("power", "levels", "span"),
    [
        (power, levels, SPANS[(i + j) % 3])
        for i, power in enumerate(POWERS)
        for j, levels in enumerate(LEVELS)
    ],
    ids=str,
)
def test_the_ramp_is_that_of_tfmot_at_every_step(tfmot, power, levels, span):
    (initial, final), (begin, end) = levels, span
    other = tfmot.sparsity.keras.PolynomialDecay(initial, final, begin, end, power)
    schedule = made(sparsity=final, initial=initial, begin=begin, end=end, power=power)
    steps = np.arange(max(begin - 3, 0), end + 4)
    # TensorFlow on all steps at once; which of its kernels it takes decides about the last bit of a power.
    expected = other(tf.constant(steps, "int64"))[1].numpy()
    found = [schedule.sparsity(int(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.2e-7)
    assert found[0] == pytest.approx(initial, abs=1e-7)
    assert found[-1] == pytest.approx(final, abs=1e-7)


@pytest.mark.parametrize(("initial", "final"), [(0.0, 0.8), (0.3, 0.95)])
def test_the_ramp_is_its_formula(initial, final):
    schedule = made(sparsity=final, initial=initial, begin=20, end=120, power=3)
    for step in range(20, 121):
        exact = final + (initial - final) * (1 - (step - 20) / 100) ** 3
        assert schedule.sparsity(step) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("begin", [0, 1, 10])
def test_a_ramp_of_one_step_is_at_its_end(begin):
    # The formula divides by zero there, and tfmot's sparsity is no number.
    schedule = made(sparsity=0.8, begin=begin, end=begin)
    assert [schedule.sparsity(step) for step in due_steps(schedule, 20)] == [0.8]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 99, 400])
@pytest.mark.parametrize("begin", [0, 1, 7])
def test_a_ramp_without_an_end_takes_three_quarters_of_what_is_left(begin, steps):
    planned = max(steps, begin)
    schedule = made(sparsity=0.8, begin=begin, frequency=3).with_end_for(planned)
    assert schedule.end == begin + 3 * (planned - begin) // 4
    assert schedule.sparsity(due_steps(schedule, planned)[-1]) == 0.8


def test_a_layer_has_its_own_end_of_the_ramp():
    schedule = made(sparsity=0.8, initial=0.2, begin=10, end=30)
    own = made(sparsity=0.5, initial=0.2, begin=10, end=30)
    assert [schedule.sparsity(step, 0.5) for step in range(35)] == [own.sparsity(step) for step in range(35)]


def test_a_constant_schedule_is_constant():
    schedule = made(sparsity=0.6, schedule="constant", begin=3, end=9)
    assert isinstance(schedule, ConstantSchedule)
    assert {schedule.sparsity(step) for step in range(20)} == {0.6}
    assert schedule.sparsity(5, 0.25) == 0.25


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 8, 16])
@pytest.mark.parametrize(("begin", "end", "frequency"), [(0, 13, 4), *GRIDS])
def test_of_several_batches_at_once_the_last_due_step_counts(begin, end, frequency, window):
    schedule = made(sparsity=0.8, begin=begin, end=end, frequency=frequency)
    single = due_steps(schedule, 48)
    for after in range(0, 48 - window, window):
        due = [step for step in single if after < step <= after + window]
        assert schedule.due(after, after + window) == (due[-1] if due else None)
    assert due_steps(schedule, 48, window)[-1] == single[-1]


def test_schedules_of_tfmot_are_taken_as_they_are(tfmot):
    other = tfmot.sparsity.keras.PolynomialDecay(0.2, 0.9, begin_step=4, end_step=25, power=2, frequency=6)
    schedule = made(schedule=other)
    assert isinstance(schedule, TfmotSchedule)
    assert schedule.begin == 4
    assert due_steps(schedule, 40) == tfmot_steps(other, 40) == [4, 10, 16, 22]
    assert [schedule.sparsity(step) for step in range(40)] == [float(other(step)[1]) for step in range(40)]


@pytest.mark.parametrize("window", [2, 5, 16])
def test_schedules_of_tfmot_are_asked_for_each_of_several_batches(tfmot, window):
    other = tfmot.sparsity.keras.ConstantSparsity(0.5, begin_step=3, end_step=20, frequency=4)
    schedule = made(schedule=other)
    for after in range(0, 32, window):
        due = [step for step in (3, 7, 11, 15, 19) if after < step <= after + window]
        assert schedule.due(after, after + window) == (due[-1] if due else None)


def test_schedules_derived_from_those_of_tfmot_work(tfmot):
    class Twice(tfmot.sparsity.keras.PruningSchedule):
        end_step = None

        def __call__(self, step):
            return step in (5, 17), tf.cond(step < 10, lambda: 0.3, lambda: 0.7)

        def get_config(self):
            return {}

    schedule = made(schedule=Twice())
    assert due_steps(schedule, 30) == [5, 17]
    assert [schedule.sparsity(step) for step in (5, 17)] == pytest.approx([0.3, 0.7])
    assert schedule.begin == 0


KINDS = [float, np.float32, np.float64, np.asarray, tf.constant]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_functions_of_the_step_are_schedules(kind):
    schedule = made(schedule=lambda step: kind(0.01 * step), begin=10, end=50, frequency=20)
    assert isinstance(schedule, FunctionSchedule)
    assert due_steps(schedule, 80) == [10, 30, 50]
    assert [schedule.sparsity(step) for step in (10, 30, 50)] == pytest.approx([0.1, 0.3, 0.5])


def test_a_function_schedule_may_return_anything_before_it_begins():
    schedule = made(schedule=lambda step: (step - 100) / 1000, begin=100, end=300, frequency=100)
    assert [schedule.sparsity(step) for step in due_steps(schedule, 400)] == [0, 0.1, 0.2]
    with pytest.raises(ValueError, match=re.escape("`schedule(99)` is the fraction of zeros")):
        made(schedule=lambda step: (step - 100) / 1000, begin=99)


def test_a_function_schedule_that_leaves_the_range_later_is_named_with_the_step():
    schedule = made(schedule=lambda step: 0.1 * step)
    with pytest.raises(ValueError, match=re.escape("`schedule(12)` is the fraction of zeros")):
        schedule.sparsity(12)

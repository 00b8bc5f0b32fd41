"""Constraints that callbacks put on kernels: around the user's, in an order, and gone when training ends."""

import keras
import pytest

from keras_kd.compression.kernel_constraint import KernelConstraint, attach_constraints, constraints_of


class Inner(KernelConstraint):
    what, is_inner = "inner callbacks change", True


class Outer(KernelConstraint):
    what, is_inner = "outer callbacks change", False


def built(constraint=None, **options):
    dense = keras.layers.Dense(2, name="head", kernel_constraint=constraint)
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.SGD(0.1, **options), "mse")
    model.optimizer.build(model.trainable_variables)
    return model, model.get_layer("head").kernel


def attached(kind, kernel, model):
    constraint = kind(kernel, model)
    attach_constraints([constraint], model)
    return constraint


@pytest.mark.parametrize("kinds", [(Inner, Outer), (Outer, Inner)], ids=["inner first", "outer first"])
@pytest.mark.parametrize("leaves", [(0, 1), (1, 0)], ids=str)
def test_the_inner_one_is_applied_first_and_each_can_go_alone(kinds, leaves):
    own = keras.constraints.NonNeg()
    model, kernel = built(own)
    model.history = keras.callbacks.History()
    made = [attached(kind, kernel, model) for kind in kinds]
    assert [type(constraint) for constraint in constraints_of(kernel)] == [Outer, Inner]
    assert list(constraints_of(kernel))[-1].own is own
    made[leaves[0]].detach()
    assert list(constraints_of(kernel)) == [made[leaves[1]]]
    assert made[leaves[1]].own is own
    made[leaves[1]].detach()
    assert kernel.constraint is own


def test_what_left_already_changes_nothing_by_leaving_again():
    model, kernel = built()
    first = attached(Inner, kernel, model)
    first.detach()
    second = attached(Inner, kernel, model)
    first.detach()
    assert kernel.constraint is second


def test_constraints_of_the_same_training_exclude_each_other_and_older_ones_are_removed():
    own = keras.constraints.NonNeg()
    model, kernel = built(own)
    model.history = keras.callbacks.History()
    attached(Inner, kernel, model)
    with pytest.raises(
        ValueError, match=r"Two inner callbacks change '.*kernel'. Give each its own `layers`"
    ):
        attached(Inner, kernel, model)
    assert kernel.constraint is own
    attached(Inner, kernel, model)
    attached(Outer, kernel, model)
    model.history = keras.callbacks.History()  # another `fit`: the one before was interrupted
    constraint = attached(Inner, kernel, model)
    assert constraint.own is own
    assert kernel.constraint is constraint


def test_without_a_history_only_the_same_kind_is_replaced():
    model, kernel = built()
    first = attached(Inner, kernel, model)
    outer = attached(Outer, kernel, model)
    second = attached(Inner, kernel, model)
    assert list(constraints_of(kernel)) == [outer, second]
    assert first.own is None


def test_the_average_is_that_of_the_optimizer():
    assert KernelConstraint(*reversed(built())).average() is None
    model, kernel = built(use_ema=True)
    assert "average" in KernelConstraint(kernel, model).average().path

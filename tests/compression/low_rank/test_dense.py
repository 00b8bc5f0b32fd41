"""`Dense` and `EinsumDense`: two layers, with the outputs of one."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.dense import letters_of
from keras_kd.compression.low_rank.ranks import Amount
from tests.compression.low_rank.forced import batch_for, factors_in, forced, largest_difference, model_of

EQUATIONS = {
    "abc,cd->abd": ((5, 6), (5, 4)),
    "abc,cde->abde": ((5, 6), (None, 2, 3)),
    "abc,cde->adbe": ((5, 6), (2, 5, 3)),
    "abcd,cde->abe": ((5, 2, 6), (None, 4)),
    "abc,dc->abd": ((5, 6), (None, 4)),
    "abc,cd->ad": ((5, 6), (4,)),  # sums over an axis that the kernel does not have
    "...c,cd->...d": ((5, 6), (4,)),
    "...cd,cde->...e": ((5, 2, 6), (4,)),
    "ab...,bd->ad...": ((6, 5), (4,)),
}
ENTRIES = {
    "dense": (lambda: layers.Dense(4, activation="relu", name="it"), (6,)),
    "sequence": (lambda: layers.Dense(4, use_bias=False, name="it"), (5, 6)),
    "wide": (lambda: layers.Dense(9, name="it"), (None, 6)),
    "distributed": (lambda: layers.TimeDistributed(layers.Dense(4, name="x"), name="it"), (3, 5, 6)),
} | {
    equation: (lambda e=equation, out=out: layers.EinsumDense(e, out, activation="tanh", name="it"), shape)
    for equation, (shape, out) in EQUATIONS.items()
}


@pytest.mark.parametrize(("make", "shape"), ENTRIES.values(), ids=ENTRIES)
def test_at_full_rank_the_outputs_are_the_same(make, shape):
    model = model_of(make(), shape)
    made, (factors,) = forced(model, Amount(1.0))
    assert [layer.name for layer in made.layers[1:]] == ["it_in", "it"]
    assert factors.error == 0
    assert largest_difference(model, made, batch_for(model)) < 1e-5
    assert made.count_params() == factors.parameters


@pytest.mark.parametrize("axes", ["e", "de"])
def test_the_bias_axes_stay_with_the_last_layer(axes):
    model = model_of(layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes=axes, name="it"), (5, 6))
    made, _ = forced(model, Amount(1.0))
    assert [layer.bias is None for layer in made.layers[1:]] == [True, False]
    assert largest_difference(model, made, batch_for(model)) < 1e-5


@pytest.mark.parametrize("equation", ["abc,bcd->abd", "ab,cb->a", "abc,c->abc"])
def test_a_kernel_that_is_no_matrix_is_told(equation):
    letters = letters_of(layers.EinsumDense(equation, (3,)))
    assert not letters.is_matrix


def test_the_axes_that_are_summed_over():
    def axes(equation):
        return letters_of(layers.EinsumDense(equation, (3,))).summed_axes()

    assert [axes(e) for e in ("abc,cd->abd", "abcd,dce->abe", "...cd,cde->...e", "ab...,bd->ad...")] == [
        (2,),
        (3, 2),
        (-2, -1),
        (1,),
    ]


@pytest.mark.parametrize(
    ("make", "shape", "times"),
    [
        (lambda: layers.Dense(4), (6,), 1),
        (lambda: layers.Dense(4), (5, 7, 6), 35),
        (lambda: layers.Dense(4), (None, 6), 1),
        (lambda: layers.TimeDistributed(layers.Dense(4)), (3, 5, 6), 15),
        (lambda: layers.EinsumDense("abc,cd->abd", (5, 4)), (5, 6), 5),
        (lambda: layers.EinsumDense("...c,cd->...d", (4,)), (3, 5, 6), 15),
    ],
)
def test_the_multiply_adds_are_those_of_every_position(make, shape, times):
    model = model_of(make(), shape)
    (factors,) = factors_in(model, Amount(2)).values()
    assert factors.multiply_adds == times * (6 * 2 + 2 * 4)
    assert factors.ranks == (2,)


def test_settings_of_the_layer_are_kept():
    dense = layers.Dense(
        4,
        activation="relu",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        bias_constraint="non_neg",
        kernel_initializer=keras.initializers.Constant(np.ones((6, 4))),
        dtype="mixed_float16",
        name="it",
    )
    model = model_of(dense, (6,))
    dense.kernel.trainable = False
    made, _ = forced(model, Amount(2))
    first, last = made.layers[1:]
    assert first.activation is keras.activations.linear
    assert last.activation is keras.activations.relu
    assert first.kernel_regularizer is not None
    assert last.kernel_regularizer is not None
    assert (first.bias_regularizer, first.activity_regularizer, first.bias_constraint) == (None, None, None)
    assert None not in (last.bias_regularizer, last.activity_regularizer, last.bias_constraint)
    assert {layer.dtype_policy.name for layer in (first, last)} == {"mixed_float16"}
    assert [w.trainable for w in (*first.weights, *last.weights)] == [False, False, True]


def test_frozen_layers_stay_frozen():
    model = model_of(layers.Dense(4, name="it"), (6,))
    model.get_layer("it").trainable = False
    made, _ = forced(model, Amount(2))
    assert made.trainable_variables == []
    assert made.trainable

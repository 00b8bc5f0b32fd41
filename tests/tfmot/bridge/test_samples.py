"""Random inputs: within what a model reads, padded where it has masks, moved by one rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.tfmot.bridge.graphs import ModelInput
from keras_kd.tfmot.bridge.samples import (
    EPSILON,
    find_paddings,
    integer_limit,
    pad_ends,
    perturb,
    random_inputs,
    sample_words,
)

L = keras.layers


def entry(shape, dtype="float32", sparse=False, ragged=False):
    return ModelInput("x", (None, *shape), dtype, sparse, ragged)


def embedding():
    return keras.Sequential([keras.Input((6,)), L.Embedding(50, 2, mask_zero=True)])


def test_unknown_sizes_grow_and_known_ones_are_drawn_once():
    model = keras.Sequential([keras.Input((None, 2)), L.Dense(1)])
    sizes = [x.shape for [x] in random_inputs(model, [entry((None, 2))])]
    assert sizes == [(2, size, 2) for size in (8, 32, 128, 256) for _ in range(4)]
    assert [x.shape for [x] in random_inputs(model, [entry((3, 2))])] == [(2, 3, 2)] * 4


def test_ranges_are_those_of_normal_numbers_integers_images_and_units():
    [normal], [integer], [image], [unit] = random_inputs(embedding(), [entry((40,))])
    assert float(tf.reduce_min(normal)) < 0
    np.testing.assert_array_equal(integer, np.round(integer))
    assert 1 < float(tf.reduce_max(integer)) < 50
    assert 200 < float(tf.reduce_max(image)) <= 255
    assert 0 <= float(tf.reduce_min(unit)) < float(tf.reduce_max(unit)) <= 1


@pytest.mark.parametrize(
    ("dtype", "sparse", "ragged"),
    [("int32", False, False), ("bool", False, False), ("float32", True, False), ("float32", False, True)],
)
def test_inputs_have_the_kind_that_the_model_reads(dtype, sparse, ragged):
    [value] = next(random_inputs(embedding(), [entry((6,), dtype, sparse, ragged)]))
    assert value.dtype == tf.as_dtype(dtype)
    assert isinstance(value, tf.SparseTensor) == sparse
    assert isinstance(value, tf.RaggedTensor) == ragged


def test_strings_are_words_of_the_vocabulary_and_others():
    model = keras.Sequential([keras.Input((2,), dtype="string"), L.StringLookup(vocabulary=["cat", "dog"])])
    words = sample_words(model.layers)
    assert {"cat", "dog"} < set(words)
    assert len(words) == len({*words, *model.layers[0].get_vocabulary()}) == 5
    [value] = next(random_inputs(model, [entry((30,), "string")]))
    assert {word.decode() for word in np.unique(value)} <= set(words)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_paddings_are_those_of_masking_layers_and_embeddings(library):
    def model(*layers):
        return library.Sequential([library.Input((6, 2)), *layers])

    assert find_paddings(model(library.layers.Dense(2))) == []
    assert find_paddings(model(library.layers.Masking(-1.0), library.layers.Dense(2))) == [-1.0]
    both = library.Sequential([library.Input((6,)), library.layers.Embedding(9, 2, mask_zero=True)])
    assert find_paddings(both) == [0.0]


def test_each_sequence_is_padded_by_another_number_of_steps():
    array = np.ones((3, 8, 2))
    pad_ends(array, 0.0)
    assert [int(sequence.any(-1).sum()) for sequence in array] == [2, 4, 6]
    short = np.ones((2, 1))
    pad_ends(short, 0.0)
    assert short.all()


def test_the_integer_limit_is_the_least_that_a_layer_counts_to():
    layers = [L.Dense(2), L.Embedding(50, 2), L.CategoryEncoding(7)]
    assert integer_limit(layers) == 7
    assert integer_limit(layers[:1]) == 256


@pytest.mark.parametrize("dtype", EPSILON)
def test_perturb_moves_each_number_by_its_last_bit(dtype):
    value = tf.cast(tf.ones((100,)), dtype)
    moved = np.abs(np.asarray(tf.cast(perturb(value), "float64")) - 1)
    assert moved.min() > 0
    assert moved.max() <= EPSILON[dtype]
    assert perturb(tf.constant([3]))[0] == 3

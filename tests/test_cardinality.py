"""Data that goes on forever, and data that does not say so."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.cardinality import is_endless


class Counted(keras.utils.PyDataset):
    def __len__(self):
        return 3


class Uncounted(keras.utils.PyDataset):
    num_batches = None


FINITE = tf.data.Dataset.range(3)


@pytest.mark.parametrize("make", [FINITE.repeat, Uncounted])
def test_endless(make):
    assert is_endless(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: FINITE,
        lambda: FINITE.filter(lambda x: x > 1),  # of unknown size
        Counted,
        lambda: np.ones(3),
        lambda: iter(int, 1),
        lambda: None,
    ],
)
def test_with_an_end_or_without_a_word_of_it(make):
    assert not is_endless(make())

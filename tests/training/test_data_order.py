"""Where an epoch begins, held against the order in which Keras itself reads the data."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.training.data_order import DataPosition, draw_seeds, find_position
from tests.training.readers import Reader

X = np.arange(12, dtype="float32").reshape(12, 1)


def shuffled():
    return tf.data.Dataset.from_tensor_slices((X, X)).shuffle(12, seed=3)


def batches_of(data, steps=None, epochs=3, together=1):
    model = Reader()
    model.compile(run_eagerly=True, steps_per_execution=together)
    model.fit(data, epochs=epochs, steps_per_epoch=steps, verbose=0)
    return model.read


@pytest.mark.parametrize(
    ("make", "steps"),
    [(lambda: shuffled().batch(4), None), (lambda: shuffled().repeat().batch(4), 2)],
    ids=["as often as it ends", "endless"],
)
def test_a_data_set_at_the_position_of_an_epoch_gives_what_fit_would_read(make, steps):
    read = batches_of(make(), steps)
    per_epoch = len(read) // 3
    data, epoch = make(), 2
    position = find_position(data, epoch, steps or int(data.cardinality()))
    draw_seeds(data, position.iterators)
    iterator = iter(data)
    for _ in range(position.batches):
        next(iterator)
    again = [next(iterator)[0].numpy().ravel().tolist() for _ in range(per_epoch)]
    assert again == read[epoch * per_epoch :]


def test_steps_in_one_execution_take_whole_executions_from_an_endless_data_set():
    data = tf.data.Dataset.from_tensor_slices((X, X)).repeat().batch(1)
    assert find_position(data, 2, 5, steps_per_execution=2) == DataPosition(0, 12)
    assert find_position(iter([]), 2, 5, steps_per_execution=3) == DataPosition(0, 12)  # a generator


def test_arrays_have_no_position_and_a_data_set_of_unknown_size_one_iterator_an_epoch():
    assert find_position(X, 3, 4) == DataPosition(0, 0)
    unknown = shuffled().filter(lambda a, b: a[0] > 2).batch(4)
    assert find_position(unknown, 3, None) == DataPosition(3, 0)


def test_steps_per_epoch_of_a_data_set_that_ends_are_refused():
    with pytest.raises(ValueError, match=r"has 3 batches and steps_per_epoch is 2.*data\.repeat\(\)"):
        find_position(shuffled().batch(4), 0, 2)

import keras
import numpy as np
import tensorflow as tf

from keras_kd.training.preserved_state import PreservedState, recurrent_states

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


class Noise(keras.layers.Layer):
    """Draws random numbers whenever it runs, and counts."""

    def build(self, shape):
        self.seeds = keras.random.SeedGenerator(1)
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.count.assign_add(1.0)
        return x + keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def changing():
    """A model that running it moves: a count, a seed, the states of a GRU, nested; and BatchNormalization."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(2, 3, 4))
    x = Noise(name="noise")(keras.layers.BatchNormalization(name="norm")(inputs))
    return keras.Model(
        inputs, keras.Sequential([keras.layers.SimpleRNN(5, stateful=True, unroll=True)], name="rnn")(x)
    )


def state(model):
    seeds = model.get_layer("noise").seeds.state
    return [np.asarray(variable) for variable in [*model.weights, seeds, *recurrent_states(model)]]


def same(a, b):
    return [bool(np.array_equal(x, y)) for x, y in zip(a, b, strict=True)]


def traced(model, training=False):
    """A preserved state that knows what a pass of the model moves."""
    found = PreservedState(model)

    def run(x):
        with found.preserved():
            return model(x, training=training)

    tf.function(run).get_concrete_function(tf.TensorSpec((2, 3, 4)))
    return found


def test_all_that_running_a_model_moves_is_put_back():
    model = changing()
    before = state(model)
    for training, moved in ((False, 3), (True, 5)):  # in training, a mean and a variance as well
        preserved = traced(model, training)
        for run in (model, tf.function(model)):
            with preserved.preserved():
                run(X, training=training)
                assert same(before, state(model)).count(False) == moved
            assert all(same(before, state(model)))


def test_it_is_put_back_after_an_error_too():
    model = changing()
    before, preserved = state(model), traced(model)
    try:
        with preserved.preserved(carry=True):
            model(X)
            raise ZeroDivisionError
    except ZeroDivisionError:
        assert all(same(before, state(model)))


def test_passes_that_carry_on_are_those_of_a_model_that_nobody_puts_back():
    model, plain = changing(), changing()
    preserved = traced(model)

    @tf.function
    def run(x):
        with preserved.preserved(carry=True):
            return model(x, training=False)

    for step in range(3):
        np.testing.assert_allclose(run(X + step), plain(X + step, training=False), rtol=1e-6, atol=1e-6)
    assert float(model.get_layer("noise").count) == 0
    assert float(plain.get_layer("noise").count) == 3


def test_what_others_assign_stays_and_is_where_the_next_pass_starts():
    model = changing()
    preserved, count = traced(model), model.get_layer("noise").count
    ends = []
    for assigned in (None, None, 7.0, None):
        if assigned is not None:
            count.assign(assigned)
        with preserved.preserved(carry=True):
            model(X)
            ends.append(float(count))
    assert ends == [1, 2, 8, 9]
    assert float(count) == 7
    preserved.restart()
    with preserved.preserved(carry=True):
        model(X)
        assert float(count) == 8


def test_a_model_that_nothing_moves_costs_nothing():
    inputs = keras.Input((4,))
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(keras.layers.Dense(3)(inputs)))
    model = keras.Model(inputs, x)
    preserved = PreservedState(model)

    def operations():
        def run(x):
            with preserved.preserved(carry=True):
                return model(x, training=False)

        return len(tf.function(run).get_concrete_function(tf.TensorSpec((2, 4))).graph.get_operations())

    assert operations() == operations()


def test_the_states_of_nested_stateful_layers_are_found():
    (found,) = recurrent_states(changing())
    assert tuple(found.shape) == (2, 5)
    assert recurrent_states(keras.Sequential([keras.Input((3, 4)), keras.layers.GRU(5)])) == []

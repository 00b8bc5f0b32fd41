import keras
import numpy as np

from keras_kd.training.preserved_state import preserve_state, recurrent_states

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


def changing():
    """A model that running it changes: moving statistics, the seed of dropout, the states of a GRU."""
    inputs = keras.Input(batch_shape=(2, 3, 4))
    x = keras.layers.Dropout(0.5, seed=1)(keras.layers.BatchNormalization()(inputs))
    inner = keras.Sequential([keras.layers.GRU(5, stateful=True)])  # nested
    return keras.Model(inputs, inner(x))


def state(model):
    seeds = [layer.seed_generator.state for layer in model.layers if hasattr(layer, "seed_generator")]
    return [np.asarray(variable) for variable in [*model.weights, *seeds, *recurrent_states(model)]]


def same(a, b):
    return [bool(np.array_equal(x, y)) for x, y in zip(a, b, strict=True)]


def test_all_that_running_a_model_changes_is_put_back():
    model = changing()
    before = state(model)
    with preserve_state(model):
        model(X, training=True)
        assert same(before, state(model)).count(False) == 4  # mean, variance, seed, states
    assert all(same(before, state(model)))
    model(X, training=True)
    assert not all(same(before, state(model)))


def test_the_states_of_nested_stateful_layers_are_found():
    (found,) = recurrent_states(changing())
    assert tuple(found.shape) == (2, 5)
    assert recurrent_states(keras.Sequential([keras.Input((3, 4)), keras.layers.GRU(5)])) == []


def test_no_model_is_nothing_to_preserve():
    with preserve_state(None):
        pass

"""What `kd.Prune` and `kd.Cluster` have in common: whom they work on, and how they count steps."""

import keras
import numpy as np
import pytest
import tf_keras

import keras_kd as kd

CALLBACKS = {"kd.Prune": lambda: kd.Prune(0.5, end=4), "kd.Cluster": lambda: kd.Cluster(2)}


@pytest.mark.parametrize("title", CALLBACKS)
def test_models_of_tf_keras_are_refused(title):
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=rf"{title} \w+ Keras 3 models. Received: a Sequential of .*kd.tfmot"):
        CALLBACKS[title]().set_model(model)


@pytest.mark.parametrize("title", CALLBACKS)
def test_one_that_was_given_no_model_says_what_is_missing(title):
    with pytest.raises(RuntimeError, match=rf"Call `set_model\(model\)`.* of this {title} first"):
        CALLBACKS[title]().on_train_batch_begin(0)


@pytest.mark.parametrize("title", CALLBACKS)
@pytest.mark.parametrize("execution", [1, 3])
def test_steps_are_those_of_this_fit_and_ended_epochs(title, execution):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", steps_per_execution=execution)
    callback, counted = CALLBACKS[title](), []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: counted.append(callback._epochs_steps + callback._batches)
    )
    x, y = np.random.default_rng(0).random((8, 3)), np.zeros((8, 2))
    for _ in range(2):
        model.fit(x, y, batch_size=2, epochs=2, callbacks=[callback, note], verbose=0)
    assert counted == ([*range(1, 9)] if execution == 1 else [3, 4, 7, 8]) * 2

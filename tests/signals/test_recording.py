import contextlib
import threading

import keras
import numpy as np

from keras_kd.signals.recording import record
from tests.signals.models import X, functional


def test_a_layer_is_left_as_it_was_also_after_an_error():
    model = functional()
    layer = model.get_layer("first")
    before = dict(layer.__dict__)
    with record([layer, layer]):
        assert "call" in layer.__dict__
        model(X)
    with contextlib.suppress(ZeroDivisionError), record([layer]):
        raise ZeroDivisionError
    assert "call" not in layer.__dict__
    assert set(layer.__dict__) == set(before)


def test_a_call_replaced_on_the_instance_is_put_back():
    layer = keras.layers.Dense(3)
    own = layer.call

    def doubled(x):
        return 2 * own(x)

    layer.__dict__["call"] = doubled
    with record([layer]) as recording:
        value = layer(X)
    assert layer.__dict__["call"] is doubled
    np.testing.assert_array_equal(recording.of(layer)[0].outputs, value)


def test_recordings_nest_and_threads_do_not_mix():
    layer = keras.layers.Dense(3)
    layer(X)
    seen = []

    def other():
        with record([layer]) as recording:
            layer(2 * X)
            seen.append(len(recording.calls))

    with record([layer]) as outer:
        with record([layer]) as inner:
            layer(X)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        layer(X)
    assert (len(outer.calls), len(inner.calls), seen) == (2, 1, [1])
    assert "call" not in layer.__dict__


def test_the_mask_is_the_one_that_Keras_attached_after_the_call():
    layer = keras.layers.Masking(0.0)
    embedding = keras.layers.Embedding(5, 3, mask_zero=True)  # its mask is attached after `call`
    with record([layer, embedding]) as recording:
        layer(np.array([[[1.0], [0.0]]]))
        embedding(np.array([[3, 0, 0]]))
    (masking,), (embedded,) = recording.of(layer), recording.of(embedding)
    assert masking.first_mask.numpy().tolist() == [[True, False]]
    assert embedded.first_mask.numpy().tolist() == [[True, False, False]]
    assert embedded.inputs.numpy().tolist() == [[3, 0, 0]]

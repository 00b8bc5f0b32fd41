"""Shapes are inferred anew, as Keras itself infers them, and the model stays as it was."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.compression.costs.shaped import reshaped, shaped
from keras_kd.graphs import Slot, graph_of, opened
from tests.graphs.topologies import TOPOLOGIES, inputs_for, nested


def symbols(model, batch):
    return [keras.KerasTensor((batch, *symbol.shape[1:]), symbol.dtype) for symbol in model.inputs]


@pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_every_topology_returns_the_shapes_it_computes(make):
    model = make()
    graph = reshaped(opened(graph_of(model)), symbols(model, 3))
    found = [graph.shape(slot) for slot in keras.tree.flatten(graph.outputs)]
    assert found == [tuple(output.shape) for output in keras.tree.flatten(model(inputs_for(model, 3)))]
    assert all(None not in graph.shape(slot) for call in graph.calls for slot in call.results)


def test_the_model_is_not_called_again():
    model = nested()
    before = len(model.get_layer("stem")._inbound_nodes)
    reshaped(opened(graph_of(model)), symbols(model, 3))
    assert len(model.get_layer("stem")._inbound_nodes) == before


def test_what_does_not_fit_is_named():
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, layers.Dense(2, name="head")(ops.reshape(inputs, (-1, 12))))
    with pytest.raises(ValueError, match=r"'reshape\w*' of '\w+' does not take the shape \(1, 5, 4\)"):
        reshaped(graph_of(model), [keras.KerasTensor((1, 5, 4))])


def free_image():
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(image, layers.Conv2D(2, 3, name="conv")(image))


def test_free_axes_are_set():
    graph = shaped(free_image(), (8, 6, 3), batch_size=2)
    assert graph.shape(graph.calls[0].results[0]) == (2, 6, 4, 2)
    by_name = shaped(free_image(), {"image": (8, 6, 3)})
    assert by_name.shape(by_name.calls[0].results[0]) == (1, 6, 4, 2)


WRONG = {
    "free": (
        free_image,
        None,
        ValueError,
        r"'image' has free axes.*give input_shape, such as \(224, 224, 3\)",
    ),
    "rank": (free_image, (8, 6), ValueError, r"has the shape \(None, None, 3\).*Received: \(8, 6\)"),
    "channels": (free_image, (8, 6, 4), ValueError, "can set what is None"),
    "still free": (free_image, (8, None, 3), ValueError, "has free axes"),
    "negative": (free_image, (8, -1, 3), ValueError, "can set what is None"),
    "text": (free_image, "8x6", TypeError, "must be a tuple of integers"),
    "number": (free_image, 8, TypeError, "must be a tuple of integers"),
    "too small": (free_image, (2, 6, 3), ValueError, r"'conv' of .* does not take the shape \(1, 2, 6, 3\)"),
    "name": (free_image, {"imge": (8, 6, 3)}, ValueError, "has no input 'imge'. Did you mean 'image'?"),
    "several": (TOPOLOGIES["shared"], (6,), ValueError, "a shape for each of 'left', 'right'"),
}


@pytest.mark.parametrize(("make", "shape", "kind", "message"), WRONG.values(), ids=WRONG)
def test_shapes_that_do_not_fit(make, shape, kind, message):
    with pytest.raises(kind, match=message):
        shaped(make(), shape)


def test_the_batch_of_the_data_on_which_a_model_was_built_does_not_count():
    model = keras.Sequential([layers.Dense(2)])
    model(np.zeros((32, 4)))
    assert shaped(model).shape(Slot(0)) == (1, 4)
    stateful = keras.Sequential([keras.Input((5, 3), batch_size=4), layers.GRU(2, stateful=True)])
    assert shaped(stateful).shape(Slot(0)) == (4, 5, 3)

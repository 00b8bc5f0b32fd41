"""How important channels are, against what is computed here in NumPy."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.shrinking.groups import groups_of
from keras_kd.compression.shrinking.importance import by_channel, check_importance, score
from keras_kd.graphs import open_layers
from tests.compression.shrinking.models import MODELS, headed
from tests.compression.shrinking.oracle import with_random_weights
from tests.graphs.topologies import inputs_for


def scored(model, importance, data=None, loss=None):
    """The scores of each group, by the layers that make it."""
    opened = open_layers(model)
    channels, groups = groups_of(opened)
    found = score(opened.model, channels, groups, importance, data, loss)
    return [(group.makers, scores) for group, scores in zip(groups, found, strict=True)]


def relative(*parts):
    """Each 1 on average, and their mean."""
    return np.mean([np.asarray(part, "float64") / np.mean(part, dtype="float64") for part in parts], axis=0)


def filters(model, name):
    """The kernel of a layer by its filters."""
    kernel = np.asarray(model.get_layer(name).kernel, "float64")
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)


NORMS = {
    "l1": lambda w: np.abs(w).sum(1),
    "l2": lambda w: np.sqrt((w**2).sum(1)),
}


@pytest.mark.parametrize("importance", NORMS)
def test_norms_of_what_makes_a_channel(importance):
    model, norm = with_random_weights(MODELS["bottleneck"]()), NORMS[importance]
    found = scored(model, importance)
    assert [makers for makers, _ in found] == [("stem", "wide1", "wide2"), ("narrow1",), ("narrow2",)]
    for makers, scores in found:
        expected = relative(*(norm(filters(model, name)) for name in makers))
        np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_the_scale_of_batch_norm_counts_where_there_is_one():
    model = with_random_weights(MODELS["bottleneck"]())
    stem, narrow, _ = (scores for _, scores in scored(model, "batch_norm"))
    np.testing.assert_allclose(narrow, relative(np.abs(model.get_layer("norm1").gamma)), rtol=1e-6)
    np.testing.assert_allclose(stem, dict(scored(model, "l2"))[("stem", "wide1", "wide2")])


def test_gates_and_heads_are_scored_as_a_whole():
    model = with_random_weights(MODELS["recurrent"]())
    kernel = np.asarray(model.get_layer("lstm").cell.kernel, "float64").reshape(6, 4, 8)
    expected = relative(np.sqrt((kernel**2).sum((0, 1))))
    np.testing.assert_allclose(dict(scored(model, "l2"))[("lstm",)], expected, rtol=1e-6)


def test_a_function_gets_the_weights_of_every_maker():
    seen = []

    def largest(weights):
        seen.append([w.shape for w in weights])
        return np.max([np.abs(w).max(1) for w in weights], axis=0)

    model = with_random_weights(MODELS["bottleneck"]())
    _, scores = scored(model, largest)[0]
    assert seen[0] == [(8, 27), (8, 54), (8, 54)]
    expected = np.max([np.abs(filters(model, n)).max(1) for n in ("stem", "wide1", "wide2")], axis=0)
    np.testing.assert_allclose(scores, relative(expected), rtol=1e-6)


@pytest.mark.parametrize("returned", [[1.0], np.full(8, np.nan), 3.0], ids=["few", "nan", "number"])
def test_a_function_must_return_a_number_for_each_channel(returned):
    with pytest.raises(ValueError, match="must return 8 finite numbers for the channels of 'stem'"):
        scored(MODELS["bottleneck"](), lambda weights: returned)


def test_channels_that_are_alike_are_ranked_by_their_place():
    """So that every group loses as many, and the same ones every time."""
    model = MODELS["bottleneck"]()
    for layer in ("stem", "wide1", "wide2"):
        model.get_layer(layer).kernel.assign(np.ones(model.get_layer(layer).kernel.shape))
    scores = scored(model, "l1")[0][1]
    np.testing.assert_allclose(scores, 1, atol=1e-8)
    assert (np.diff(scores) < 0).all()


def squared(y, outputs):
    return keras.ops.mean(keras.ops.square(y - outputs))


def changes(model, makers, batches, channel, eps=1e-2):
    """The square of the derivative of each batch's loss by the size of what makes a channel; their sum."""
    kernels = [model.get_layer(name).kernel for name in makers]
    before, losses = [np.array(kernel) for kernel in kernels], []
    for factor in (1 + eps, 1 - eps):
        for kernel, value in zip(kernels, before, strict=True):
            scaled = value.copy()
            scaled[..., channel] *= factor
            kernel.assign(scaled)
        losses.append([float(squared(y, model(x, training=False))) for x, y in batches])
        for kernel, value in zip(kernels, before, strict=True):
            kernel.assign(value)
    return float(np.sum((np.subtract(*losses) / (2 * eps)) ** 2))


def taylor_data(model):
    random = np.random.default_rng(3)
    return [(random.normal(size=(n, 8, 8, 3)).astype("float32"), random.normal(size=(n, 3))) for n in (4, 6)]


def test_taylor_is_what_the_loss_changes_by():
    model = with_random_weights(MODELS["bottleneck"]())
    batches = taylor_data(model)
    for makers, scores in scored(model, "taylor", batches, squared):
        expected = [changes(model, makers, batches, channel) for channel in range(len(scores))]
        np.testing.assert_allclose(scores, relative(expected), rtol=0.02, atol=0.01)


def test_taylor_leaves_frozen_weights_and_the_model_alone():
    model = with_random_weights(MODELS["bottleneck"]())
    free = scored(model, "taylor", taylor_data(model), squared)
    model.trainable = False
    before = [np.array(weight) for weight in model.get_weights()]
    frozen = scored(model, "taylor", taylor_data(model), squared)
    for (_, a), (_, b) in zip(free, frozen, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_taylor_needs_labels():
    model = MODELS["bottleneck"]()
    with pytest.raises(ValueError, match="needs labels: give data as"):
        scored(model, "taylor", inputs_for(model), squared)


def test_activation_is_the_magnitude_of_what_is_read():
    model = with_random_weights(MODELS["bottleneck"]())
    x = np.random.default_rng(0).normal(size=(300, 8, 8, 3)).astype("float32")  # two batches, one smaller
    ends = [model.get_layer(name).output for name in ("stem", "sum1", "pool", "relu1")]
    stem, total, pooled, narrow = keras.Model(model.inputs, ends).predict(x, verbose=0)
    found = dict(scored(model, "activation", x))
    means = [np.abs(t).mean(axis=tuple(range(t.ndim - 1)), dtype="float64") for t in (stem, total, pooled)]
    np.testing.assert_allclose(found[("stem", "wide1", "wide2")], relative(np.sum(means, 0)), rtol=1e-4)
    expected = relative(np.abs(narrow).mean((0, 1, 2), dtype="float64"))
    np.testing.assert_allclose(found[("narrow1",)], expected, rtol=1e-4)


def test_activation_of_what_attention_reads_besides_the_query():
    model = with_random_weights(MODELS["cross_attention"]())
    x = inputs_for(model)
    value = np.abs(np.asarray(model.get_layer("v")(x[1]))).mean((0, 1), dtype="float64")
    np.testing.assert_allclose(
        dict(scored(model, "activation", [x[0], x[1]]))[("v",)], relative(value), rtol=1e-4
    )


def test_activation_of_heads_is_that_of_their_weights():
    """No tensor between layers has channels of heads and sizes of keys."""
    inputs = keras.Input((5, 4))
    attention = layers.MultiHeadAttention(4, 3, name="attention")(inputs, inputs)
    model = with_random_weights(headed(inputs, layers.GlobalAveragePooling1D(name="pool")(attention)))
    x = inputs_for(model)
    for measured, weighed in list(zip(scored(model, "activation", x), scored(model, "l2"), strict=True))[:3]:
        np.testing.assert_array_equal(measured[1], weighed[1])
        assert measured[1].std() > 0.01


def test_weights_are_brought_to_the_order_of_the_channels():
    model = with_random_weights(MODELS["squeeze_excite"]())
    channels, groups = groups_of(open_layers(model))
    readers = [axis for axis in groups[0].axes if axis.path == "head"]
    found = by_channel(channels, groups[0], readers[0])
    np.testing.assert_array_equal(found, np.asarray(model.get_layer("head").kernel, "float64"))


ERRORS = {
    "unknown": (("l3", None, None), "There is no importance 'l3'. Did you mean 'l2'?"),
    "far": (("hessian", None, None), "Expected one of 'l1', 'l2', 'batch_norm', 'taylor', 'activation'."),
    "no_data": (("activation", None, None), "'activation' is measured on data: give data="),
    "no_loss": (("taylor", [], None), "compile the model, or give loss="),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_measured_is_refused(name):
    (importance, data, loss), message = ERRORS[name]
    with pytest.raises(ValueError) as caught:
        check_importance(importance, data, loss, MODELS["bottleneck"]())
    assert message in str(caught.value)


def test_a_loss_is_a_function():
    with pytest.raises(TypeError, match=r"loss= is a function of labels and outputs.* Received: 'mse'"):
        check_importance("taylor", [], "mse", MODELS["bottleneck"]())


def test_scores_may_be_negative():
    model = with_random_weights(MODELS["bottleneck"]())
    for _, scores in scored(model, lambda kernels: np.arange(len(kernels[0])) - 100.0):
        assert (np.diff(scores) > 0).all()


@pytest.mark.parametrize("importance", ["activation", "taylor"])
def test_data_on_which_nothing_can_be_measured(importance):
    model = MODELS["one_dimension"]()
    x = np.full_like(inputs_for(model), np.nan)
    with pytest.raises(ValueError, match="on this data, or its gradient, is NaN or infinite"):
        scored(model, importance, (x, np.zeros((3, 3))), keras.losses.MeanSquaredError())

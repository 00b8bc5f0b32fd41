"""What is removed: by importance, within limits, of the layers that were chosen."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd as kd
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.planning import plan_shrinking
from tests.compression.shrinking.models import MODELS
from tests.compression.shrinking.oracle import with_random_weights
from tests.graphs.composites import inverted
from tests.graphs.topologies import TOPOLOGIES, inputs_for


def planned(model, **arguments):
    """The fraction that each group keeps, by the first layer that makes it."""
    model = MODELS[model]() if isinstance(model, str) else model
    plan = plan_shrinking(model, Arguments(**{"multiple_of": 1, "floor": 0.0, **arguments}))
    return {g.layer: n / len(g.classes) for g, n in zip(plan.groups, plan.counts, strict=True)}


def test_the_least_important_are_removed():
    model = MODELS["bottleneck"]()
    kernel = model.get_layer("narrow1").kernel
    kernel.assign(np.array(kernel) * np.array([3, 1, 9, 2, 8, 7.0]))

    def sizes(weights):
        return np.mean([np.abs(w).mean(1) for w in weights], axis=0)

    plan = plan_shrinking(
        model, Arguments(0.5, importance=sizes, scope="layer", layers="narrow1", multiple_of=1)
    )
    (group,) = plan.groups
    least = np.argsort(np.abs(np.asarray(kernel)).mean((0, 1, 2)))[:3]
    assert sorted(plan.removed) == sorted(group.classes[least])


def test_in_one_layer_each_group_keeps_the_fraction():
    assert planned("u_net", keep=0.5, scope="layer") == {
        **{"stem": 0.5, "deep": 0.5, "down": 0.5, "up": 0.5},
        "joined": 2 / 5,  # 3 of 5 would make more than half of all
    }


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("keep", [0.3, 0.5, 0.71])
def test_no_more_channels_are_kept_than_asked_for(scope, keep):
    """And hardly fewer; where all numbers are multiples, each layer keeps exactly the fraction."""
    plan = plan_shrinking(
        MODELS["u_net"](), Arguments(keep, scope=scope, multiple_of=1, floor=0.0, importance="l1")
    )
    assert keep - 3 / 35 < sum(plan.counts) / 35 <= keep


@pytest.mark.parametrize("keep", [0.3, 0.29])
def test_a_fraction_that_can_be_kept_is_kept_exactly(keep):
    x = inputs = keras.Input((4,))
    for name in "ab":
        x = layers.Dense(100, name=name)(x)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    assert planned(model, keep=keep, scope="layer") == {"a": keep, "b": keep}


def test_over_all_layers_channels_compete():
    model = MODELS["u_net"]()
    kernel = model.get_layer("down").kernel
    value = np.array(kernel)
    value[..., 3:] *= 1e-3  # only three of them are large
    kernel.assign(value)
    found = planned(model, keep=0.6)
    assert found["down"] < 0.5 < found["stem"]
    counts = {"stem": 8, "deep": 4, "down": 12, "up": 6, "joined": 5}
    kept = sum(found[name] * size for name, size in counts.items())
    assert kept == pytest.approx(0.6 * 35, abs=1)
    assert kept <= 0.6 * 35


CHOICES = {
    "one": ({"layers": "down"}, {"down"}),
    "glob": ({"layers": ["d*"]}, {"down", "deep"}),
    "skip": ({"skip": ["stem", "joined"]}, {"deep", "down", "up"}),
    "both": ({"layers": ["d*", "up"], "skip": "deep"}, {"down", "up"}),
    "mapping": ({"layers": {"up": 0.5}, "skip": "d*"}, {"stem", "up", "joined"}),
}


@pytest.mark.parametrize("name", CHOICES)
def test_layers_are_chosen(name):
    given, expected = CHOICES[name]
    assert set(planned("u_net", **given)) == expected


def test_a_mapping_gives_fractions_and_the_rest_is_shrunk_as_well():
    found = planned("u_net", keep=0.5, layers={"d*": 0.25, "down": 1.0}, scope="layer")
    assert found == {"stem": 0.5, "deep": 0.25, "down": 1.0, "up": 0.5, "joined": 2 / 5}
    found = planned("u_net", keep=0.5, layers={"down": 0.25})
    assert found.pop("down") == 0.25
    sizes = {"stem": 8, "deep": 4, "up": 6, "joined": 5}
    assert sum(found[name] * size for name, size in sizes.items()) == pytest.approx(11)  # of 23
    found = planned("u_net", keep=1, layers={"down": 0.25}, scope="layer")
    assert found == {"stem": 1.0, "deep": 1.0, "down": 0.25, "up": 1.0, "joined": 1.0}


def test_a_tied_group_is_chosen_by_any_of_its_layers():
    assert set(planned("bottleneck", layers="wide2")) == {"stem"}
    assert set(planned("bottleneck", skip="wide2")) == {"narrow1", "narrow2"}


def test_of_entries_for_tied_layers_the_last_one_counts():
    for fractions, expected in (
        ({"wide1": 0.25, "wide*": 0.75}, 0.75),
        ({"wide*": 0.75, "wide1": 0.25}, 0.25),
        ({"wide2": 0.5, "wide1": 0.5}, 0.5),
    ):
        assert planned("bottleneck", keep=1, layers=fractions, scope="layer")["stem"] == expected


def test_layers_inside_of_users_layers_are_chosen_by_path():
    assert set(planned(inverted(), layers=["first"])) == {
        "first/steps_0",
        "first/excite",
        "first/project",
    } - {"first/excite"}


def subclassed():
    class Mine(keras.Model):
        def call(self, x):
            return x

    model = Mine()
    model.build((None, 3))
    return model


def u_net():
    return MODELS["u_net"]()


def no_layers() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, inputs)


ERRORS = {
    "unknown": (u_net, {"layers": "steem"}, "has no layer 'steem'. Did you mean 'stem'"),
    "unknown_skip": (u_net, {"skip": "dwon"}, "Did you mean 'down'"),
    "mapping": (u_net, {"layers": {"joinde": 0.5}}, "Did you mean 'joined'"),
    "tied": (
        MODELS["bottleneck"],
        {"layers": {"wide1": 0.5, "wide2": 0.25}},
        "gives them different fractions: {'wide1': 0.5, 'wide2': 0.25}. Give one of them",
    ),
    "no_channels": (u_net, {"layers": "skip"}, "'skip' has no channels that can be removed. Leave it out."),
    "head": (u_net, {"layers": "head"}, "'head' has no channels that can be removed. Leave it out."),
    "of_users": (inverted, {"layers": "head"}, "'head' has no channels that can be removed. Leave it out."),
    "nothing_left": (u_net, {"layers": "up", "skip": "up"}, "layers= and skip= leave nothing of"),
    "nothing": (
        TOPOLOGIES["named_inputs_and_outputs"],
        {},
        "has no channels that can be removed: 'hidden': is an output of the model, 'score': is an output",
    ),
    "no_layers": (no_layers, {}, "has no channels that can be removed: no layer makes any."),
    "unbuilt": (lambda: keras.Sequential([layers.Dense(2)]), {}, "built"),
    "subclassed": (subclassed, {}, "subclass"),
    "least": (u_net, {"keep": 0.01, "floor": 0.5}, "the least is 0.5"),
    "least_in_each": (u_net, {"keep": 0.01, "floor": 0.5, "scope": "layer"}, "the least is 0.5"),
    "least_parameters": (
        u_net,
        {"keep": 0.01, "budget": "parameters"},
        "The parameters cannot be reduced to 0.01",
    ),
    "importance": (u_net, {"importance": "taylr"}, "Did you mean 'taylor'"),
    "no_data": (u_net, {"importance": "activation"}, "give data="),
    "no_loss": (u_net, {"importance": "taylor", "data": [1]}, "give loss="),
    "data": (
        u_net,
        {"importance": "activation", "data": np.zeros((4, 8, 8, 5), "float32")},
        "The data does not fit",
    ),
    "empty": (u_net, {"importance": "activation", "data": np.zeros((0, 8, 8, 3), "float32")}, "is empty"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_shrunk_is_refused(name):
    make, given, message = ERRORS[name]
    with pytest.raises(ValueError) as caught:
        planned(make(), **given)
    assert message in str(caught.value)


@pytest.mark.parametrize("given", [{"layers": 3}, {"skip": [1]}])
def test_layers_are_given_by_name(given):
    with pytest.raises(TypeError, match="by name, path or glob"):
        planned("u_net", **given)


def test_what_is_no_model_of_keras_is_refused():
    with pytest.raises(TypeError, match="model"):
        planned([1, 2])


@pytest.mark.parametrize(
    "arguments",
    [{"importance": "activation"}, {"importance": "taylor", "loss": keras.losses.MeanSquaredError()}, {}],
    ids=["activation", "taylor", "l2"],
)
def test_stale_statistics_are_warned_of_and_a_generator_is_read_all_the_same(arguments):
    """Whatever the data is for: it is the moment to say so."""
    model = with_random_weights(MODELS["bottleneck"]())
    x = np.random.default_rng(0).normal(size=(12, 8, 8, 3)).astype("float32")
    batches = [(x[i : i + 4], np.zeros((4, 3), "float32")) for i in (0, 4, 8)]
    with pytest.warns(UserWarning, match="BatchNorm statistics of 'norm2'") as caught:
        found = kd.shrink(model, data=iter(batches), **arguments)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="BatchNorm statistics"):
        expected = kd.shrink(
            model,
            data=tf.data.Dataset.from_generator(
                lambda: batches, output_signature=(tf.TensorSpec((4, 8, 8, 3)), tf.TensorSpec((4, 3)))
            ),
            **arguments,
        )
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    fresh = kd.recalibrate(model, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kd.shrink(fresh, data=batches[0][0] if not arguments else iter(batches), **arguments)


def test_a_drop_by_importance_warns_and_leaves_data_for_the_rest():
    model = with_random_weights(MODELS["bottleneck"]())
    x = np.random.default_rng(0).normal(size=(12, 8, 8, 3)).astype("float32")
    with pytest.warns(UserWarning, match="BatchNorm statistics"):
        small = kd.shrink(model, depth=1, importance="activation", data=iter([x[:6], x[6:]]), multiple_of=1)
    assert small.count_params() < model.count_params()


@pytest.mark.filterwarnings("ignore:The BatchNorm statistics")  # all weights are random
def test_the_loss_of_a_compiled_model_is_taken():
    model = with_random_weights(MODELS["bottleneck"]())
    data = inputs_for(model), np.zeros((3, 3), "float32")
    model.compile(loss="mse")
    compiled = plan_shrinking(model, Arguments(importance="taylor", data=data))
    mse = keras.losses.MeanSquaredError()
    given = plan_shrinking(MODELS["bottleneck"](), Arguments(importance="taylor", data=data, loss=mse))
    assert compiled.counts is not None
    other = plan_shrinking(model, Arguments(importance="taylor", data=data, loss=mse))
    for a, b in zip(compiled.scores, other.scores, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert any(not np.allclose(a, b) for a, b in zip(compiled.scores, given.scores, strict=True))


def of_free_size():
    x = inputs = keras.Input((None, None, 3), name="image")
    for i in (1, 2):
        x = layers.Conv2D(16, 3, padding="same", name=f"conv{i}")(x)
    x = layers.Dense(256, name="hidden")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def test_multiply_adds_of_free_sizes_are_those_of_a_given_shape():
    model, shape = of_free_size(), (64, 48, 3)
    small = kd.shrink(model, 0.6, budget="macs", input_shape=shape)
    before, after = (kd.cost(each, input_shape=shape).macs for each in (model, small))
    assert 0.5 * before < after <= 0.6 * before
    with pytest.raises(ValueError, match=r"The macs cannot be reduced to 0.6"):
        kd.shrink(model, 0.6, budget="macs", input_shape={"image": shape}, layers="hidden")


def test_multiply_adds_of_free_sizes_alone_are_not_known():
    with pytest.raises(ValueError, match=r"The input 'image' has free axes.*give input_shape, such as \(224"):
        kd.shrink(of_free_size(), 0.6, budget="macs")
    with pytest.raises(ValueError, match="input_shape can set what is None"):
        kd.shrink(of_free_size(), 0.6, budget="macs", input_shape=(64, 48, 1))
    assert plan_shrinking(of_free_size(), Arguments(0.6)).graph is None


def test_a_shape_that_does_not_fit_is_refused_wherever_it_is_given():
    for budget in ("macs", "channels"):
        with pytest.raises(ValueError, match="Received: \\(3,\\)"):
            kd.shrink(u_net(), budget=budget, input_shape=(3,))

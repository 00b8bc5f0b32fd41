"""tfmot's functions, and what they say of models that they cannot take."""

import keras
import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from tests.tfmot.students import (
    HOLDS,
    WRAPPED,
    X,
    grouped,
    halved,
    network,
    pruned,
    stripped,
    student,
    with_kernels,
)

L = tf_keras.layers
FUNCTIONS = {
    "prune_low_magnitude": lambda model, **options: kd.tfmot.prune_low_magnitude(model, **options),
    "cluster_weights": lambda model, **options: kd.tfmot.cluster_weights(model, 4, "LINEAR", **options),
    "quantize_model": lambda model, **options: kd.tfmot.quantize_model(model, **options),
    "strip_pruning": kd.tfmot.strip_pruning,
    "strip_clustering": kd.tfmot.strip_clustering,
}
WRAPS = ["prune_low_magnitude", "cluster_weights", "quantize_model"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pruned", "clustered", "CQAT"])
def test_what_is_stripped_has_its_own_names_and_says_the_same(kind):
    wrapped = WRAPPED[kind]()
    bare = stripped(kind, wrapped)
    own = ["hidden", "head"] if kind != "CQAT" else ["quant_hidden", "quant_head"]
    assert [layer.name for layer in bare.layers[-2:]] == own
    assert np.allclose(bare(X), wrapped(X), atol=1e-6)


@pytest.mark.parametrize("name", WRAPS)
def test_the_model_given_stays_as_it_is(name):
    model = student()
    said, layers = model(X), list(model.layers)
    weights = [id(weight) for weight in model.weights]
    wrapped = FUNCTIONS[name](model)
    wrapped.set_weights([weight + 1 for weight in wrapped.get_weights()])
    wrapped(X)
    assert np.array_equal(model(X), said)
    assert model.layers == layers
    assert [id(weight) for weight in model.weights] == weights


@pytest.mark.parametrize("name", WRAPS)
def test_layers_are_chosen_by_name(name):
    names = [layer.name for layer in FUNCTIONS[name](student(), layers=["hidden"]).layers]
    assert "head" in names
    assert "hidden" not in names


def test_layers_of_nested_models_are_chosen_by_path():
    inputs = tf_keras.Input((6,))
    outer = tf_keras.Model(inputs, L.Dense(3, name="top")(network(tf_keras, 8, "backbone")(inputs)))
    backbone = kd.tfmot.prune_low_magnitude(outer, layers="backbone/head").get_layer("backbone")
    assert [layer.name for layer in backbone.layers[1:]] == ["hidden", "prune_low_magnitude_head"]


def test_blocks_and_patterns_reach_tfmot():
    made = kd.tfmot.prune_low_magnitude(student(), None, (1, 2), "MAX", layers=["hidden"])
    wrapper = made.get_layer("prune_low_magnitude_hidden")
    assert (wrapper.block_size, wrapper.block_pooling_type) == ((1, 2), "MAX")
    made = kd.tfmot.prune_low_magnitude(student(), sparsity_m_by_n=(2, 4), layers=["head"])
    assert made.layers[2].sparsity_m_by_n == (2, 4)
    assert made.layers[2].pruning_schedule.get_config()["config"]["target_sparsity"] == 0.5


def test_groups_leave_kernels_with_few_inputs_as_they_are():
    layers = [L.Input((6, 6, 1)), L.Conv2D(4, 3, name="one"), L.Conv2D(3, 3, name="four")]
    model = kd.tfmot.prune_low_magnitude(tf_keras.Sequential(layers), sparsity_m_by_n=(2, 4))
    for layer in model.layers:
        layer.pruning_step.assign(1)
        layer.pruning_obj.conditional_mask_update()
        layer.pruning_obj.weight_mask_op()
    kernels = [w for w in kd.tfmot.strip_pruning(model).get_weights() if w.ndim == 4]
    assert [np.mean(kernel == 0) for kernel in kernels] == [0, 0.5]


def test_the_layers_that_are_checked_stay_as_they_are():
    model = tf_keras.Sequential([L.Input((4, 4)), L.LSTM(8, name="lstm"), L.Dense(4, name="head")])
    wrapped = kd.tfmot.prune_low_magnitude(model, block_size=(1, 2))
    assert [len(layer.prunable_weights) for layer in wrapped.layers] == [2, 1]
    assert not any(hasattr(layer, "get_prunable_weights") for layer in model.layers)


def test_recurrent_cells_are_known_to_tfmot_whatever_tf_keras_is():
    model = tf_keras.Sequential([L.Input((4, 3)), L.LSTM(2, name="lstm"), L.Dense(2, name="head")])
    assert len(kd.tfmot.prune_low_magnitude(model).layers[0].prunable_weights) == 2


def test_what_is_beside_the_clusters_trains():
    layers = [L.Input((6,)), L.Dense(4, name="hidden"), L.BatchNormalization(name="norm"), L.Dense(3)]
    model = kd.tfmot.cluster_weights(tf_keras.Sequential(layers), 4, "LINEAR")
    model(X, training=True)
    assert np.abs(model.get_layer("norm").moving_mean).max() > 0


def test_clustering_keeps_zeros_where_it_is_told_to():
    clustered = kd.tfmot.cluster_weights(with_kernels(halved), 4, "LINEAR", preserve_sparsity=True)
    kernels = [w for w in kd.tfmot.strip_clustering(clustered).get_weights() if w.ndim == 2]
    assert all(np.mean(kernel == 0) >= 0.5 and HOLDS["clustered"](kernel) for kernel in kernels)


def with_layer(layer, units=3):
    inputs = tf_keras.Input((6,))
    x = L.Dense(units, name="hidden")(inputs)
    return tf_keras.Model(inputs, L.Dense(3, name="head")(layer(x)), name="student")


def late_norm(x):
    return L.BatchNormalization(name="norm")(L.Flatten(name="flat")(x))


class Own(L.Layer):
    def build(self, shape):
        self.scale = self.add_weight("scale", shape=(shape[-1],))

    def call(self, inputs):
        return inputs * self.scale


class Uncopied(L.Layer):
    def __init__(self, thing):
        super().__init__(name="uncopied")

    def get_prunable_weights(self):
        return []


def odd():
    """A model with two layers that tfmot's functions do not know."""
    inputs = tf_keras.Input((6,))
    x = L.Dense(4, name="hidden")(Own(name="first")(inputs))
    return tf_keras.Model(inputs, Own(name="second")(x), name="student")


def nested():
    inputs = tf_keras.Input((6,))
    return tf_keras.Model(inputs, network(tf_keras, 8, "backbone")(inputs), name="student")


def convolutional():
    layers = [
        L.Input((8, 8, 1)),
        L.Conv2D(4, 3, name="conv"),
        L.Flatten(name="flat"),
        L.Dense(3, name="head"),
    ]
    return tf_keras.Sequential(layers, name="student")


def one_axis_of_blocks():
    """`hidden` has a kernel (6, 8), `narrow` (8, 2), `head` (2, 3)."""
    return with_layer(L.Dense(2, name="narrow"), units=8)


def with_conv1d():
    layers = [L.Input((8, 4)), L.Conv1D(4, 3, name="conv"), L.Dense(3, name="head")]
    return tf_keras.Sequential(layers, name="student")


PATTERNS = {
    **{
        f"{groups!r} weights": ({"sparsity_m_by_n": groups}, "0 < m < n.*Received")
        for groups in [(5, 4), (4, 4), (0, 4), (2,), "2:4", (2.0, 4)]
    },
    **{
        f"blocks of {block!r}": ({"block_size": block}, "`block_size` must be a height and a width")
        for block in [(0, 1), (1, -4), 4, (1, 2, 3)]
    },
    "blocks and groups": ({"sparsity_m_by_n": (2, 4), "block_size": (1, 4)}, "either in blocks or m by n"),
    "an unknown pooling": ({"block_pooling_type": "avg"}, "Did you mean 'AVG'"),
}


class Subclassed(tf_keras.Model):
    pass


REFUSED = {
    **{
        f"{name}: a model of Keras 3": (
            lambda name=name: FUNCTIONS[name](network(keras, 4, "student")),
            TypeError,
            r"kd\.tfmot\.to_tf_keras\(model\)",
        )
        for name in FUNCTIONS
    },
    **{
        f"{name}: layers that tfmot does not know": (
            lambda name=name: FUNCTIONS[name](odd()),
            ValueError,
            r"cannot take 2 of these layers: 'first' \(Own\), 'second' \(Own\).*layers=\['hidden'\]",
        )
        for name in WRAPS
    },
    **{
        f"{name}: wrapped before": (
            lambda name=name: FUNCTIONS[name](pruned()),
            ValueError,
            r"2 layers are wrapped by tfmot already, first 'prune_low_magnitude_hidden'.*strip_pruning",
        )
        for name in WRAPS
    },
    "a subclassed model": (lambda: kd.tfmot.prune_low_magnitude(Subclassed()), ValueError, "is not built"),
    "an unknown layer": (
        lambda: kd.tfmot.prune_low_magnitude(student(), layers=["hiden"]),
        ValueError,
        "no layer 'hiden'. Did you mean 'hidden'",
    ),
    "no layer": (lambda: kd.tfmot.prune_low_magnitude(student(), layers=[]), ValueError, "is empty"),
    "no schedule": (lambda: kd.tfmot.prune_low_magnitude(student(), 0.5), TypeError, "PolynomialDecay"),
    "blocks of a convolution": (
        lambda: kd.tfmot.prune_low_magnitude(convolutional(), block_size=(1, 2)),
        ValueError,
        r"'conv' \(blocks need matrices, and it has \(3, 3, 1, 4\)\).*layers=\['flat', 'head'\]",
    ),
    "blocks of which tfmot drops an axis": (
        lambda: kd.tfmot.prune_low_magnitude(one_axis_of_blocks(), block_size=(2, 2)),
        ValueError,
        r"take 2 of these layers: 'narrow' \(needs two blocks.* \(8, 2\)\), 'head' .*layers=\['hidden'\]",
    ),
    "groups that do not divide the inputs": (
        lambda: kd.tfmot.prune_low_magnitude(student(), sparsity_m_by_n=(2, 5)),
        ValueError,
        r"'hidden' \(its 6 inputs are no multiple of 5\), 'head' \(its 8 .* of 5\)\. No other is left",
    ),
    "groups in a kernel of three axes": (
        lambda: kd.tfmot.prune_low_magnitude(with_conv1d(), sparsity_m_by_n=(2, 4)),
        ValueError,
        r"'conv' \(m by n needs kernels of 2 or 4 axes.* \(3, 4, 4\)\).*layers=\['head'\]",
    ),
    **{
        name: (
            lambda options=options: kd.tfmot.prune_low_magnitude(student(), **options),
            ValueError,
            message,
        )
        for name, (options, message) in PATTERNS.items()
    },
    "more clusters than weights": (
        lambda: kd.tfmot.cluster_weights(student(), 24),
        ValueError,
        r"'head' \(its kernel has 24 weights\)",
    ),
    "an unknown start of the clusters": (
        lambda: kd.tfmot.cluster_weights(student(), 4, "linear"),
        ValueError,
        "Did you mean 'LINEAR'",
    ),
    "one cluster": (lambda: kd.tfmot.cluster_weights(student(), 1, "LINEAR"), ValueError, "greater than 1"),
    "quantizing a nested model": (
        lambda: kd.tfmot.quantize_model(nested()),
        ValueError,
        r"a model that holds models: \['backbone'\]",
    ),
    "quantizing a BatchNormalization without a convolution": (
        lambda: kd.tfmot.quantize_model(with_layer(late_norm)),
        ValueError,
        r"take 1 of these layers: 'norm' \(BatchNormalization\).*layers=\['hidden', 'flat', 'head'\]",
    ),
    "quantizing a Lambda": (
        lambda: kd.tfmot.quantize_model(with_layer(L.Lambda(lambda x: abs(x), name="abs"))),
        ValueError,
        r"'abs' \(Lambda\)",
    ),
    "quantizing an activation": (
        lambda: kd.tfmot.quantize_model(with_layer(L.Activation("elu", name="act"))),
        ValueError,
        "cannot quantize 'student'.*elu",
    ),
    "no zeros to preserve": (
        lambda: kd.tfmot.quantize_model(student(), "sparsity"),
        ValueError,
        "no kernel holds a zero",
    ),
    "no clusters to preserve": (
        lambda: kd.tfmot.quantize_model(student(), ("clusters",)),
        ValueError,
        "no kernel holds few values",
    ),
    "an unknown thing to preserve": (
        lambda: kd.tfmot.quantize_model(with_kernels(grouped), "cluster"),
        ValueError,
        "Did you mean 'clusters'",
    ),
    "a layer that cannot be copied": (
        lambda: kd.tfmot.prune_low_magnitude(with_layer(Uncopied(object()))),
        ValueError,
        "cannot be copied.*get_config",
    ),
    "nothing to strip of pruning": (lambda: kd.tfmot.strip_pruning(student()), ValueError, "nothing is to"),
    "nothing to strip of clusters": (lambda: kd.tfmot.strip_clustering(student()), ValueError, "nothing is"),
    "a Distiller to strip": (
        lambda: kd.tfmot.strip_pruning(kd.tfmot.Distiller(pruned(), network(keras, 4, "teacher"))),
        TypeError,
        r"distiller\.student",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_with_what_to_do(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()


@pytest.fixture(scope="module")
def half():
    """A model of mixed precision with a head in float32, made while the global policy is another."""
    layers = [L.Input((4,)), L.Dense(8, dtype="mixed_float16", name="hidden"), L.Dense(2, name="head")]
    model = tf_keras.Sequential(layers)
    model._set_dtype_policy("mixed_float16")
    return model


@pytest.mark.filterwarnings("ignore:The dtype policy")
def test_a_pruned_model_computes_in_the_precision_that_it_had(half):
    wrapped = kd.tfmot.prune_low_magnitude(half)
    policies = ["mixed_float16", "float32"]
    assert [layer.dtype_policy.name for layer in wrapped.layers] == policies
    assert wrapped.dtype_policy.name == "mixed_float16"
    bare = kd.tfmot.strip_pruning(wrapped)
    assert [layer.dtype_policy.name for layer in bare.layers] == policies
    assert bare.dtype_policy.name == "mixed_float16"
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_clusters_are_of_float32_only(half):
    with pytest.raises(ValueError, match=r"'hidden' .*computes in float16, and tfmot clusters float32"):
        kd.tfmot.cluster_weights(half, 2)


def test_the_zeros_of_a_stripped_model_have_no_sign():
    wrapped = pruned()
    for layer in wrapped.layers:
        for weight, mask, _ in getattr(layer, "pruning_vars", ()):
            mask.assign((weight.numpy() > 0).astype("float32"))
    kernels = [np.asarray(weight) for weight in kd.tfmot.strip_pruning(wrapped).weights]
    zeros = np.concatenate([kernel[kernel == 0] for kernel in kernels if kernel.ndim > 1])
    assert len(zeros) > 0
    assert not np.signbit(zeros).any()

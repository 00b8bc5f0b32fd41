"""What holds for every projection, and what is particular to the simple ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd import projections as p
from keras_kd.losses.pooling import pool_larger_axes as pool_to

MAPS = ((None, 4, 4, 8), (None, 4, 4, 12))
STAGES = ((None, 8, 8, 4), (None, 4, 4, 6), (None, 6)), ((None, 8, 8, 5), (None, 4, 4, 7), (None, 9))

# name -> how to make it, the student's shape (or shapes), the teacher's, the shape (or shapes) of the result
ROWS = {
    "linear, vectors": (p.Linear, (None, 8), (None, 12), (None, 12)),
    "linear, tokens": (p.Linear, (None, 5, 8), (None, 5, 12), (None, 5, 12)),
    "linear, maps": (p.Linear, *MAPS, (None, 4, 4, 12)),
    "linear, volumes": (p.Linear, (None, 2, 4, 4, 8), (None, 2, 4, 4, 12), (None, 2, 4, 4, 12)),
    "linear, tuple": (
        p.Linear,
        ((None, 4, 4, 8), (None, 6)),
        ((None, 4, 4, 12), (None, 7)),
        ((None, 4, 4, 12), (None, 7)),
    ),
    "conv norm, vectors": (p.ConvNorm, (None, 8), (None, 12), (None, 12)),
    "conv norm, tokens": (lambda: p.ConvNorm(kernel_size=3), (None, 5, 8), (None, 5, 12), (None, 5, 12)),
    "conv norm, maps": (
        lambda: p.ConvNorm(kernel_size=3, activation="relu"),
        *MAPS,
        (None, 4, 4, 12),
    ),
    "regressor, vectors": (lambda: p.Regressor(hidden=5), (None, 8), (None, 12), (None, 12)),
    "regressor, maps": (lambda: p.Regressor(layers=3), *MAPS, (None, 4, 4, 12)),
    "projector": (p.SimKDProjector, (None, 8, 8, 8), (None, 4, 4, 12), (None, 4, 4, 12)),
    "projector, smaller": (p.SimKDProjector, (None, 2, 2, 8), (None, 4, 4, 12), (None, 2, 2, 12)),
    "projector, overlapping": (p.SimKDProjector, (None, 7, 5, 8), (None, 4, 4, 12), (None, 4, 4, 12)),
    "fusion": (p.ReviewFusion, *STAGES, STAGES[1]),
    "generator": (lambda: p.MaskedGenerator(seed=0), *MAPS, (None, 4, 4, 12)),
    "generator, tokens": (lambda: p.MaskedGenerator(ratio=0.2), (None, 5, 8), (None, 5, 8), (None, 5, 8)),
    "generator, channels": (lambda: p.MaskedGenerator(mask="channels"), *MAPS, (None, 4, 4, 12)),
    "head, vectors": (lambda: p.VariationalHead(layers=2), (None, 8), (None, 12), ((None, 12), (12,))),
    "head, maps": (p.VariationalHead, (None, 8, 8, 8), (None, 4, 4, 12), ((None, 4, 4, 12), (12,))),
}
LAYERS = [name for name in p.__all__ if isinstance(getattr(p, name), type)]


def made(name):
    """The layer, sized, and a batch of three of the student's signals."""
    make, student, teacher, _ = ROWS[name]
    layer = make()
    layer.size_for(teacher)
    random = np.random.default_rng(0)
    draw = lambda shape: random.normal(size=(3, *shape[1:])).astype("float32")  # noqa: E731
    return layer, tuple(map(draw, student)) if isinstance(student[0], tuple) else draw(student)


def flat(signals):
    return [np.asarray(x) for x in keras.tree.flatten(signals)]


def sums(outputs):
    return sum(tf.reduce_sum(tf.sin(x)) for x in keras.tree.flatten(outputs))


def specs(signals, dtype=None):
    return keras.tree.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), dtype or x.dtype), signals)


def test_every_projection_has_a_row():
    made_of = {type(make()).__name__ for make, *_ in ROWS.values()}
    assert made_of == set(LAYERS) - {"Projection", "MemoryBank"}


@pytest.mark.parametrize("name", ROWS)
def test_shapes(name):
    layer, signals = made(name)
    wanted = keras.tree.map_shape_structure(lambda s: tuple(3 if d is None else d for d in s), ROWS[name][-1])
    outputs = layer(signals, training=True)
    assert keras.tree.map_structure(lambda x: tuple(x.shape), outputs) == wanted
    assert all(keras.backend.standardize_dtype(x.dtype) == "float32" for x in keras.tree.flatten(outputs))


@pytest.mark.parametrize("name", ROWS)
def test_is_built_by_a_symbolic_call(name):
    layer, signals = made(name)
    inputs = keras.tree.map_structure(lambda x: keras.KerasTensor((None, *x.shape[1:])), signals)
    outputs = layer(inputs)
    assert layer.built
    assert keras.tree.map_structure(lambda x: tuple(x.shape), outputs) == ROWS[name][-1]


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("name", ROWS)
def test_eager_graph_and_xla_agree_and_every_weight_gets_a_gradient(name, jit):
    layer, signals = made(name)
    layer(signals)
    training = not name.startswith("generator")  # whose masks are others in every call

    def step(signals):
        with tf.GradientTape() as tape:
            value = sums(layer(signals, training=training))
        return value, tape.gradient(value, layer.trainable_weights)

    value, gradients = step(keras.tree.map_structure(tf.constant, signals))
    compiled = tf.function(step, jit_compile=jit, autograph=False)
    if not jit:
        compiled = compiled.get_concrete_function(specs(signals))
    again, others = compiled(keras.tree.map_structure(tf.constant, signals))
    np.testing.assert_allclose(again, value, rtol=1e-4, atol=1e-4)
    assert gradients
    for gradient, other, weight in zip(gradients, others, layer.trainable_weights, strict=True):
        assert gradient is not None, weight.path
        assert np.abs(gradient).max() > 0, weight.path
        np.testing.assert_allclose(other, gradient, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ROWS)
def test_half_precision_inputs_are_computed_in_float32(name, dtype):
    layer, signals = made(name)
    halves = keras.tree.map_structure(lambda x: tf.cast(x, dtype), signals)
    outputs = layer(halves)
    rounded = keras.tree.map_structure(lambda x: tf.cast(x, "float32"), halves)
    for x, y in zip(flat(outputs), flat(layer(rounded)), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_a_mixed_policy_does_not_change_it(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer, signals = made(name)
        outputs = layer(signals)
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(x.dtype == np.float32 for x in flat(outputs))
    assert all(weight.dtype == "float32" for weight in layer.trainable_weights)


@pytest.mark.parametrize("name", ROWS)
def test_a_file_holds_it(name, tmp_path):
    layer, signals = made(name)
    inputs = keras.tree.map_structure(lambda x: keras.Input(x.shape[1:]), signals)
    outputs = layer(inputs)
    if name.startswith("head"):  # a variance has no batch axis, so it is no output of a model
        outputs = outputs[0]
    model = keras.Model(inputs, outputs)
    layer(signals, training=True)  # moves statistics
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.layers[-1]
    assert again.get_config() == layer.get_config()
    for x, y in zip(flat(loaded(signals)), flat(model(signals)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_a_configuration_remembers_the_teacher(name):
    layer, signals = made(name)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert [x.shape for x in flat(again(signals))] == [x.shape for x in flat(layer(signals))]


@pytest.mark.parametrize("name", [name for name in ROWS if "fusion" not in name])
def test_an_unsized_one_says_so(name):
    make, *_ = ROWS[name]
    with pytest.raises(ValueError, match="takes the teacher's width, which is unknown"):
        make()(made(name)[1])
    with pytest.raises(ValueError, match="which is unknown"):
        p.ReviewFusion()(made("fusion")[1])


@pytest.mark.parametrize("name", [name for name in ROWS if "fusion" not in name and "tuple" not in name])
def test_units_need_no_teacher(name):
    layer, signals = made(name)
    config = layer.get_config()
    config.pop("teacher_shape")
    again = type(layer).from_config({**config, "units": 3})
    assert flat(again(signals))[0].shape[-1] == 3


def test_it_fits_one_teacher():
    layer, signals = made("linear, maps")
    layer(signals)
    layer.size_for((32, 4, 4, 12))  # the same, whatever the batch
    with pytest.raises(ValueError, match=r"built for a teacher's signal.*Make another one"):
        layer.size_for((None, 4, 4, 13))


@pytest.mark.parametrize(
    ("make", "student", "teacher", "message"),
    [
        (p.Linear, (None, 4, 4, 8), (None, 12), "not ranks: the student's signal has the shape"),
        (p.Linear, (None, None), (None, 12), "known width of the student's"),
        (p.Linear, (None, 8), (None, None), "known width of the teacher's"),
        (p.Linear, (None,), (None, 8), "reads vectors"),
        (p.Linear, ((None, 8), (None, 8)), (None, 12), "as many teacher taps"),
        (p.ConvNorm, ((None, 8), (None, 8)), ((None, 12), (None, 12)), "reads one signal"),
        (lambda: p.ConvNorm(kernel_size=3), (None, 8), (None, 12), "reads tokens, maps or volumes"),
        (p.SimKDProjector, (None, 8), (None, 12), "reads sequences, maps"),
        (p.MaskedGenerator, (None, 8), (None, 12), "reads tokens, maps"),
        (p.VariationalHead, (None, 8), (None, 4, 12), "not ranks"),
        (p.Regressor, (None, 3, 8), (None, 12), "not ranks"),
        (p.ReviewFusion, (None, 4, 4, 8), (None, 4, 4, 8), "a tuple of two or more"),
        (p.ReviewFusion, STAGES[0], STAGES[1][:2], "as many teacher taps"),
        (p.ReviewFusion, STAGES[0][:2], STAGES[1], "as many teacher taps"),
        (p.ReviewFusion, STAGES[0], STAGES[1][0], "as many teacher taps"),
        (p.ReviewFusion, ((None, 5, 8), (None, 8)), ((None, 5, 8), (None, 8)), "maps .* or vectors"),
        (p.ReviewFusion, ((None, None, 8, 4), (None, 4)), STAGES[1][1:], "known sizes"),
    ],
)
def test_shapes_that_do_not_fit(make, student, teacher, message):
    layer = make()
    layer.size_for(teacher)
    with pytest.raises(ValueError, match=message):
        layer(keras.tree.map_shape_structure(lambda shape: keras.KerasTensor(shape), student))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: p.Linear(0), "`units` must be an integer of at least 1"),
        (lambda: p.Linear(2.5), "`units` must be an integer"),
        (lambda: p.ConvNorm(kernel_size=0), "`kernel_size`"),
        (lambda: p.ConvNorm(activation="gelu"), "None or 'relu'"),
        (lambda: p.Regressor(layers=1), "must be 2 or 3"),
        (lambda: p.Regressor(hidden=True), "`hidden`"),
        (lambda: p.SimKDProjector(reduction=0), "`reduction`"),
        (lambda: p.VariationalHead(layers=4), "1, 2 or 3"),
        (lambda: p.VariationalHead(initial_variance=0), "`initial_variance`"),
        (lambda: p.MaskedGenerator(ratio=1), "`ratio`"),
        (lambda: p.MaskedGenerator(mask="pixels"), "'positions' or 'channels'"),
        (lambda: p.ReviewFusion(width=-1), "`width`"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_labels_after_the_teachers_signal_do_not_count():
    layer = p.Linear()
    layer.size_for(((None, 12), (None,)))
    assert layer(np.ones((2, 8), "float32")).shape == (2, 12)


def test_linear_is_a_convolution_of_size_one():
    layer, signals = made("linear, maps")
    result = layer(signals)
    kernel, bias = layer.get_weights()
    convolved = keras.ops.conv(signals, kernel[None, None], data_format="channels_last") + bias
    np.testing.assert_allclose(result, convolved, rtol=1e-5, atol=1e-6)


def test_linear_without_bias():
    layer = p.Linear(3, use_bias=False)
    assert np.asarray(layer(np.zeros((2, 4), "float32"))).max() == 0
    assert [weight.shape for weight in layer.weights] == [(4, 3)]


@pytest.mark.parametrize("name", ["linear, tokens", "conv norm, tokens", "generator, tokens"])
def test_padded_tokens_have_no_part_in_it(name):
    layer, signals = made(name)
    layer(signals)
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2, [True, True] + [False] * 3])
    states = [np.array(v) for v in layer.non_trainable_variables]

    def run(tokens):
        for variable, state in zip(layer.non_trainable_variables, states, strict=True):
            variable.assign(state)
        tokens = tf.constant(tokens)
        tokens._keras_mask = tf.constant(mask)
        with tf.GradientTape() as tape:
            tape.watch(tokens)
            outputs = layer(tokens, training=True)
            value = tf.reduce_sum(tf.sin(outputs) * mask[..., None].astype("float32"))
        assert outputs._keras_mask is not None
        return value, tape.gradient(value, tokens).numpy()

    value, gradient = run(signals)
    other, _ = run(np.where(mask[..., None], signals, 100.0).astype("float32"))
    np.testing.assert_allclose(other, value, rtol=1e-5)
    assert (gradient[~mask] == 0).all()


def test_a_head_starts_at_its_variance_and_learns_it():
    for variance in (1e-4, 0.5, 5.0, 200.0):
        layer = p.VariationalHead(units=3, initial_variance=variance)
        np.testing.assert_allclose(layer(np.ones((2, 4), "float32"))[1], [variance] * 3, rtol=1e-4)
    assert "alpha" in [weight.name for weight in layer.trainable_weights]


def test_a_head_pools_before_it_predicts():
    layer, signals = made("head, maps")
    pooled = signals.reshape(3, 4, 2, 4, 2, 8).mean((2, 4))
    np.testing.assert_allclose(layer(signals)[0], layer(pooled)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [(3, 4), (7, 2), (2, 5), (4, 4), (1, 1)])
def test_pooling_of_sizes_that_do_not_divide_overlaps(sizes):
    maps = np.random.default_rng(0).normal(size=(2, 7, 5, 3)).astype("float32")
    wanted = maps.astype("float64")
    for axis, size in enumerate(sizes, 1):
        length = wanted.shape[axis]
        windows = [range(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
        wanted = np.stack([np.take(wanted, list(w), axis).mean(axis) for w in windows], axis)
    np.testing.assert_allclose(pool_to(tf.constant(maps), sizes), wanted, rtol=1e-5, atol=1e-6)


def test_only_known_and_larger_sizes_are_pooled():
    maps = tf.ones((2, 4, 8, 3))
    assert tuple(pool_to(maps, (8, 4)).shape) == (2, 4, 4, 3)
    for sizes in [(None, 4), (4, 8), (9, 9), (2,)]:
        assert pool_to(maps, sizes) is maps


@pytest.mark.parametrize(("mask", "ratio"), [("positions", 0.65), ("channels", 0.25)])
def test_the_ratio_is_the_share_set_to_zero(mask, ratio):
    layer = p.MaskedGenerator(units=32, ratio=ratio, mask=mask, seed=3)
    kept = np.asarray(layer._kept(tf.ones((64, 8, 8, 32))))
    assert kept.shape == ((64, 8, 8, 1) if mask == "positions" else (64, 1, 1, 32))
    assert set(np.unique(kept)) == {0.0, 1.0}
    np.testing.assert_allclose(1 - kept.mean(), ratio, atol=0.03)


def test_masks_are_drawn_while_training_only_and_replay_by_seed():
    ones = np.ones((4, 4, 4, 6), "float32")
    first, second = (p.MaskedGenerator(units=6, seed=7) for _ in range(2))
    first(ones)
    second(ones)
    second.set_weights(first.get_weights())
    drawn = [np.asarray(first(ones, training=True)) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0
    np.testing.assert_array_equal(second(ones, training=True), drawn[0])
    np.testing.assert_array_equal(first(ones), first(ones))
    assert first.align is None

"""What holds for every projection, row by row of `rows.py`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd import projections as p
from tests.projections.rows import ROWS, STAGES, make_sized

LAYERS = [name for name in p.__all__ if isinstance(getattr(p, name), type)]


def flat(signals):
    return [np.asarray(x) for x in keras.tree.flatten(signals)]


def sums(outputs):
    return sum(tf.reduce_sum(tf.sin(x)) for x in keras.tree.flatten(outputs))


def specs(signals, dtype=None):
    return keras.tree.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), dtype or x.dtype), signals)


def test_every_projection_has_a_row():
    made_of = {type(make()).__name__ for make, *_ in ROWS.values()}
    assert made_of == set(LAYERS) - {"Projection", "MemoryBank", "ClassSubset", "TwoClasses"}


@pytest.mark.parametrize("name", ROWS)
def test_shapes_and_float32_also_under_a_mixed_policy(name):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer, signals = make_sized(name)
        outputs = layer(signals, training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    expected = keras.tree.map_shape_structure(
        lambda shape: tuple(3 if d is None else d for d in shape), ROWS[name][-1]
    )
    assert keras.tree.map_structure(lambda x: tuple(x.shape), outputs) == expected
    assert all(keras.backend.standardize_dtype(x.dtype) == "float32" for x in keras.tree.flatten(outputs))
    assert all(weight.dtype == "float32" for weight in layer.trainable_weights)


@pytest.mark.parametrize("name", ROWS)
def test_is_built_by_a_symbolic_call(name):
    layer, signals = make_sized(name)
    inputs = keras.tree.map_structure(lambda x: keras.KerasTensor((None, *x.shape[1:])), signals)
    outputs = layer(inputs)
    assert layer.built
    assert keras.tree.map_structure(lambda x: tuple(x.shape), outputs) == ROWS[name][-1]


# Every other row; the fusion, which has one row, is compiled both ways.
COMPILED = [(name, number % 2 == 0) for number, name in enumerate(ROWS)]
COMPILED += [(name, not jit) for name, jit in COMPILED if name == "fusion"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "jit"), COMPILED, ids=lambda v: {True: "xla", False: "graph"}.get(v, v))
def test_eager_graph_and_xla_agree_and_every_weight_gets_a_gradient(name, jit):
    layer, signals = make_sized(name)
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


@pytest.mark.parametrize(
    ("name", "dtype"), list(zip(ROWS, ["float16", "bfloat16"] * len(ROWS), strict=False))
)
def test_half_precision_inputs_are_computed_in_float32(name, dtype):
    layer, signals = make_sized(name)
    halves = keras.tree.map_structure(lambda x: tf.cast(x, dtype), signals)
    outputs = layer(halves)
    rounded = keras.tree.map_structure(lambda x: tf.cast(x, "float32"), halves)
    for x, y in zip(flat(outputs), flat(layer(rounded)), strict=True):
        assert x.dtype == np.float32
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


# One of each kind and rank, and those of the first kind.
IN_A_FILE = list({(name.split(",")[0], len(ROWS[name][1])): name for name in ROWS}.values())
FEW = [name for name in IN_A_FILE if name.split(",")[0] == IN_A_FILE[0].split(",")[0]]


@pytest.mark.parametrize("names", [FEW, pytest.param(IN_A_FILE, marks=pytest.mark.slow)], ids=["few", "all"])
def test_a_file_holds_them(names, tmp_path):
    """In one model, because it takes long to write and read one."""
    layers, signals = zip(*map(make_sized, names), strict=True)
    inputs = keras.tree.map_structure(lambda x: keras.Input(x.shape[1:]), signals)
    outputs = [layer(x) for layer, x in zip(layers, inputs, strict=True)]
    # The variance of a head has no batch axis, so it is no output of a model.
    outputs = [x[0] if name.startswith("head") else x for name, x in zip(names, outputs, strict=True)]
    model = keras.Model(inputs, outputs)
    for layer, x in zip(layers, signals, strict=True):
        layer(x, training=True)  # moves statistics
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for name, layer, ours, theirs in zip(names, layers, loaded(signals), model(signals), strict=True):
        assert loaded.get_layer(layer.name).get_config() == layer.get_config(), name
        for x, y in zip(flat(ours), flat(theirs), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("name", ROWS)
def test_an_unsized_one_says_so(name):
    make, *_ = ROWS[name]
    with pytest.raises(ValueError, match="takes the teacher's width, which is unknown"):
        make()(make_sized(name)[1])


@pytest.mark.parametrize("name", [name for name in ROWS if "fusion" not in name and "tuple" not in name])
def test_units_need_no_teacher(name):
    layer, signals = make_sized(name)
    config = layer.get_config()
    config.pop("teacher_shape")
    again = type(layer).from_config({**config, "units": 3})
    assert flat(again(signals))[0].shape[-1] == 3


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


@pytest.mark.parametrize("name", ["linear, tokens", "conv norm, tokens", "generator, tokens"])
def test_padded_tokens_have_no_part_in_it(name):
    layer, signals = make_sized(name)
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

"""Every loss passes every test: see `tests/contract.py`."""

import functools

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.keras_internals import attach_mask
from tests import selection
from tests.contract import LOSSES
from tests.losses.batches import REFERENCE
from tests.losses.gradients import call, compiled, differentiate, exact, value_and_gradients
from tests.oracles.row import Labels, cast, change, draw, imitation

BATCH, TOKENS = 6, 5

losses = pytest.mark.parametrize("name", LOSSES)
mixing = [name for name, row in LOSSES.items() if row.mixes_samples and not row.reads_order]
single = [name for name, row in LOSSES.items() if not row.mixes_samples]
weighable = [name for name, row in LOSSES.items() if row.positions is not None]
masked = [name for name, row in LOSSES.items() if row.tokens is not None]
# One row of each loss, for what does not depend on its arguments.
first = [name for name in LOSSES if "," not in name]


def rest_slow(names):
    """The fast tests run the first row of each loss; which arguments it has, its oracle tells them."""
    return selection.rest_slow(list(names), *(name for name in names if name in first))


of_one_tensor = [name for name, row in LOSSES.items() if row.as_keras_loss]
plain = list({name.split(",")[0]: name for name in of_one_tensor[::-1]}.values())
# Either half precision with every other row, so that a loss with two rows has both.
HALF = dict(zip(LOSSES, ["float16", "bfloat16"] * len(LOSSES), strict=False))
ROUNDING = {"float16": 2e-3, "bfloat16": 1e-2}


def signals(row, scale=1.0, seed=0, specs=None):
    random = np.random.default_rng(seed)
    return tuple(draw(spec, random, BATCH, scale) for spec in specs or (row.teacher, row.student))


def taken(row, teacher, student, rows):
    return (change(s, v, lambda x: x[rows]) for s, v in ((row.teacher, teacher), (row.student, student)))


def per_sample(row, teacher, student, **given):
    loss = row.make()
    loss.reduction = None
    return keras.ops.convert_to_numpy(call(lambda t, s: loss(t, s, **given), teacher, student))


def mean_and_each(loss, *pair, **given):
    """The mean of the values of the samples, which is the loss (as a test sees to), and the values."""
    loss.reduction = None
    each = loss(*pair, **given)
    return keras.ops.mean(each), each


@functools.cache
def differentiated(name):
    """In float32, and once for all tests that look at it: the value of each sample, and the gradients."""
    row = LOSSES[name]
    pair = tuple(cast(signal, "float32") for signal in signals(row))
    (_, each), gradients = differentiate(lambda pair: mean_and_each(row.make(), *pair), pair, has_more=True)
    return pair, keras.ops.convert_to_numpy(each), gradients


def value_of_each(name):
    """The value of each sample of the row's signals, which several tests compare with."""
    return differentiated(name)[1]


def value_and_all_gradients(name):
    """In float32: the value, and the gradients of the teacher's and of the student's tensors."""
    (teacher, _), each, gradients = differentiated(name)
    of_teacher = len(keras.tree.flatten(teacher))
    return float(each.mean()), gradients[:of_teacher], gradients[of_teacher:]


@functools.cache
def of_padded_tokens(name):
    """The mask, the signals with noise where it is False, the value of each sample, and the gradients.

    The first sample is all padding.
    """
    row = LOSSES[name]
    (teacher, student), mask = padded(row.tokens, signals(row, specs=row.tokens), [0, 1, 2, 3, 5, 5])
    (_, each), gradients = differentiate(
        lambda student: mean_and_each(row.make(), teacher, student, mask=mask), student, has_more=True
    )
    return mask, (teacher, student), keras.ops.convert_to_numpy(each), [exact(each) for each in gradients]


def as_given(tensor):
    """For the oracle: float64 but for labels."""
    return keras.ops.convert_to_numpy(tensor) if "int" in keras.ops.dtype(tensor) else exact(tensor)


def test_every_exported_loss_has_a_row():
    exported = {name for name in kd.losses.__all__ if isinstance(getattr(kd.losses, name), type)}
    assert exported - {"SignalLoss"} == {name.split(",")[0] for name in LOSSES}


def test_every_exported_loss_has_a_training_and_a_cost():
    for read_by, attribute in (("training", "training"), ("losses", "cost")):
        found = [name for name, row in LOSSES.items() if getattr(row, attribute)]
        bare = {name.split(",")[0] for name in LOSSES} - set(found)
        assert not bare, f"benchmarks/{read_by}.py finds no `{attribute}` in the row of {sorted(bare)}"


def check_against_oracle(name, dtype, values):
    """The oracle reads what the dtype has left of the signals."""
    row = LOSSES[name]
    rounded = (keras.tree.map_structure(as_given, cast(signal, dtype)) for signal in signals(row))
    np.testing.assert_allclose(values, row.oracle(*rounded), rtol=row.tolerance, atol=1e-6)


@losses
def test_equals_the_oracle(name):
    check_against_oracle(name, "float32", value_of_each(name))


@pytest.mark.slow
@losses
def test_equals_the_oracle_in_half_precision(name):
    row = LOSSES[name]
    halves = (cast(signal, HALF[name]) for signal in signals(row))
    check_against_oracle(name, HALF[name], per_sample(row, *halves))


# Two arguments or two losses at once: test_flows.py and test_distances.py have tests of their own for these.
ELSEWHERE = {"fsp", "vectors/same/rkd_d25_a50", "vectors/dims/rkd_d25_a50"}


def test_every_published_reference_is_reproduced():
    published = {key.removesuffix("/value") for key in REFERENCE.files if key.endswith("/value")}
    rows = {f"{case}/{key}" for row in LOSSES.values() for case, key in row.references.items()}
    assert rows | ELSEWHERE == published


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
@pytest.mark.parametrize(
    ("name", "case", "key"),
    [(name, case, key) for name, row in LOSSES.items() for case, key in row.references.items()],
    ids=[f"{name}-{case}" for name, row in LOSSES.items() for case in row.references],
)
def test_equals_the_published_reference(name, case, key, dtype):
    row = LOSSES[name]
    loss = row.make()
    loss = type(loss).from_config({**loss.get_config(), "dtype": dtype})
    teacher, student = (cast(REFERENCE[f"{case}/{side}"], dtype) for side in ("teacher", "student"))
    if isinstance(row.teacher, list) and isinstance(row.teacher[-1], Labels):
        teacher = (teacher, REFERENCE[f"{case}/labels"])
    value, (gradient,) = value_and_gradients(loss, teacher, student)
    np.testing.assert_allclose(value, REFERENCE[f"{case}/{key}/value"], rtol=1e-5, atol=1e-7)
    expected = REFERENCE[f"{case}/{key}/grad"]
    # float32 inputs of scale 30 carry rounding of their own, relative to the largest gradient
    rounding = 1e-5 * np.abs(expected).max() if dtype == "float32" else 0
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=max(1e-7, rounding))


@pytest.mark.parametrize("name", rest_slow(LOSSES))
def test_is_least_when_the_student_is_the_teacher(name):
    row = LOSSES[name]
    teacher, _ = signals(row)
    at_teacher, elsewhere = per_sample(row, teacher, imitation(row, teacher)), value_of_each(name)
    if row.zero_at_teacher:
        np.testing.assert_allclose(at_teacher, 0.0, atol=1e-5)
    if row.least_at_teacher and row.mixes_samples:
        assert at_teacher.mean() < elsewhere.mean()
    elif row.least_at_teacher:
        assert (at_teacher <= elsewhere + 1e-6).all()


@losses
def test_the_gradient_reaches_the_student_only(name):
    value, of_teacher, of_student = value_and_all_gradients(name)
    assert np.isfinite(value)
    assert not any(np.any(exact(g)) for g in of_teacher if g is not None)
    for gradient in of_student:
        assert np.isfinite(exact(gradient)).all()
        assert np.abs(exact(gradient)).max() > 0


@pytest.mark.parametrize("name", rest_slow(LOSSES))
def test_is_finite_at_extremes(name):
    row = LOSSES[name]
    for scale in (0.0, 1e4):
        value, gradients = value_and_gradients(row.make(), *(cast(s, "float32") for s in signals(row, scale)))
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.slow
@losses
def test_signals_of_half_precision_are_finite_at_extremes(name):
    row, dtype = LOSSES[name], HALF[name]
    for scale in (0.0, row.half_extreme if dtype == "float16" else 1e4):
        teacher, student = (cast(s, dtype) for s in signals(row, scale))
        value, gradients = value_and_gradients(row.make(), teacher, student)
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


# Losses of distributions; the others read logits as numbers.
AS_NUMBERS = (
    "LogitsMSE",
    "SoftTargets, standardized",
    "ChannelWise",
    "InstanceRelationshipGraph",
    "AttentionMaps",
)
suppressible = [
    name
    for name, row in LOSSES.items()
    if row.make().reads_logits and not name.startswith(AS_NUMBERS) and row.student[-1] > 2
]


def suppress(row, low, sides):
    """The signals, with two classes of the logit `low` in the teacher's or both; neither is the label."""

    def lower(x):
        return np.maximum(x, 2) if x.dtype.kind == "i" else np.where(np.arange(x.shape[-1]) < 2, low, x)

    teacher, student = signals(row)
    return change(row.teacher, teacher, lower), (lower(student) if "student" in sides else student)


# The reverse divergence is infinite there: test_jensen_shannon.py.
finite = [(name, "teacher") for name in suppressible if name != "JensenShannon, reverse"]
both = [(name, "teacher, student") for name in suppressible]

pairs = {f"{name}; {sides}": (name, sides) for name, sides in [*finite, *both]}


@pytest.mark.parametrize(
    ("name", "sides"),
    selection.rest_slow(pairs, *(label for label, (name, _) in pairs.items() if name in first)),
)
def test_suppressed_classes_have_no_probability(name, sides):
    """The oracle reads -600, whose probability in float64 is next to none at these temperatures."""
    row = LOSSES[name]
    given = [cast(signal, "float32") for signal in suppress(row, -np.inf, sides)]
    values = per_sample(row, *given)
    np.testing.assert_allclose(
        values, row.oracle(*suppress(row, -600.0, sides)), rtol=row.tolerance, atol=1e-6
    )
    _, gradients = value_and_gradients(row.make(), *given)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_losses_declare_that_they_take_suppressed_classes():
    declared = {name for name, row in LOSSES.items() if row.make().takes_suppressed}
    assert {name for name in declared if LOSSES[name].student[-1] > 2} == {name for name, _ in finite}


@pytest.mark.parametrize("name", [name for name, _ in finite])
def test_a_teacher_may_suppress_all_classes_but_one(name):
    """As probabilities that are rounded to 0 and 1 do; for some samples the label is a suppressed class."""
    row = LOSSES[name]

    def leave_one(x):
        return x if x.dtype.kind == "i" else np.where(np.arange(x.shape[-1]) == 1, x, -np.inf)

    teacher, student = signals(row)
    given = [cast(signal, "float32") for signal in (change(row.teacher, teacher, leave_one), student)]
    assert np.isfinite(per_sample(row, *given)).all()
    _, gradients = value_and_gradients(row.make(), *given)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", first)
def test_a_loss_of_half_precision_is_the_loss_rounded(name):
    row, dtype = LOSSES[name], HALF[name]
    half = type(row.make()).from_config({**row.make().get_config(), "dtype": dtype})
    teacher, student = (cast(s, "float32") for s in signals(row))
    value, gradients = value_and_gradients(half, teacher, student)
    expected, _, exact_gradients = value_and_all_gradients(name)
    np.testing.assert_allclose(value, expected, rtol=ROUNDING[dtype], atol=1e-6)
    for ours, theirs in zip(gradients, exact_gradients, strict=True):
        np.testing.assert_allclose(ours, exact(theirs), rtol=1e-5, atol=1e-7)


@losses
def test_other_numbers_of_signals_are_refused(name):
    row = LOSSES[name]
    loss, given = row.make(), signals(row)
    for side, (least, most) in enumerate((loss.teacher_signals, loss.student_signals)):
        one = given[side][0] if isinstance(given[side], tuple) else given[side]
        wrong = [one] if least > 1 else []
        wrong += [(one,), (one,) * (most + 1)] if most < float("inf") else [(), (one,) * (least - 1)]
        for signal in wrong:
            with pytest.raises(ValueError, match=r" reads .*\. Received: teacher .*, student "):
                loss(*given[:side], signal, *given[side + 1 :])
    if loss.reads_labels and loss.teacher_signals[0] == 2:
        with pytest.raises(ValueError, match=r'teacher=\("output", "labels"\)'):
            loss(given[0][0], given[1])


@pytest.mark.slow
@losses
def test_is_finite_when_the_student_is_the_teacher(name):
    row = LOSSES[name]
    teacher, _ = signals(row)
    _, gradients = value_and_gradients(row.make(), teacher, imitation(row, teacher))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("name", first)
def test_sample_weights_weigh_samples(name):
    row = LOSSES[name]
    teacher, student = signals(row)
    loss, each = row.make(), value_of_each(name)
    weights = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 3.0])
    np.testing.assert_allclose(loss(teacher, student, weights), (each * weights).mean(), rtol=1e-5)
    with pytest.raises(ValueError, match=r"one weight per sample|one weight for each of its tokens"):
        loss(teacher, student, np.ones((BATCH, 7)))


@pytest.mark.parametrize("name", mixing)
def test_the_order_of_the_batch_does_not_matter(name):
    row, order = LOSSES[name], np.random.default_rng(1).permutation(BATCH)
    moved = per_sample(row, *taken(row, *signals(row), order))
    np.testing.assert_allclose(moved, value_of_each(name)[order], rtol=row.tolerance, atol=1e-6)


@pytest.mark.parametrize("name", rest_slow(single))
def test_a_sample_stands_alone(name):
    """Neither the other samples of the batch nor their order matter."""
    row, order = LOSSES[name], np.random.default_rng(1).permutation(BATCH)
    alone = [per_sample(row, *taken(row, *signals(row), part)) for part in (order[:1], order[1:])]
    np.testing.assert_allclose(
        np.concatenate(alone), value_of_each(name)[order], rtol=row.tolerance, atol=1e-6
    )


@pytest.mark.slow
@losses
def test_a_batch_of_one_is_finite(name):
    row = LOSSES[name]
    teacher, student = taken(row, *signals(row), slice(0, 1))
    value, gradients = value_and_gradients(row.make(), teacher, student)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@losses
def test_configuration_round_trip(name):
    row = LOSSES[name]
    loss = row.make()
    teacher, student = signals(row)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    again.reduction = None
    np.testing.assert_array_equal(again(teacher, student), value_of_each(name))


def compile_row(row, dtype, jit):
    """Value and gradients as one compiled function with an unknown batch size, and its arguments."""
    loss, given = row.make(), [cast(s, dtype) for s in signals(row)]

    def symbol(x):
        return keras.KerasTensor(x.shape, keras.ops.dtype(x))

    def unknown(x):
        return keras.KerasTensor((None, *x.shape[1:]), x.dtype)

    specs = [
        change(spec, keras.tree.map_structure(symbol, signal), unknown)
        for spec, signal in zip((row.teacher, row.student), given, strict=True)
    ]
    return compiled(lambda t, s: differentiate(lambda s: loss(t, s), s), specs, jit), given


def check_compiled(name, dtype, jit):
    row = LOSSES[name]
    run, given = compile_row(row, dtype, jit)
    for size in (BATCH,) if jit else (BATCH, 3):  # XLA compiles for each size again
        teacher, student = taken(row, *given, slice(size))
        value, gradients = value_and_gradients(row.make(), teacher, student)
        compiled_value, compiled_gradients = run(teacher, student)
        np.testing.assert_allclose(compiled_value, value, rtol=1e-4, atol=1e-6)
        for ours, expected in zip(compiled_gradients, gradients, strict=True):
            coarse = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
            np.testing.assert_allclose(
                exact(ours), expected, rtol=coarse, atol=1e-6 + coarse * np.abs(expected).max()
            )


@pytest.mark.slow
@losses
def test_compiles_with_xla(name):
    check_compiled(name, "float32", jit=True)


# Of the other rows, the same graph is traced for XLA, and half precision is tested where nothing is traced.
@pytest.mark.slow
@pytest.mark.parametrize("name", first)
def test_compiles_to_a_graph_in_half_precision(name):
    check_compiled(name, HALF[name], jit=False)


@pytest.mark.slow
@losses
def test_gradient_agrees_with_finite_differences(name):
    row = LOSSES[name]
    teacher, student = signals(row)
    loss = row.make()
    loss = type(loss).from_config({**loss.get_config(), "dtype": "float64"})
    _, gradients = value_and_gradients(loss, teacher, student)
    random, step = np.random.default_rng(2), 1e-6
    directions = keras.tree.map_structure(lambda x: random.normal(size=x.shape), student)

    def moved(sign):
        return keras.tree.map_structure(lambda x, d: x + sign * step * d, student, directions)

    oracle = row.frozen(teacher, student) if row.frozen else row.oracle
    ahead, behind = (oracle(teacher, moved(sign)).mean() for sign in (1, -1))
    along = sum((g * d).sum() for g, d in zip(gradients, keras.tree.flatten(directions), strict=True))
    np.testing.assert_allclose(along, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-8)


def test_a_loss_that_takes_a_mask_has_tokens_in_its_row():
    for name, row in LOSSES.items():
        assert row.make().takes_mask == (row.tokens is not None), name
        assert row.make().takes_position_weight == (row.positions is not None), name


def value_of_each_position(row):
    """The signals of the tokens, and what the oracle says of each token alone, `(batch, tokens)`."""
    given = signals(row, specs=row.tokens)

    def alone(position):
        cut = (
            change(*pair, lambda x: x[:, position : position + 1] if x.ndim > 1 else x)
            for pair in zip(row.tokens, given, strict=True)
        )
        return row.oracle(*cut)

    return given, np.stack([alone(position) for position in range(TOKENS)], axis=1)


@pytest.mark.parametrize("name", rest_slow([name for name in weighable if "pooled" not in name]))
@pytest.mark.parametrize("padding", [False, True])
def test_weights_of_tokens_weigh_tokens(name, padding):
    """As Keras's own losses do: the divisor is the number of positions, whatever they weigh."""
    row = LOSSES[name]
    given, values = value_of_each_position(row)
    weights = np.random.default_rng(4).uniform(0, 3, (BATCH, TOKENS))
    weights[0], weights[1, 2] = 0, 0
    mask = (
        np.arange(TOKENS) < np.array([5, 2, 3, 4, 1, 5])[:, None] if padding else np.full_like(weights, True)
    )
    counted = mask * (values != 0) if row.positions == "kept" else mask
    total = (values * weights * counted).sum(1)
    expected = total if row.positions == "sum" else total / np.maximum(counted.sum(1), 1)
    passed = {"mask": mask} if padding else {}
    found = per_sample(row, *given, sample_weight=weights, **passed)
    np.testing.assert_allclose(found, expected, rtol=row.tolerance, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in first if name not in weighable])
def test_a_loss_that_is_not_made_of_positions_refuses_weights_for_them(name):
    row = LOSSES[name]
    given = signals(row, specs=row.tokens or (row.teacher, row.student))
    with pytest.raises(ValueError, match=r"one weight per sample, .*use_sample_weight=False"):
        row.make()(*given, np.ones((BATCH, TOKENS)))


def padded(specs, given, lengths):
    """The signals with noise of scale 1,000 after each sample's length, and the mask."""
    random = np.random.default_rng(3)
    mask = np.arange(TOKENS) < np.asarray(lengths)[:, None]

    def spoil(x):
        return np.where(mask.reshape(*mask.shape, *[1] * (x.ndim - 2)), x, 1e3 * random.normal(size=x.shape))

    return [change(*pair, spoil, labels=False) for pair in zip(specs, given, strict=True)], mask


@pytest.mark.parametrize("name", rest_slow(masked))
def test_padded_tokens_do_not_count(name):
    row = LOSSES[name]
    given = signals(row, specs=row.tokens)
    spoiled, mask = padded(row.tokens, given, [3] * BATCH)
    short = [
        change(*pair, lambda x: x[:, :3] if x.ndim > 1 else x) for pair in zip(row.tokens, given, strict=True)
    ]
    np.testing.assert_allclose(
        per_sample(row, *spoiled, mask=mask), per_sample(row, *short), rtol=row.tolerance, atol=1e-6
    )


@pytest.mark.parametrize("name", rest_slow(masked))
def test_padded_tokens_get_no_gradient(name):
    mask, _, each, gradients = of_padded_tokens(name)
    assert np.isfinite(each).all()
    for gradient in gradients:
        assert np.isfinite(gradient).all()
        assert np.abs(gradient[~mask]).max() == 0
        assert np.abs(gradient[mask]).max() > 0


@pytest.mark.parametrize("name", rest_slow([name for name in masked if name in single]))
def test_a_sample_that_is_all_padding_is_nothing(name):
    assert of_padded_tokens(name)[2][0] == 0


@pytest.mark.parametrize("name", rest_slow(masked))
def test_the_mask_of_keras_is_the_mask(name):
    mask, (teacher, student), expected, _ = of_padded_tokens(name)

    def with_mask(signal):
        attach_mask(keras.tree.flatten(signal)[0], keras.ops.convert_to_tensor(mask))
        return signal

    loss = LOSSES[name].make()
    loss.reduction = None
    student = keras.tree.map_structure(keras.ops.convert_to_tensor, student)
    values = call(lambda signal: loss(teacher, with_mask(signal)), student)
    # JAX compiles the two apart, and rounds what is 0, a sample of one token, to 1e-7.
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", plain)
def test_is_a_plain_keras_loss(name):
    row = LOSSES[name]
    targets, inputs = signals(row)
    model = keras.Sequential([keras.Input(row.student), keras.layers.Dense(row.student[-1])])
    model.compile(keras.optimizers.SGD(1e-3), loss=row.make(), run_eagerly=True)  # graphs: see above
    values = [model.train_on_batch(inputs, targets) for _ in range(3)]  # means of all steps so far
    assert values[-1] < values[0]


def with_features(shape, name):
    inputs = keras.Input((4,))
    x = keras.layers.Reshape(shape)(keras.layers.Dense(int(np.prod(shape)))(inputs))
    features = keras.layers.Dense(shape[-1], name="features")(x)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(features)), name=name)


teacher_with_features = functools.cache(with_features)  # it is not trained


@pytest.mark.slow
@pytest.mark.parametrize("name", plain)
def test_works_inside_keras_distillation(name):
    row = LOSSES[name]
    feature = keras.distillation.FeatureDistillation(
        loss=row.make(), teacher_layer_name="features", student_layer_name="features"
    )
    teacher, student = teacher_with_features(row.teacher, "teacher"), with_features(row.student, "student")
    rival = keras.distillation.Distiller(teacher, student, distillation_losses=feature)
    rival.compile(keras.optimizers.SGD(1e-3), loss="mse", run_eagerly=True)
    x = np.random.default_rng(0).normal(size=(BATCH, 4))
    logs = rival.fit(x, np.zeros((BATCH, 2)), verbose=0).history
    taps = [keras.Model(m.input, m.get_layer("features").output) for m in (teacher, student)]
    assert np.isfinite(logs["distillation_loss"][0])
    assert np.isfinite(float(row.make()(*(tap(x) for tap in taps))))

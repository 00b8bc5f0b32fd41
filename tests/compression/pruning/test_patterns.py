"""Masks, against tensorflow-model-optimization itself and against loops in float64."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.compression.kernels import kernels_of
from keras_kd.compression.pruning.patterns import Blocks, Groups, keep_largest, parse_pattern

common = settings(max_examples=25, deadline=None, derandomize=True)

FRACTIONS = [0.0, 0.1, 1 / 3, 0.5, 0.9, 0.999]
MANY_FRACTIONS = [*np.linspace(0, 0.99, 34).tolist(), 0.625, 0.995, 0.9999]
KINDS = ["random", "ties", "zeros", "equal"]


def pairs(first, second, third):
    """All pairs of two lists, each with one of the third, so that every pair of any two occurs."""
    numbered = itertools.product(enumerate(first), enumerate(second))
    return [(a, b, third[(i + j) % len(third)]) for (i, a), (j, b) in numbered]


def weights_of(kind, shape, dtype="float32"):
    random = np.random.default_rng([len(kind), *shape])
    values = random.normal(size=shape)
    if kind == "ties":
        values = random.integers(-3, 4, shape) / 4
    elif kind == "zeros":
        values *= random.random(shape) < 0.6
    elif kind == "equal":
        values = np.full(shape, -0.5)
    return values.astype(dtype)


def kernel_of(weights):
    """The kernel of a real layer with these weights: Dense for two axes, Conv2D for four."""
    shape, dtype = weights.shape, str(weights.dtype)
    if weights.ndim == 2:
        inputs, layer = (shape[0],), keras.layers.Dense(shape[1], dtype=dtype)
    else:
        inputs, layer = (8, 8, shape[2]), keras.layers.Conv2D(shape[3], shape[:2], dtype=dtype)
    model = keras.Sequential([keras.Input(inputs), layer])
    layer.kernel.assign(weights)
    return kernels_of(model)[0]


def ours(kernel, pattern, sparsity=None):
    """What `kd.Prune` does."""
    magnitudes = kernel.matrix(np.abs(kernel.value()))
    if isinstance(pattern, Groups):
        return kernel.unmatrix(pattern.mask(magnitudes))
    return kernel.unmatrix(pattern.expand(keep_largest([pattern.scores(magnitudes)], sparsity)[0]))


def theirs(tfmot, weights, sparsity=0.5, block=(1, 1), pooling="AVG", zeros_of=None):
    """What tfmot's own object does, with `zeros_of` as its (zeros, of)."""
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

    weight = tf.Variable(weights)
    mask, threshold = tf.Variable(tf.ones_like(weight)), tf.Variable(tf.zeros((), weight.dtype))
    schedule = tfmot.sparsity.keras.ConstantSparsity(sparsity, begin_step=0, frequency=1)
    step = tf.constant(1)
    pruning = Pruning(lambda: step, [(weight, mask, threshold)], schedule, block, pooling, zeros_of)
    pruning.conditional_mask_update()
    return mask.numpy().astype(bool)


def check_unstructured(tfmot, weights, fractions):
    kernel = kernel_of(weights)
    for fraction in fractions:
        found = ours(kernel, parse_pattern("unstructured"), fraction)
        np.testing.assert_array_equal(found, theirs(tfmot, weights, fraction), err_msg=f"sparsity {fraction}")


def check_blocks(tfmot, weights, rows, columns, pooling, fractions):
    kernel, pattern = kernel_of(weights), parse_pattern(f"{rows}x{columns}", pooling)
    for fraction in fractions:
        expected = theirs(tfmot, weights, fraction, (rows, columns), "AVG" if pooling == "mean" else "MAX")
        np.testing.assert_array_equal(
            ours(kernel, pattern, fraction), expected, err_msg=f"sparsity {fraction}"
        )


def check_groups(tfmot, weights, kept, size):
    expected = theirs(tfmot, weights, zeros_of=(size - kept, size))
    np.testing.assert_array_equal(ours(kernel_of(weights), parse_pattern(f"{kept}:{size}")), expected)


@pytest.mark.parametrize(
    ("shape", "kind", "dtype"),
    [
        ((1, 1), "random", "float32"),
        *pairs([(3, 5), (8, 13)], KINDS, ["float32", "float16"]),
        ((3, 3, 4, 6), "ties", "float32"),
    ],
    ids=str,
)
def test_unstructured_masks_are_those_of_tfmot(tfmot, shape, dtype, kind):
    check_unstructured(tfmot, weights_of(kind, shape, dtype), FRACTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "kind", "dtype"),
    pairs([(3, 5), (100, 101), (3, 5, 16, 32), (1, 1, 64, 10)], KINDS, ["float32", "float16"]),
    ids=str,
)
def test_unstructured_masks_are_those_of_tfmot_over_many_fractions(tfmot, shape, dtype, kind):
    check_unstructured(tfmot, weights_of(kind, shape, dtype), MANY_FRACTIONS[::2])


@pytest.mark.parametrize(
    ("sides", "kind", "pooling"), pairs([(1, 4), (4, 1), (2, 3)], KINDS, ["mean", "max"]), ids=str
)
def test_block_masks_are_those_of_tfmot(tfmot, sides, kind, pooling):
    check_blocks(tfmot, weights_of(kind, (8, 12)), *sides, pooling, [0.3, 0.9])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sides", "kind", "pooling"),
    pairs([(1, 2), (1, 16), (16, 1), (4, 4), (3, 5), (7, 6)], KINDS, ["mean", "max"]),
    ids=str,
)
def test_block_masks_are_those_of_tfmot_over_many_fractions(tfmot, sides, kind, pooling):
    check_blocks(tfmot, weights_of(kind, (336, 240)), *sides, pooling, MANY_FRACTIONS[::4])


# tfmot takes groups along the third of four axes, and of other layers than Conv2D that is another axis than
# the one that is summed over: DepthwiseConv2D, Conv2DTranspose. There the two differ on purpose.
@pytest.mark.parametrize(
    ("group", "kind", "shape"),
    pairs([(2, 4), (1, 4), (3, 4), (4, 8)], KINDS, [(8, 5), (3, 3, 8, 5), (1, 1, 16, 6)]),
    ids=str,
)
def test_group_masks_are_those_of_tfmot(tfmot, group, kind, shape):
    check_groups(tfmot, weights_of(kind, shape), *group)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "kind", "shape"),
    pairs(
        [(1, 2), (1, 3), (2, 3), (1, 8), (7, 8), (5, 16), (15, 16)],
        KINDS,
        [(240, 17), (48, 32), (3, 5, 48, 7)],
    ),
    ids=str,
)
def test_uncommon_group_masks_are_those_of_tfmot(tfmot, group, kind, shape):
    check_groups(tfmot, weights_of(kind, shape), *group)


def plain_mask(weights, fraction):
    """Every weight that at least `kept - 1` others do not beat, in loops and float64."""
    kept = max(int(np.rint(weights.size * (1 - fraction))), 1)
    mask = np.zeros(weights.shape, bool)
    for place in np.ndindex(weights.shape):
        larger = sum(abs(other) > abs(weights[place]) for other in weights.ravel())
        mask[place] = larger < kept
    return mask


def plain_groups(weights, kept, size):
    mask = np.zeros(weights.shape, bool)
    for position in np.ndindex(weights.shape[:-2]):
        for column, start in itertools.product(range(weights.shape[-1]), range(0, weights.shape[-2], size)):
            group = [(-abs(weights[(*position, start + i, column)]), i) for i in range(size)]
            for _, i in sorted(group)[:kept]:
                mask[(*position, start + i, column)] = True
    return mask


def plain_blocks(weights, rows, columns, fraction, pool):
    """As `plain_mask`, of the mean or the maximum of each block; the last two axes are the matrix."""
    places = [
        (*position, slice(i, i + rows), slice(j, j + columns))
        for position in np.ndindex(weights.shape[:-2])
        for i in range(0, weights.shape[-2], rows)
        for j in range(0, weights.shape[-1], columns)
    ]
    kept = plain_mask(np.array([pool(abs(weights[place])) for place in places]), fraction)
    mask = np.zeros(weights.shape, bool)
    for place, stays in zip(places, kept, strict=True):
        mask[place] = stays
    return mask


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 6), (2, 2, 4, 3)], ids=str)
def test_masks_are_those_of_plain_loops(shape, kind):
    weights = weights_of(kind, shape)
    kernel, exact = kernel_of(weights), weights.astype("float64")
    for fraction in FRACTIONS:
        found = ours(kernel, Blocks(), fraction)
        np.testing.assert_array_equal(found, plain_mask(exact, fraction))
    for kept, size in ((2, 4), (1, 2), (3, 4)):
        found = ours(kernel, Groups(kept, size))
        np.testing.assert_array_equal(found, plain_groups(exact, kept, size))
    for rows, columns, fraction in ((2, 3, 0.5), (4, 1, 0.25), (1, 3, 0.75)):
        found = ours(kernel, Blocks(rows, columns, "max"), fraction)
        np.testing.assert_array_equal(found, plain_blocks(exact, rows, columns, fraction, np.max))
    if kind == "random":  # equal means are equal to the last bit only if they are summed alike
        found = ours(kernel, Blocks(2, 3), 0.5)
        np.testing.assert_array_equal(found, plain_blocks(exact, 2, 3, 0.5, np.mean))


def distinct(seed, *shape):
    """Magnitudes that all differ, with random signs, in random order."""
    random = np.random.default_rng(seed)
    magnitudes = random.permutation(np.arange(1, np.prod(shape) + 1)) / 8
    return (magnitudes * random.choice([-1, 1], magnitudes.size)).reshape(shape).astype("float32")


seeds, sizes = st.integers(0, 10_000), st.integers(1, 40)
fractions = st.floats(0, 0.999)


@common
@given(seeds, sizes, sizes, fractions)
def test_as_many_go_as_were_asked_for(seed, rows, columns, fraction):
    magnitudes = np.abs(distinct(seed, rows, columns))
    mask = keep_largest([magnitudes], fraction)[0]
    # In float32, as in tfmot: half a weight may be rounded either way.
    assert abs(mask.sum() - max(magnitudes.size * (1 - fraction), 1)) <= 0.5 + 1e-6 * magnitudes.size
    assert magnitudes[mask].min() > magnitudes[~mask].max(initial=0)


@common
@given(seeds, st.lists(st.tuples(sizes, sizes), min_size=1, max_size=4), fractions)
def test_all_arrays_together_are_one_long_array(seed, shapes, fraction):
    random = np.random.default_rng(seed)
    arrays = [np.abs(random.normal(size=shape)).astype("float32") for shape in shapes]
    together = np.concatenate([array.ravel() for array in arrays])
    found = keep_largest(arrays, fraction)
    assert [mask.shape for mask in found] == shapes
    flat = np.concatenate([mask.ravel() for mask in found])
    np.testing.assert_array_equal(flat, keep_largest([together], fraction)[0])


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_nan_is_kept(fraction):
    magnitudes = np.abs(distinct(0, 8, 6))
    magnitudes[1:3] = np.nan
    assert keep_largest([magnitudes], fraction)[0][1:3].all()


@common
@given(seeds, sizes, st.lists(fractions, min_size=2, max_size=8))
def test_more_sparsity_never_brings_a_weight_back(seed, size, steps):
    weights = distinct(seed, size, 3)
    kept = np.ones(weights.shape, bool)
    for fraction in sorted(steps):
        mask = keep_largest([np.abs(weights * kept)], fraction)[0]  # as in training: those that went are zero
        assert not (mask & ~kept).any()
        kept = mask


@common
@given(seeds, st.integers(1, 6), st.integers(1, 6), st.integers(1, 7), st.data())
def test_groups_hold_n_of_m_and_the_largest(seed, runs, columns, kept, data):
    size = data.draw(st.integers(kept + 1, 8))
    magnitudes = np.abs(distinct(seed, runs * size, columns))
    mask = Groups(kept, size).mask(magnitudes)
    for column, start in itertools.product(range(columns), range(0, runs * size, size)):
        stays, group = mask[start : start + size, column], magnitudes[start : start + size, column]
        assert stays.sum() == kept
        assert group[stays].min() > group[~stays].max()
    assert 1 - mask.mean() == pytest.approx(Groups(kept, size).sparsity)


@common
@given(seeds, st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), fractions)
def test_blocks_are_whole(seed, down, across, rows, columns, fraction):
    pattern = Blocks(rows, columns)
    magnitudes = np.abs(distinct(seed, down * rows, across * columns))
    scores = pattern.scores(magnitudes)
    assert scores.shape == (down, across)
    mask = pattern.expand(keep_largest([scores], fraction)[0])
    assert mask.shape == magnitudes.shape
    filled = mask.reshape(down, rows, across, columns).sum((1, 3))
    assert np.isin(filled, (0, rows * columns)).all()
    assert filled.any()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("unstructured", Blocks(1, 1)),
        ("1x1", Blocks(1, 1)),
        ("1x4", Blocks(1, 4)),
        ("16x2", Blocks(16, 2)),
        ("2:4", Groups(2, 4)),
        ("7:12", Groups(7, 12)),
    ],
)
def test_patterns_are_named_by_strings(pattern, expected):
    assert parse_pattern(pattern) == expected


@pytest.mark.parametrize(
    ("kept", "size", "fraction"), [(2, 4, 0.5), (1, 3, 2 / 3), (1, 10, 0.9), (3, 10, 0.7)]
)
def test_the_sparsity_of_a_group_is_the_number_that_a_user_writes(kept, size, fraction):
    assert Groups(kept, size).sparsity == fraction


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("4:2", "Did you mean '2:4'?"),
        ("4:4", "0 < n < m"),
        ("0:4", "0 < n < m"),
        ("0x4", "at least one row"),
        ("1x0", "at least one row"),
        ("unstructered", "Did you mean 'unstructured'?"),
        ("2-4", "Received: '2-4'"),
        ("2:4 ", "Received: '2:4 '"),
        ("-1x4", "Received: '-1x4'"),
        ("", "Received: ''"),
        (None, "Received: None"),
        ((2, 4), r"Received: \(2, 4\)"),
        (0.5, "Received: 0.5"),
    ],
    ids=str,
)
def test_other_patterns_are_refused(pattern, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        parse_pattern(pattern)


@pytest.mark.parametrize("pooling", ["avg", "MAX", None, 1])
def test_other_poolings_are_refused(pooling):
    with pytest.raises(ValueError, match="'mean' or 'max'"):
        parse_pattern("1x4", pooling)


@pytest.mark.parametrize(
    ("pattern", "channels", "outputs", "misfit"),
    [
        ("unstructured", 7, 5, None),
        ("2:4", 8, 5, None),
        ("2:4", 6, 8, "its 6 inputs are not a multiple of 4"),
        ("1x4", 7, 8, None),
        ("1x4", 8, 6, "its 6 outputs are not a multiple of 4"),
        ("4x1", 6, 4, "its 6 inputs are not a multiple of 4"),
        ("4x1", 8, 5, None),
    ],
)
def test_find_misfit_names_what_a_pattern_does_not_divide(pattern, channels, outputs, misfit):
    assert parse_pattern(pattern).find_misfit(channels, outputs) == misfit

"""Every operation of Keras on tensors that is followed, by how it treats channels; and others."""

from collections.abc import Callable

import numpy as np
from keras import layers, ops


def functions(names: str) -> list[Callable]:
    return [getattr(ops, name) for name in names.split()]


NUMBERS = np.linspace(0.5, 1.5, 8, dtype="float32")
OF_ONE = functions(
    """
    abs absolute angle arccos arcsin arcsinh arctan arctanh cbrt ceil celu conj conjugate
    copy cos cosh deg2rad elu erf erfc erfinv exp exp2 expm1 fabs floor gelu hard_shrink
    hard_sigmoid hard_silu hard_tanh i0 imag isfinite isinf isnan isneginf isposinf isreal
    leaky_relu log log10 log1p log2 log_sigmoid logical_not nan_to_num negative ones_like rad2deg
    real reciprocal relu relu6 round rsqrt selu sigmoid sign signbit silu sin sinc sinh soft_shrink
    softplus softsign sparse_plus sparse_sigmoid sqrt square squareplus stop_gradient tan tanh
    tanh_shrink trunc zeros_like
    """
)
OF_TWO = functions(
    """
    add arctan2 divide divide_no_nan equal floor_divide fmax fmin fmod greater greater_equal
    heaviside hypot isclose less less_equal logaddexp logaddexp2 logical_and logical_or logical_xor
    maximum minimum mod multiply nextafter not_equal power subtract true_divide
    """
)
OF_INTEGERS = functions(
    """
    bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor gcd lcm left_shift
    right_shift
    """
)
OVER_STEPS = functions(
    """
    all amax amin any argmax argmin count_nonzero logsumexp max mean median min nanmax nanmean
    nanmedian nanmin nanprod nanstd nansum nanvar norm prod ptp std sum var average
    """
)
ALONG_STEPS = functions(
    """
    argsort cumprod cumsum diff log_softmax softmax sort
    """
)


def integers(x):
    return ops.cast(ops.abs(x) * 4, "int32")


def elementwise(x, y):
    yield from (f(x) for f in OF_ONE)
    yield from (ops.threshold(x, 0.5, 0.0), ops.clip(x, -1, 1), ops.cast(x, "float16"), ops.full_like(x, 2.0))
    yield from (ops.saturate_cast(x, "float16"), ops.arccosh(x + 1))


def of_two(x, y):
    yield from (f(x, y) for f in OF_TWO)
    yield from (f(integers(x), integers(y)) for f in OF_INTEGERS)
    yield from (ops.bitwise_not(integers(x)), ops.bitwise_invert(integers(x)), ops.ldexp(x, integers(y)))
    yield ops.where(x > 0, x, y)


def along_steps(x, y):
    yield from (f(x, axis=1) for f in OVER_STEPS + ALONG_STEPS)
    yield from (ops.roll(x, 1, axis=1), ops.pad(x, ((0, 0), (1, 2), (0, 0))), ops.flip(x, axis=1))
    yield from (ops.take(x, np.array([[0, 2], [4, 3]]), axis=1), ops.take(x, 1, axis=1), ops.fliplr(x))
    yield from (ops.repeat(x, 2, axis=1), ops.tile(x, (1, 2, 1)), x[:, 1:3], x[:, 2], x[:, ::2])


def moved(x, y):
    yield from (ops.stack([x, y], axis=1), ops.append(x, y, axis=-1), ops.concatenate([x, y], axis=1))
    yield from (ops.hstack([x, y]), ops.dstack([x, y]), ops.repeat(x, 2, axis=-1), ops.tile(x, (1, 1, 2)))
    yield from (
        ops.moveaxis(x, -1, 1)[..., 1],
        ops.swapaxes(x, 1, 2)[..., 0],
        ops.transpose(x, (0, 2, 1))[..., 1],
    )
    yield from (ops.squeeze(ops.expand_dims(x, 1), 1), ops.unstack(x, axis=1)[2], ops.split(x, 2, axis=-1)[1])
    yield from (ops.reshape(x, (-1, 40)), ops.broadcast_to(x[:, :1], (3, 5, 8)), ops.flip(x, axis=-1))
    yield from (ops.rot90(x, axes=(1, 2))[..., 0], ops.normalize(x, axis=-1))


def products(x, y):
    yield ops.matmul(x, ops.swapaxes(y, 1, 2))
    yield ops.matmul(np.ones((3, 5), "float32"), x)
    yield ops.matmul(ops.softmax(ops.matmul(x, ops.swapaxes(y, 1, 2))), x)
    yield ops.sum(ops.dot(x[:, 0], ops.transpose(y[:, 0])), axis=-1, keepdims=True)
    yield ops.einsum("bsc,btc->bst", x, y)
    yield ops.einsum("...c,...c->...", x, y)[..., None]
    yield ops.einsum("bsc,btc->bstc", x, y)


def images(x, y):
    yield from (ops.max_pool(x, 2), ops.average_pool(x, 3, 1), ops.image.resize(x, (3, 3)))
    yield from (ops.nn.space_to_depth(x, 2), ops.nn.depth_to_space(x, 2))


# A body returns tensors of two tensors with 8 channels of numbers between 0 and 1; the shape is the input's.
FOLLOWED: dict[str, tuple[Callable, tuple[int, ...]]] = {
    body.__name__: (body, shape)
    for body, shape in [
        *((elementwise, (4,)), (of_two, (4,)), (along_steps, (5, 4)), (moved, (5, 4)), (products, (5, 4))),
        (images, (4, 4, 3)),
    ]
}


def cannot(kind: str) -> str:
    return f"{kind} cannot be followed"


ALL_AT_ONCE = "it computes with all channels"
SINGLE = "it takes single channels"
SETTINGS = "its settings may hold a number for each of them"
ONE_SAMPLE = "it cannot be followed for one sample, or returns nothing of it"
SUMMED = "it sums over channels"

# Each has the reason for which the channels that it reads are kept.
NOT_FOLLOWED: list[tuple[Callable, str]] = [
    *[(lambda x, f=f: f(x, axis=-1, keepdims=True), ALL_AT_ONCE) for f in (ops.mean, ops.max, ops.logsumexp)],
    *[(lambda x, f=f: f(x, axis=-1)[..., None], ALL_AT_ONCE) for f in (ops.argmax, ops.norm, ops.average)],
    *[(lambda x, f=f: f(x, axis=-1), ALL_AT_ONCE) for f in (ops.cumsum, ops.diff, ops.sort, ops.softmax)],
    (lambda x: ops.roll(x, 1, axis=-1), ALL_AT_ONCE),
    (lambda x: ops.average(x, axis=1, weights=np.ones((3, 5, 8), "float32")), "it is averaged with weights"),
    (lambda x: ops.take(x, np.array([1, 2]), axis=-1), SINGLE),
    (lambda x: ops.unstack(x, axis=-1)[2], SINGLE),
    (lambda x: x[..., ::2], "it takes single channels or every n-th one"),
    (lambda x: x[1], "it takes single samples"),
    (lambda x: ops.repeat(x, np.arange(8) % 3, axis=-1), "it repeats single channels"),
    (lambda x: ops.pad(x, ((0, 0), (0, 0), (1, 0))), "it pads channels"),
    (lambda x: ops.clip(x, -NUMBERS, NUMBERS), SETTINGS),
    (lambda x: ops.celu(x, NUMBERS), SETTINGS),
    (layers.Rescaling(NUMBERS), SETTINGS),
    (lambda x: layers.GaussianNoise(0.1)([x, x * 2.0])[0], "it returns several tensors"),
    (lambda x: ops.reshape(x, (3, 40)), ONE_SAMPLE),
    (lambda x: ops.matmul(ops.swapaxes(x, 1, 2), x), "it crosses the channels of two tensors"),
    (lambda x: ops.matmul(x, np.ones((8, 2), "float32")), "is multiplied by"),
    (lambda x: ops.matmul(x, NUMBERS)[..., None], SUMMED),
    (lambda x: ops.einsum("bsc->bs", x)[..., None], SUMMED),
    (lambda x: ops.einsum("bsc,btc", x, x), SUMMED),
    (lambda x: ops.tensordot(x, np.ones((8, 2), "float32"), 1), cannot("Tensordot")),
    (lambda x: ops.adaptive_max_pool(x, (2,)), cannot("AdaptiveMaxPool")),
    (lambda x: ops.glu(x), cannot("Glu")),
    (lambda x: ops.sparsemax(x), cannot("Sparsemax")),
    (lambda x: ops.top_k(x, 3)[0], cannot("TopK")),
    (lambda x: ops.tril(x), cannot("Tril")),
    (lambda x: ops.digitize(x, NUMBERS), cannot("Digitize")),
    (lambda x: ops.moments(x, axes=[1])[0], cannot("Moments")),
    (lambda x: ops.quantile(x, 0.5, axis=1), cannot("Quantile")),
    (lambda x: ops.real(ops.fft((x, ops.zeros_like(x)))[0]), cannot("FFT")),
    (lambda x: ops.layer_normalization(x, NUMBERS, NUMBERS), cannot("LayerNorm")),
    (lambda x: ops.outer(x, NUMBERS), cannot("Outer")),
    (layers.Masking(0.0), cannot("Masking")),
    (layers.Normalization(mean=NUMBERS, variance=NUMBERS), cannot("Normalization")),
    (layers.Lambda(lambda x: x * 2.0), cannot("Lambda")),
]

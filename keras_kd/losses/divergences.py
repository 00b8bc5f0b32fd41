"""Divergences and correlations of distributions, without cancellation and with finite gradients.

A class may be suppressed by a logit of minus infinity: its probability is 0, and 0 times infinity is 0. Where
`q` is 0 and `p` is not, `KL(p || q)` is infinite, and its gradient is finite.
"""

from keras import ops

from keras_kd.tensors import Tensor


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """`KL(p || q)` over the last axis, from logarithms of distributions.

    At high temperatures `p` and `q` nearly agree and the terms of `sum p (log p - log q)` cancel:
    in float32, only two digits remain at T = 1000. The terms of `sum p d - p + q`, with
    `d = log p - log q`, have the same sum, are never negative, and do not cancel.
    """
    return ops.sum(kl_terms(log_p, log_p - log_q, log_q), axis=-1)


def kl_terms(log_p: Tensor, d: Tensor, log_q: Tensor) -> Tensor:
    """`p d - p + q` for each class; the caller passes `d = log p - log q`, which it knows more precisely."""
    p = ops.exp(log_p)
    near = ops.abs(d) < 0.5  # false for NaN: of two logarithms that are minus infinity
    x = ops.where(near, d, 0.0)
    # exp(-x) - 1 + x by its series, which is exact in float32 for |x| < 0.5
    series = x * x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120 - x * (1 / 720 - x / 5040)))))
    far = ops.where(p > 0, d, 0.0)
    return ops.where(near, p * series, p * (far - 1) + ops.exp(log_q))


def expected_log(p: Tensor, log_q: Tensor) -> Tensor:
    """`p log q` for each class, without the classes that have no probability."""
    return p * ops.where(p > 0, log_q, 0.0)


def binary_kl(logit_p: Tensor, logit_q: Tensor) -> Tensor:
    """`KL` between the yes/no distributions of two logits, element by element."""
    on_p, on_q = ops.log_sigmoid(logit_p), ops.log_sigmoid(logit_q)
    off_p, off_q = ops.log_sigmoid(-logit_p), ops.log_sigmoid(-logit_q)
    return kl_terms(on_p, on_p - on_q, on_q) + kl_terms(off_p, off_p - off_q, off_q)


def jensen_shannon(log_p: Tensor, log_q: Tensor, beta: float) -> Tensor:
    """`beta KL(p || m) + (1 - beta) KL(q || m)` with `m = beta p + (1 - beta) q`, over the last axis."""
    # log p - log m = -log(1 + (1 - beta) (q / p - 1)), written for the ratio that is below 1: it neither
    # overflows nor loses digits where p and q nearly agree.
    e = ops.where(ops.equal(log_p, log_q), 0.0, log_q - log_p)
    below = e <= 0
    shrunk = ops.expm1(-ops.abs(e))
    of_p = -ops.log1p((1 - beta) * ops.where(below, shrunk, 0.0))
    of_q = -ops.log1p(beta * ops.where(below, 0.0, shrunk))
    d_p = ops.where(below, of_p, of_q - e)
    d_q = ops.where(below, of_p + e, of_q)
    log_m = ops.where(below, log_p - of_p, log_q - of_q)
    terms = beta * kl_terms(log_p, d_p, log_m) + (1 - beta) * kl_terms(log_q, d_q, log_m)
    return ops.sum(terms, axis=-1)


def standardize(logits: Tensor) -> Tensor:
    """Rows scaled to mean 0 and standard deviation 1, by the unbiased estimate plus 1e-7."""
    classes = logits.shape[-1]
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    variance = ops.sum(ops.square(centred), axis=-1, keepdims=True) / (classes - 1)
    # sqrt has an infinite gradient at 0, which a row of equal logits would turn into NaN.
    flat = variance == 0
    deviation = ops.where(flat, 0.0, ops.sqrt(ops.where(flat, 1.0, variance)))
    return centred / (deviation + 1e-7)


def pearson(a: Tensor, b: Tensor, kept: Tensor = None, *, axis: int | tuple[int, ...]) -> Tensor:
    """Pearson's correlation along axes, where `kept` is 1; 0, without a gradient, if one has no variance."""
    kept = ops.ones_like(b[..., :1]) if kept is None else kept
    count = ops.maximum(ops.sum(kept * ops.ones_like(b), axis=axis, keepdims=True), 1)

    def centred(p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        c = (p - ops.sum(p * kept, axis=axis, keepdims=True) / count) * kept
        square = ops.sum(c * c, axis=axis)
        # The rounding error of a constant is not variance: the gradient along it would be near 1e8.
        return c, square, square <= 2.5e-13 * ops.sum(p * p * kept, axis=axis) + 1e-32

    (a, of_a, flat_a), (b, of_b, flat_b) = centred(a), centred(b)
    flat = ops.logical_or(flat_a, flat_b)
    norms = ops.sqrt(ops.where(flat, 1.0, of_a)) * ops.sqrt(ops.where(flat, 1.0, of_b))
    return ops.where(flat, 0.0, ops.sum(a * b, axis=axis) / (norms + 1e-8))

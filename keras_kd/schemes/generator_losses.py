"""What a generator without data is trained on: how a teacher answers to what it makes."""

from typing import NamedTuple

from keras import ops

from keras_kd.tensors import Tensor


class GeneratorWeights(NamedTuple):
    """The weights of the three parts of DAFL's loss."""

    one_hot: float
    entropy: float
    activation: float


def generator_loss(logits: Tensor, features: Tensor | None, weights: GeneratorWeights) -> Tensor:
    """DAFL's loss of a generator: sure answers, all classes alike, strong features.

    Formula: `one_hot * mean(-log max p) + entropy * sum(m log10 m) - activation * mean |f|`, where `m` is the
    mean of `p = softmax(logits)` over the batch.

    Source: Chen et al. 2019, "Data-Free Learning of Student Networks", arXiv 1904.01186, and its code.

    Args:
        logits: The teacher's, `(batch, classes)`.
        features: The teacher's features `(batch, ...)`, or `None` to leave that part out.
        weights: Of the parts.
    """
    log_p = ops.log_softmax(ops.cast(logits, "float32"))
    mean = ops.mean(ops.exp(log_p), axis=0)
    value = -weights.one_hot * ops.mean(ops.max(log_p, axis=-1))
    value += weights.entropy * ops.sum(mean * ops.log10(ops.maximum(mean, 1e-12)))
    if features is not None:
        value -= weights.activation * ops.mean(ops.abs(ops.cast(features, "float32")))
    return value

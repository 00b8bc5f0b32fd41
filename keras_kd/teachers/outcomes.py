"""Probabilities of outcomes in log space, where neither a large logit nor a zero loses anything.

The answers of several members are stacked along axis 1. The outcomes of a softmax are its classes, and those
of each sigmoid are no and yes, along an additional last axis.
"""

from typing import Literal, TypeAlias, get_args

import numpy as np
from keras import ops

from keras_kd.tensors import Tensor

Activation: TypeAlias = Literal["softmax", "sigmoid"]
ACTIVATIONS = get_args(Activation)
MEMBERS = 1  # the axis of the members
LOWEST = -85.0  # the logarithm of the smallest probability that float32 can hold
_LEAST_ENTROPY = 1e-7
_HUGE = 1e30  # in place of infinity, in differences


def log_outcomes(logits: Tensor, activation: str | None) -> Tensor:
    """Log-probabilities of the outcomes, along the last axis.

    Examples:
        >>> import numpy as np
        >>> log_outcomes(np.array([[0.0, -1e4]]), "softmax").numpy().tolist()
        [[0.0, -10000.0]]
    """
    if activation == "softmax":
        return ops.log_softmax(logits, axis=-1)
    return ops.stack([ops.log_sigmoid(-logits), ops.log_sigmoid(logits)], axis=-1)


def logits_of_outcomes(log_outcomes: Tensor, activation: str | None) -> Tensor:
    """Logits with these log-probabilities."""
    if activation == "softmax":
        return log_outcomes
    return log_outcomes[..., 1] - log_outcomes[..., 0]


def weighted_sum(values: Tensor, weights: Tensor) -> Tensor:
    """The sum over members of values times weights."""
    wide = _as_wide(weights, values)
    return ops.sum(ops.where(wide > 0, values * wide, 0.0), axis=MEMBERS)  # a logit may be minus infinity


def log_weighted_sum(log_values: Tensor, weights: Tensor) -> Tensor:
    """The logarithm of the sum over members of weights times what these are the logarithms of."""
    wide = _as_wide(weights, log_values)
    used = wide > 0  # whatever a member without weight says, NaN included, is left out
    logs = ops.where(used, log_values, 0.0) + ops.log(ops.where(used, wide, 1.0))
    return ops.logsumexp(ops.where(used, logs, -np.inf), axis=MEMBERS)


def _as_wide(weights: Tensor, values: Tensor) -> Tensor:
    """Weights with as many axes as the values."""
    while len(weights.shape) < len(values.shape):
        weights = ops.expand_dims(weights, -1)
    return weights


def confidence(log_outcomes: Tensor, activation: str | None) -> Tensor:
    """The probability of the most likely outcome; of several sigmoids, their mean."""
    found = ops.exp(ops.max(log_outcomes, axis=-1))
    return ops.mean(found, axis=-1) if activation == "sigmoid" else found


def entropy(log_outcomes: Tensor, activation: str | None) -> Tensor:
    """The entropy of the outcomes; of several sigmoids, their mean. It is never quite 0."""
    found = -ops.sum(ops.exp(log_outcomes) * ops.maximum(log_outcomes, 2 * LOWEST), axis=-1)
    found = ops.mean(found, axis=-1) if activation == "sigmoid" else found
    return ops.maximum(found, _LEAST_ENTROPY)


def divergence(log_outcomes: Tensor, log_mean: Tensor, activation: str | None) -> Tensor:
    """The Kullback-Leibler divergence of each member from the mean; of several sigmoids, their sum."""
    of_mean = ops.maximum(ops.expand_dims(log_mean, MEMBERS), -_HUGE)
    gaps = ops.maximum(log_outcomes, -_HUGE) - of_mean
    found = ops.sum(ops.exp(log_outcomes) * gaps, axis=-1)
    return ops.sum(found, axis=-1) if activation == "sigmoid" else found

"""A loss that reads attention scores, head by head, ignoring padding.

Scores are computed here from the queries and keys of `keras.layers.MultiHeadAttention`: for a layer
named `attention`, the taps are `"attention/query"`, `"attention/key"` and `"attention/value"`.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.divergences import kl_divergence
from keras_kd.losses.inputs import Mask, Signal, parts_of
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.samples import mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class AttentionMaps(SignalLoss):
    """Difference between the attention scores of two self-attention layers, head by head.

    Scores are taken before the softmax; a Distiller undoes it for the tap `"attention/scores"`, up to a
    constant for each query, which does not matter to `distance="kl"`. If they are given as one tensor,
    `distance="mse"` counts scores of -100 or less as 0: that is how models mask keys. Padded queries and
    keys are ignored.

    Formula: `mean (A_s - A_t)^2` with `A = Q K^T / sqrt(d)`, over heads, queries and keys; or, for
    `distance="kl"`, `KL(softmax A_t || softmax A_s)` over keys, averaged over heads and queries.

    Reads: queries and keys of both models: `kd.Objective("attention_maps", student=("attention/query",
    "attention/key"), teacher=("attention_5/query", "attention_5/key"))`; or the scores, as
    `"attention/scores"`.

    Defaults: `distance="mse"`, TinyBERT's, with weight 1 per layer. `"kl"` is MiniLM's.

    Equals: TinyBERT's value if there is no padding, averaged over all elements. With padding, TinyBERT
    counts padded queries and divides by the padded length; this loss counts only real tokens. For `"kl"`,
    the attention term of MiniLM, arXiv 2002.10957.

    Source: Jiao et al. 2020, "TinyBERT: Distilling BERT for Natural Language Understanding",
    arXiv 1909.10351.

    Args:
        distance: `"mse"` or `"kl"`.

    Shapes:
        teacher, student: scores `(batch, heads, queries, keys)`; or tuples of a query and a key, each
        `(batch, tokens, heads, width)`, whose widths may differ. The numbers of heads must match.
        mask: `(batch, tokens)`, for both queries and keys, or `(batch, heads, tokens)`. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.ones((2, 4, 3, 3)), np.zeros((2, 4, 3, 3))
        >>> float(kd.losses.AttentionMaps()(teacher, student))
        1.0
    """

    reads_logits = True
    teacher_signals = (1, 2)
    student_signals = (1, 2)
    reads = "scores of each model, or the query and the key, as student=('attention/query', 'attention/key')"

    def __init__(self, distance: str = "mse", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if distance not in ("mse", "kl"):
            raise ValueError(f"`distance` must be 'mse' or 'kl'. Received: {distance!r}.")
        self.distance = distance

    def call(self, teacher: Signal, student: Signal, mask: Mask = None) -> Tensor:
        of_teacher, of_student = ops.stop_gradient(self._scores(teacher)), self._scores(student)
        heads = [scores.shape[1] for scores in (of_teacher, of_student)]
        if None not in heads and heads[0] != heads[1]:
            raise ValueError(
                f"AttentionMaps compares head with head. Received: teacher {heads[0]} heads, student "
                f"{heads[1]}. kd.losses.SelfAttentionRelations() takes any number of heads."
            )
        if mask is not None and len(mask.shape) == 3:
            mask = mask[:, 0]  # that of "attention/scores" has an axis of heads, which have the same tokens
        if self.distance == "kl":
            return attention_divergence(self, of_teacher, of_student, mask)
        require_same_shape(self, of_teacher, of_student)
        pairs = None
        if mask is not None:
            _require_tokens(mask, of_student)
            pairs = ops.logical_and(ops.expand_dims(mask, 1), ops.expand_dims(mask, 2))
        return mean_per_sample(ops.mean(ops.square(of_student - of_teacher), axis=1), pairs)

    def _scores(self, signal: Signal) -> Tensor:
        parts = parts_of(signal)
        shapes = [tuple(part.shape) for part in parts]
        if any(len(shape) != 4 for shape in shapes) or shapes[0][2:] != shapes[-1][2:]:
            raise ValueError(
                "AttentionMaps reads scores (batch, heads, queries, keys), or a tuple of a query and a key, "
                f"each (batch, tokens, heads, width). Received: {shapes}."
            )
        if len(parts) == 2:
            return scaled_products(*parts)
        # -1e9 and -1e4 both mean "masked"; their difference would dominate the rest.
        return ops.where(parts[0] <= -100, 0.0, parts[0]) if self.distance == "mse" else parts[0]


def scaled_products(query: Tensor, key: Tensor) -> Tensor:
    """Scaled products of two `(batch, tokens, heads, width)`, as `(batch, heads, queries, keys)`."""
    return ops.einsum("bqhd,bkhd->bhqk", query, key) / query.shape[-1] ** 0.5


def attention_divergence(loss: SignalLoss, teacher: Tensor, student: Tensor, mask: Mask) -> Tensor:
    """KL over keys, averaged over heads and queries: `(batch, heads, queries, keys)` to `(batch,)`."""
    require_same_shape(loss, teacher, student)
    if mask is not None:
        _require_tokens(mask, student)
        keys = ops.expand_dims(ops.expand_dims(mask, 1), 1)
        teacher, student = (ops.where(keys, x, ops.cast(-1e30, x.dtype)) for x in (teacher, student))
    values = kl_divergence(ops.log_softmax(teacher), ops.log_softmax(student))
    return mean_per_sample(ops.mean(values, axis=1), mask)


def _require_tokens(mask: Tensor, scores: Tensor) -> None:
    tokens = {n for n in (*scores.shape[2:], mask.shape[-1]) if n is not None}
    if len(mask.shape) != 2 or len(tokens) > 1:
        raise ValueError(
            "A mask for self-attention has one entry per token, which is a query and a key: (batch, tokens). "
            f"Received: mask {tuple(mask.shape)}, scores {tuple(scores.shape)}."
        )

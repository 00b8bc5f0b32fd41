"""The layers that make one answer of the answers of several members."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import keras
import numpy as np
from keras import ops

from keras_kd.signals.logits import logits_of
from keras_kd.teachers.class_maps import completed, filled_labels
from keras_kd.teachers.outcomes import (
    MEMBERS,
    confidence,
    divergence,
    entropy,
    log_outcomes,
    log_weighted_sum,
    logits_of_outcomes,
    weighted_sum,
)
from keras_kd.tensors import Shape, Tensor

Average: TypeAlias = Literal["probabilities", "logits", "values"]
AVERAGES = get_args(Average)
Weighing: TypeAlias = Literal["confidence", "entropy", "learned"]
WEIGHINGS = get_args(Weighing)


class _Passing(keras.layers.Layer):
    """A layer in float32 that passes on the padding mask of its first input that has one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        masks = previous_mask if isinstance(previous_mask, (list, tuple)) else [previous_mask]
        return next((mask for mask in masks if mask is not None), None)


@keras.saving.register_keras_serializable("keras_kd")
class Answers(_Passing):
    """The answers of all members over the same classes, `(batch, members, ..., classes)`.

    Args:
        undo: What the answers of each member come from: `"softmax"`, `"sigmoid"`, or `None`.
        activation: What the probabilities of all are computed with; `None` for numbers.
        matrices: Which classes each member knows, as `class_maps.widened` says; `None`: all know all.
    """

    def __init__(
        self,
        undo: Sequence[str | None],
        activation: str | None,
        matrices: Sequence[np.ndarray | Sequence[Any] | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.undo, self.activation = list(undo), activation
        self.matrices: list[np.ndarray | None] | None = None
        if matrices:
            self.matrices = [None if m is None else np.asarray(m, "float32") for m in matrices]

    def call(self, inputs: list[Tensor]) -> Tensor:
        answers: list[Any] = [
            ops.stop_gradient(ops.cast(logits_of(tensor, undo) if self.activation else tensor, "float32"))
            for tensor, undo in zip(inputs, self.undo, strict=True)
        ]
        if self.matrices and self.activation == "softmax":
            answers = completed([ops.log_softmax(z, axis=-1) for z in answers], self.matrices)
        elif self.matrices:
            answers = filled_labels(answers, self.matrices)
        return ops.stack(answers, axis=MEMBERS)

    def get_config(self) -> dict[str, Any]:
        matrices = self.matrices and [None if m is None else m.tolist() for m in self.matrices]
        return {
            **super().get_config(),
            "undo": self.undo,
            "activation": self.activation,
            "matrices": matrices,
        }


@keras.saving.register_keras_serializable("keras_kd")
class Averaging(_Passing):
    """The mean of the answers of all members, `(batch, ..., classes)`, and their weights.

    Args:
        average: What is averaged.
        weights: The weight of each member, summing to 1, or how it is found.
        activation: As for `Answers`.
    """

    def __init__(
        self, average: str, weights: Sequence[float] | str, activation: str | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.average, self.activation = average, activation
        self.member_weights = weights if isinstance(weights, str) else [float(w) for w in weights]

    def build(self, input_shape: Shape) -> None:
        """Create the weights of members that are learned: logits of a softmax, equal at first."""
        if self.member_weights == "learned":
            self.scores = self.add_weight(shape=(input_shape[MEMBERS],), initializer="zeros", name="scores")
        self.built = True

    def call(self, answers: Tensor) -> tuple[Tensor, Tensor]:
        weights = self._weights(answers)
        if self.average == "probabilities":
            log_mean = log_weighted_sum(log_outcomes(answers, self.activation), weights)
            mean = logits_of_outcomes(log_mean, self.activation)
        else:
            mean = weighted_sum(answers, weights)
        return mean, weights

    def _weights(self, answers: Tensor) -> Tensor:
        """The weight of each member for each sample and position, `(batch, members, ...)`."""
        kind, everywhere = self.member_weights, ops.ones_like(answers[..., 0])
        if kind == "confidence":
            found = confidence(log_outcomes(answers, self.activation), self.activation)
            return found / ops.sum(found, axis=MEMBERS, keepdims=True)
        if kind == "entropy":
            found = 1 / entropy(log_outcomes(answers, self.activation), self.activation)
            return found / ops.sum(found, axis=MEMBERS, keepdims=True)
        shares = ops.softmax(self.scores) if kind == "learned" else ops.convert_to_tensor(kind, "float32")
        return everywhere * ops.reshape(shares, [1, -1] + [1] * (len(everywhere.shape) - 2))

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "weights": self.member_weights, "activation": self.activation}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_kd")
class Disagreement(_Passing):
    """How far the members are apart on each sample, `(batch,)`.

    For classes, the weighted mean of the Kullback-Leibler divergences of the members from their mean, which
    is the Jensen-Shannon divergence if probabilities are averaged; for numbers, the weighted variance, its
    mean over them. Of samples with positions, it is the mean over these.

    Args:
        activation: As for `Answers`.
    """

    def __init__(self, activation: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, inputs: list[Tensor]) -> Tensor:
        answers, weights, mean = inputs
        if self.activation is None:
            gaps = ops.mean(ops.square(answers - ops.expand_dims(mean, MEMBERS)), axis=-1)
        else:
            of_members, of_mean = (log_outcomes(part, self.activation) for part in (answers, mean))
            gaps = divergence(of_members, of_mean, self.activation)
        spread = weighted_sum(gaps, weights)
        return ops.mean(spread, axis=list(range(1, len(spread.shape)))) if len(spread.shape) > 1 else spread

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation}


@keras.saving.register_keras_serializable("keras_kd")
class Answer(_Passing):
    """The mean, its first input. The others are there to run with it, so that they can be tapped."""

    def call(self, inputs: list[Tensor]) -> Tensor:
        return inputs[0]

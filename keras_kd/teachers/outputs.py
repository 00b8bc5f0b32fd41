"""What a teacher's answers are said to be, and logits made of those that are probabilities."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import keras
import numpy as np

from keras_kd.messages import did_you_mean
from keras_kd.parts import parts, with_parts
from keras_kd.signals.logits import logits_of
from keras_kd.tensors import Tensors

OutputKind: TypeAlias = Literal["logits", "probabilities", "sigmoid", "values"]
KINDS = get_args(OutputKind)
Kinds: TypeAlias = OutputKind | Mapping[str, OutputKind] | None  # of all outputs, or by their paths
_TINY = 1e-37  # the smallest probability: its logarithm and those of its powers are finite in float32


class WrongAnswer(ValueError):
    """What a teacher answered with is no answer, whatever it was asked; the message says why."""


def check_kinds(kinds: Kinds) -> None:
    """Raise a `ValueError` unless these are kinds of outputs."""
    for kind in kinds.values() if isinstance(kinds, Mapping) else [] if kinds is None else [kinds]:
        if kind not in KINDS:
            raise ValueError(
                f"`outputs` is one of {', '.join(map(repr, KINDS))}. Received: {kind!r}."
                f"{did_you_mean(str(kind), KINDS)}"
            )


def kind_at(kinds: Kinds, path: str) -> OutputKind | None:
    """The kind of the output at a path."""
    return kinds.get(path) if isinstance(kinds, Mapping) else kinds


def activation_behind(kind: str | None, units: int | None) -> str | None:
    """What answers of a kind come from: a softmax, if several classes share probabilities, or a sigmoid."""
    if kind == "probabilities":
        return "sigmoid" if units == 1 else "softmax"
    return "sigmoid" if kind == "sigmoid" else None


def log_of(array: np.ndarray, kind: str | None) -> np.ndarray:
    """Logits of an array of probabilities; of another kind, the array.

    A probability of 0 becomes a logit of -85, the logarithm of the smallest number of float32.

    Examples:
        >>> log_of(np.array([[1.0, 0.0]]), "probabilities").round(1).tolist()
        [[0.0, -85.2]]
    """
    activation = activation_behind(kind, array.shape[-1])
    if activation is None:
        return array
    share = array.astype("float64")
    if (share < -1e-3).any() or (share > 1 + 1e-3).any():
        raise WrongAnswer(
            f"outputs={kind!r}, and the answers are no probabilities: they lie between {share.min():.4g} and "
            f"{share.max():.4g}. If they are logits, state outputs='logits'."
        )
    log = np.log(np.maximum(share, _TINY))
    return log - np.log(np.maximum(1 - share, _TINY)) if activation == "sigmoid" else log


@keras.saving.register_keras_serializable("keras_kd")
class AsLogits(keras.layers.Layer):
    """Logits of outputs that are probabilities; the others pass.

    Args:
        kinds: What all outputs are, or each, by their paths.
    """

    def __init__(self, kinds: Kinds, **kwargs: Any) -> None:
        super().__init__(autocast=False, **{"dtype": "float32", **kwargs})
        self.kinds: Kinds = dict(kinds) if isinstance(kinds, Mapping) else kinds
        self.supports_masking = True

    def call(self, inputs: Tensors) -> Tensors:
        named = parts(inputs)
        found = []
        for path, tensor in named.items():
            activation = activation_behind(kind_at(self.kinds, path), tensor.shape[-1])
            found.append(logits_of(tensor, activation))
        return with_parts(inputs, found)

    def get_config(self) -> dict[str, Any]:
        kinds = dict(self.kinds) if isinstance(self.kinds, Mapping) else self.kinds
        return {**super().get_config(), "kinds": kinds}

"""How far the answers of one engine are from those of another, and whether that is near enough."""

import dataclasses
from collections.abc import Mapping

import numpy as np

DIVERGENCE = 1e-5  # nats, of the outputs, in the mean; float16 loses about 1e-7
DISTANCE = 1e-2  # of the largest difference, beside the spread of a signal


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far an engine's answers are from TensorFlow's.

    Attributes:
        divergence: The mean Kullback-Leibler divergence of the outputs with classes, from TensorFlow's, in
            nats; 0 where there are none.
        distance: The largest difference of any signal, beside the standard deviation of its values.
    """

    divergence: float
    distance: float

    @property
    def is_near(self) -> bool:
        """Whether the engine may take TensorFlow's place."""
        return self.divergence <= DIVERGENCE and self.distance <= DISTANCE

    def __str__(self) -> str:
        return (
            f"KL {self.divergence:.1e} (at most {DIVERGENCE:.0e}), largest difference {self.distance:.1e} of "
            f"a signal's spread (at most {DISTANCE:.0e})"
        )


def compare(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], activations: Mapping[str, str | None]
) -> Agreement:
    """Compare the answers to one batch.

    Args:
        expected: The signals as TensorFlow computes them.
        found: As another engine does.
        activations: `"softmax"` or `"sigmoid"` of each signal that is one's output, else `None`.

    Examples:
        >>> logits = np.array([[1.0, 2.0], [0.0, 3.0]])
        >>> compare({"output": logits}, {"output": logits + 1}, {"output": None}).divergence
        0.0
    """
    divergences, distances = [0.0], [0.0]
    for name, values in expected.items():
        other = found[name]
        if other.shape != values.shape:
            return Agreement(np.inf, np.inf)
        distances.append(_distance(values, other))
        is_output = name == "output" or name.startswith("output/")
        if is_output and values.dtype.kind == "f" and values.ndim > 1 and values.shape[-1] > 1:
            kind = activations.get(name)
            if kind != "sigmoid":
                divergences.append(_divergence(_logs(values, kind), _logs(other, kind)))
    return Agreement(max(divergences), max(distances))


def _distance(values: np.ndarray, other: np.ndarray) -> float:
    if values.dtype.kind not in "fV":
        return 0.0 if np.array_equal(values, other) else np.inf
    one, two = values.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(two)):
        return np.inf
    difference = np.abs(one[finite] - two[finite]).max(initial=0.0)
    spread = one[finite].std() if finite.any() else 0.0
    return float(difference / spread) if spread else float(np.inf if difference > 1e-6 else 0.0)


def _logs(values: np.ndarray, kind: str | None) -> np.ndarray:
    """The logarithms of the probabilities."""
    wide = values.astype(np.float64)
    if kind == "softmax":
        return np.log(np.maximum(wide, np.finfo(np.float64).tiny))
    shifted = wide - wide.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _divergence(logs: np.ndarray, others: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):
        terms = np.where(logs > -np.inf, np.exp(logs) * (logs - others), 0.0)
    return float(max(np.nanmean(terms.sum(-1)), 0.0)) if terms.size else 0.0

"""A signal in a file: dense, or its largest classes and the mass of the others; and back."""

import dataclasses
from typing import Any

import numpy as np

from keras_kd.messages import number_of


@dataclasses.dataclass(frozen=True)
class StoredSignal:
    """How a signal of a teacher is stored.

    Probabilities are stored as logarithms (those of a sigmoid as log odds), so that the smallest keep their
    relative precision, and come back as probabilities.

    Attributes:
        tap: Its name.
        shape: Of one sample; its first axis is `None` where samples have tokens of their own number.
        dtype: In the files.
        given: The dtype that the teacher gives, as it comes back: float32 for any of floats.
        activation: `"softmax"` or `"sigmoid"` of probabilities, else `None`.
        top_k: How many classes are stored; `None` for all.
        length_of: Which of the inputs, counted from 0, has as many tokens; `None` where none is known.
    """

    tap: str
    shape: tuple[int | None, ...]
    dtype: str
    given: str
    activation: str | None = None
    top_k: int | None = None
    length_of: int | None = None

    @property
    def has_tokens(self) -> bool:
        """Whether each sample has its own number of tokens, without padding."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def item(self) -> np.dtype[Any]:
        """What is stored of a sample, or of a token."""
        shape = tuple(size for size in self.shape if size is not None)
        if self.top_k is None:
            return np.dtype([("values", self.dtype, shape)])
        kept = (*shape[:-1], self.top_k)
        ids = "<u2" if shape[-1] <= 2**16 else "<u4"
        return np.dtype([("values", self.dtype, kept), ("ids", ids, kept), ("rest", "<f4", shape[:-1])])

    def encode(self, values: np.ndarray) -> np.ndarray:
        """The items of a signal's values, `(items, ...)`.

        Raises:
            OverflowError: The dtype is too narrow; its arguments are the item and the value.
        """
        items = np.empty(len(values), self.item)
        spread = _undone(values, self.activation)
        if self.top_k is not None:
            ids = np.argpartition(spread, -self.top_k, axis=-1)[..., -self.top_k :]
            items["ids"], items["rest"] = ids, _rest(spread, ids)
            spread = np.take_along_axis(spread, ids, axis=-1)
        with np.errstate(over="ignore"):
            items["values"] = spread
        if spread.dtype.kind == "f":
            lost = np.isinf(items["values"]) & np.isfinite(spread)
            if lost.any():
                raise OverflowError(int(np.argwhere(lost)[0][0]), float(spread[lost][0]))
        return items

    def decode(self, items: np.ndarray) -> np.ndarray:
        """The values of items, dense: where a class was left out, the mean of all that were."""
        if self.top_k is None:
            values = items["values"].astype(self.given)
        else:
            classes = self.shape[-1] or 0
            values = np.empty((*items["rest"].shape, classes), self.given)
            values[...] = items["rest"][..., None]
            np.put_along_axis(values, items["ids"].astype(np.int64), items["values"].astype(self.given), -1)
        return _done(values, self.activation)

    def as_json(self) -> dict[str, Any]:
        """The attributes, for a manifest."""
        return dataclasses.asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_json(cls, attributes: dict[str, Any]) -> "StoredSignal":
        """The signal that a manifest describes."""
        return cls(**attributes | {"shape": tuple(attributes["shape"])})


def check_top_k(tap: str, top_k: int | None, shape: tuple[int | None, ...], activation: str | None) -> None:
    """Raise an error unless the largest classes of a signal can be taken.

    Args:
        tap: Its name.
        top_k: How many.
        shape: Of one sample.
        activation: As of a `StoredSignal`.

    Raises:
        TypeError: `top_k` is no whole number.
        ValueError: There are not so many classes, or they do not share one mass.
    """
    if top_k is None:
        return
    if isinstance(top_k, bool) or not isinstance(top_k, int):
        raise TypeError(f"`top_k` is a whole number of classes. Received: {top_k!r}.")
    classes = shape[-1] if shape else None
    if classes is None or not 1 <= top_k <= classes:
        has = number_of(classes, "class", "classes") if classes else "no axis of classes"
        raise ValueError(f"`top_k` must be 1 to the number of classes. {tap!r} has {has}. Received: {top_k}.")
    if activation == "sigmoid":
        raise ValueError(
            f"{tap!r} is the output of a sigmoid: each class has a mass of its own, and leaving some out "
            "would say that they share one. Leave out `top_k`."
        )


def _undone(values: np.ndarray, activation: str | None) -> np.ndarray:
    if values.dtype.kind not in "fV" and values.dtype.name != "bfloat16":
        return values
    wide = values.astype(np.float64 if values.dtype.itemsize > 4 else np.float32)
    if activation is None:
        return wide
    with np.errstate(divide="ignore"):
        if activation == "softmax":
            return np.log(np.maximum(wide, 0))
        clipped = np.clip(wide, 0, 1)
        return np.log(clipped) - np.log1p(-clipped)


def _done(values: np.ndarray, activation: str | None) -> np.ndarray:
    if activation is None:
        return values
    with np.errstate(over="ignore"):
        if activation == "sigmoid":
            return 1 / (1 + np.exp(-values))
        exponentials = np.exp(values - values.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def _rest(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The logarithm of the mean of the exponentials of all classes but these."""
    count = values.shape[-1] - ids.shape[-1]
    if not count:
        return np.zeros(values.shape[:-1])
    others = values.astype(np.float64)
    np.put_along_axis(others, ids, -np.inf, axis=-1)
    largest = others.max(-1)
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(others - shift[..., None]).sum(-1) / count) + shift

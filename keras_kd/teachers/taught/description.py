"""How the signals of a teacher are to be stored, from its answers to a first batch."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_kd.activations import is_distribution
from keras_kd.messages import did_you_mean
from keras_kd.teachers.taught.answering import HostAnswer, ModelAnswer, mask_name
from keras_kd.teachers.taught.records import StoredSignal, check_top_k
from keras_kd.tensors import Shape, Tensors

_FLOATS = ("float16", "bfloat16", "float32", "float64")


def describe_signals(
    answer: ModelAnswer | HostAnswer,
    taps: Sequence[str],
    x: Tensors,
    free: Sequence[bool],
    dtype: str,
    top_k: int | Mapping[str, int] | None,
) -> tuple[StoredSignal, ...]:
    """How each signal is to be stored.

    Args:
        answer: What labels.
        taps: The signals.
        x: A first batch of what it labels.
        free: Whether the second axis of each input has any length.
        dtype: Of floats, in the files.
        top_k: How many classes are stored, of the outputs or by tap.

    Raises:
        TypeError: `top_k` is nothing of these.
        ValueError: It names another tap, or exceeds the classes.
    """
    _check_taps(top_k, taps)
    answers = answer(x)
    sizes = [leaf.shape[1] if leaf.ndim > 1 else -1 for leaf in tf.nest.flatten(x)]
    lengths = [size if is_free else -1 for size, is_free in zip(sizes, free, strict=True)]
    found = []
    for tap in taps:
        values, has_mask = answers[tap], mask_name(tap) in answers
        traced = None if answer.shapes is None else answer.shapes[tap]
        shape, length_of = _tokens(values.shape[1:], traced, has_mask, lengths, sizes)
        supposed = "softmax" if answer.activations is None else answer.activations[tap]
        activation = _activation(values, supposed)
        classes = _classes(tap, top_k)
        check_top_k(tap, classes, shape, activation)
        floats = values.dtype.name in _FLOATS
        stored, given = (dtype, "float32") if floats else (values.dtype.name, values.dtype.name)
        found.append(
            StoredSignal(tap, shape, stored, given, activation if floats else None, classes, length_of)
        )
    return tuple(found)


def _check_taps(top_k: int | Mapping[str, int] | None, taps: Sequence[str]) -> None:
    if isinstance(top_k, Mapping):
        unknown = next((tap for tap in top_k if tap not in taps), None)
        if unknown is not None:
            raise ValueError(
                f"`top_k` names {unknown!r}, and the signals are {list(taps)}.{did_you_mean(unknown, taps)}"
            )


def _tokens(
    shape: Shape, traced: Shape | None, has_mask: bool, lengths: Sequence[int], sizes: Sequence[int]
) -> tuple[Shape, int | None]:
    """The shape of a sample, `None` for its tokens, and the input that has as many.

    Padding that is left out is added again when a batch is joined. So the input may have a fixed length, too;
    without one that tells it, a signal of a fixed length is stored with its padding.
    """
    varies = len(shape) > 1 if traced is None else bool(traced) and traced[0] is None
    if not shape or not (has_mask or (varies and shape[0] in lengths)):
        return shape, None
    told_by = next((known.index(shape[0]) for known in (lengths, sizes) if shape[0] in known), None)
    if told_by is None and traced is not None and traced[0] is not None:
        return shape, None
    return (None, *shape[1:]), told_by


def _activation(values: np.ndarray, supposed: str | None) -> str | None:
    """The activation that a trace tells, if the values are its; a softmax may be along another axis."""
    if supposed != "softmax":
        return supposed
    return supposed if values.dtype.kind == "f" and is_distribution(values) else None


def _classes(tap: str, top_k: int | Mapping[str, int] | None) -> int | None:
    if isinstance(top_k, Mapping):
        return top_k.get(tap)
    return top_k if tap == "output" or tap.startswith("output/") else None

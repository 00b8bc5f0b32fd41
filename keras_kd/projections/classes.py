"""Layers between models whose outputs are the same classes in another form, or only some of them."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import layers, ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.inputs import Signal
from keras_kd.projections.shapes import Shapes, shapes_of
from keras_kd.tensors import Tensor


class _OfLogits(layers.Layer):
    """Maps logits, or the first of several signals; the others, such as labels, stay as they are."""

    def __init__(self, *, dtype: str | keras.DTypePolicy = "float32", **kwargs: Any) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.supports_masking = True

    def call(self, signals: Signal) -> Signal:
        if isinstance(signals, (tuple, list)):
            return (self.map_logits(signals[0]), *signals[1:])
        return self.map_logits(signals)

    def map_logits(self, logits: Tensor) -> Tensor:
        """The logits in another form."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("keras_kd")
class TwoClasses(_OfLogits):
    """The logits of two classes, from the one logit of a binary classifier.

    It makes a model that ends in one unit, with or without a sigmoid, comparable with one that ends in a
    softmax over two classes: `sigmoid(z)` is the second entry of `softmax([0, z])`. It is the `project` of an
    objective if the student has one unit, and its `project_teacher` if the teacher does. The sigmoid is
    undone first.

    Args:
        positive: Which of the two classes the unit means, 0 or 1.
        **kwargs: `name` and `dtype`, as for any Keras layer; float32 by default, whatever the global policy.

    Shapes:
        Logits `(batch, ..., 1)`. Result: `(batch, ..., 2)`.

    Raises:
        ValueError: Another number of units; `positive` is neither 0 nor 1.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> logits = kd.projections.TwoClasses()(np.array([[1.5]]))
        >>> logits.numpy().tolist()
        [[0.0, 1.5]]
        >>> kd.Objective(kd.losses.SoftTargets(temperature=2.0), project=kd.projections.TwoClasses()).name
        'soft_targets'
    """

    def __init__(self, positive: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.positive = check_integer("positive", positive, least=0)
        if self.positive > 1:
            raise ValueError(f"`positive` is one of two classes, 0 or 1. Received: {positive!r}.")

    def build(self, input_shape: Shapes) -> None:
        shape = tuple(shapes_of(input_shape)[0])
        if len(shape) < 2 or shape[-1] != 1:
            raise ValueError(f"TwoClasses reads one unit, (batch, ..., 1). Received the shape {shape}.")

    def map_logits(self, logits: Tensor) -> Tensor:
        pair = [ops.zeros_like(logits), logits]
        return ops.concatenate(pair if self.positive else pair[::-1], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "positive": self.positive}


@keras.saving.register_keras_serializable("keras_kd")
class ClassSubset(_OfLogits):
    """The logits of some of a model's classes: those that the other model has too, in its order.

    The softmax over them is the model's distribution given that one of them is right. It is the
    `project_teacher` of an objective if the teacher has more classes, and its `project` if the student has,
    such as a vocabulary that is padded to a round number: `ClassSubset(range(50_257))`.

    Args:
        classes: The indices of the classes, in the order of the other model's classes.
        **kwargs: `name` and `dtype`, as for any Keras layer; float32 by default, whatever the global policy.

    Shapes:
        Logits `(batch, ..., classes)`. Result: `(batch, ..., len(classes))`.

    Raises:
        ValueError: No classes, an index below 0 or twice, or one that the model does not have.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> subset = kd.projections.ClassSubset([3, 0])
        >>> subset(np.array([[1.0, 2.0, 3.0, 4.0]])).numpy().tolist()
        [[4.0, 1.0]]
        >>> kd.Objective(kd.losses.SoftTargets(), project_teacher=subset).name
        'soft_targets'
    """

    def __init__(self, classes: Iterable[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = [check_integer("classes", index, least=0) for index in classes]
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                f"`classes` are one or more different classes. Received {len(self.classes)}, of which "
                f"{len(set(self.classes))} differ."
            )

    def build(self, input_shape: Shapes) -> None:
        shape = tuple(shapes_of(input_shape)[0])
        if len(shape) < 2 or (shape[-1] is not None and shape[-1] <= max(self.classes)):
            raise ValueError(
                f"ClassSubset selects class {max(self.classes)} of logits (batch, ..., classes). Received "
                f"the shape {shape}."
            )

    def map_logits(self, logits: Tensor) -> Tensor:
        if self.classes == list(range(len(self.classes))):  # a slice is faster than a gather
            return logits[..., : len(self.classes)]
        return ops.take(logits, self.classes, axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}

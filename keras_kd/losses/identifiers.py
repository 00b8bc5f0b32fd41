"""Losses from a name, a configuration or a function."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from keras_kd.legacy import comes_from
from keras_kd.loss_names import snake_case, unknown_loss
from keras_kd.losses.features import Elementwise
from keras_kd.losses.loss import SignalLoss
from keras_kd.tensors import Tensor

# A loss, its name, its configuration, or a function.
LossIdentifier: TypeAlias = str | dict[str, Any] | keras.losses.Loss | Callable[..., Tensor]


def _losses_by_name() -> dict[str, type[SignalLoss]]:
    from keras_kd import losses  # here, because the package imports this module

    classes = (getattr(losses, name) for name in losses.__all__)
    return {
        snake_case(cls.__name__): cls for cls in classes if isinstance(cls, type) and cls is not SignalLoss
    }


def get(identifier: LossIdentifier) -> SignalLoss:
    """Turn an identifier into a loss, as `keras.losses.get` does.

    Args:
        identifier: A loss from `kd.losses` or its snake-case name (`"soft_targets"`); a Keras loss or
            its name (`"mse"`), a custom `keras.losses.Loss`, or a function
            `(teacher, student) -> (batch, ...)`, which become an `Elementwise`; or a configuration.

    Returns:
        A loss that gives one value per sample.

    Raises:
        ValueError: An unknown name; near misses are suggested.
        TypeError: A tf_keras loss; anything else.

    Examples:
        >>> import keras_kd as kd
        >>> kd.losses.get("soft_targets").temperature
        4.0
        >>> kd.losses.get("mse").name
        'mse'
    """
    if isinstance(identifier, dict):
        identifier = keras.losses.deserialize(identifier)
    if isinstance(identifier, str):
        ours = _losses_by_name()
        return _make_default(ours[identifier]) if identifier in ours else _make_elementwise(identifier)
    if isinstance(identifier, keras.losses.Loss):
        return identifier if isinstance(identifier, SignalLoss) else Elementwise(identifier)
    if comes_from(identifier, "tf_keras"):
        name = getattr(identifier, "__name__", type(identifier).__name__)
        raise TypeError(
            f"Expected a loss from kd.losses or Keras 3, and this {name} is of tf_keras. Pass its name, "
            "or its counterpart in keras.losses."
        )
    if isinstance(identifier, type):
        raise TypeError(
            f"Expected a loss, received the class {identifier.__name__}. Call it: {identifier.__name__}()."
        )
    if callable(identifier):
        return Elementwise(identifier)
    raise TypeError(
        "Expected a loss from kd.losses or Keras, its name, or a function (teacher, student). "
        f"Received: {identifier!r}."
    )


def _make_default(cls: type[SignalLoss]) -> SignalLoss:
    parameters = list(inspect.signature(cls).parameters.values())
    required = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if required:
        raise ValueError(
            f"{cls.__name__} has no default for {', '.join(required)}, so a name is not enough. "
            f"Write kd.losses.{cls.__name__}({', '.join(f'{name}=...' for name in required)})."
        )
    return cls()


def _make_elementwise(name: str) -> Elementwise:
    try:
        return Elementwise(name)
    except ValueError:
        raise ValueError(unknown_loss(name)) from None

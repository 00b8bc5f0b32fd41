"""The two directions of the bridge; its code reads them, so that it is written once for both."""

import dataclasses
from types import ModuleType
from typing import Any

import keras


class Unbridgeable(Exception):
    """Why one layer cannot be converted; all of these are collected in one error."""


class NoCounterpart(Unbridgeable):
    """The other library has no such layer or argument; perhaps the original can be called."""


@dataclasses.dataclass(frozen=True)
class Direction:
    """One direction of the bridge."""

    source: ModuleType
    target: ModuleType

    @property
    def forward(self) -> bool:
        """Whether the direction is to tf_keras."""
        return self.source is keras

    @property
    def name(self) -> str:
        """The name of the target library."""
        return "tf_keras" if self.forward else "Keras 3"

    def is_model(self, layer: object) -> bool:
        """Whether a layer of the source library is itself a model."""
        return isinstance(layer, self.source.Model)

    def flatten(self, structure: object) -> list[Any]:
        """The leaves of a structure, in the order that both libraries have in common."""
        return keras.tree.flatten(to_plain(structure))


def direction_to_tf_keras() -> Direction:
    """From Keras 3 to tf_keras."""
    return Direction(keras, load_tf_keras())


def direction_from_tf_keras() -> Direction:
    """From tf_keras to Keras 3."""
    return Direction(load_tf_keras(), keras)


def load_tf_keras() -> ModuleType:
    """The library tf_keras, loaded when first needed."""
    try:
        import tf_keras
    except ImportError as error:
        raise ImportError(
            "the bridge needs tf-keras, which could not be imported: "
            'pip install "tf-keras>=2.21,<2.22" "tensorflow-model-optimization>=0.8.1"'
        ) from error
    return tf_keras


def to_plain(structure: object) -> Any:
    """The structure with plain dicts, lists and tuples in place of tf_keras's wrappers of them."""
    if isinstance(structure, dict):
        return {key: to_plain(value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        values = [to_plain(value) for value in structure]
        return type(structure)(*values) if hasattr(structure, "_fields") else tuple(values)
    return [to_plain(value) for value in structure] if isinstance(structure, list) else structure

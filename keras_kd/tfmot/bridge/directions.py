"""From which library to which: what both ways of the bridge read instead of saying it twice."""

import dataclasses
from types import ModuleType
from typing import Any

import keras


class Unbridgeable(Exception):
    """Why one layer cannot be rebuilt; all of them are told in one error."""


class NoCounterpart(Unbridgeable):
    """The other library has no such layer, or no such argument: calling the original may still do."""


@dataclasses.dataclass(frozen=True)
class Direction:
    """One way over the bridge."""

    source: ModuleType
    target: ModuleType

    @property
    def forward(self) -> bool:
        """Whether the way leads to tf_keras."""
        return self.source is keras

    @property
    def name(self) -> str:
        """The name of the library at the other side."""
        return "tf_keras" if self.forward else "Keras 3"

    def is_model(self, layer: Any) -> bool:
        """Whether a layer of the source is itself a model."""
        return isinstance(layer, self.source.Model)

    def flat(self, structure: Any) -> list:
        """The leaves of a structure, in the order of the source's library and of the target's alike."""
        return keras.tree.flatten(plain(structure))


def forward() -> Direction:
    """From Keras 3 to tf_keras."""
    return Direction(keras, tf_keras())


def backward() -> Direction:
    """From tf_keras to Keras 3."""
    return Direction(tf_keras(), keras)


def tf_keras() -> ModuleType:
    """The library tf_keras, loaded when it is first needed."""
    try:
        import tf_keras
    except ImportError as error:
        raise ImportError(
            "the bridge needs tf-keras, which could not be imported: "
            'pip install "tf-keras>=2.21,<2.22" "tensorflow-model-optimization>=0.8.1"'
        ) from error
    return tf_keras


def plain(structure: Any) -> Any:
    """The structure with plain dicts, lists and tuples in place of what tf_keras wraps them in."""
    if isinstance(structure, dict):
        return {key: plain(value) for key, value in structure.items()}
    if isinstance(structure, tuple):
        values = [plain(value) for value in structure]
        return type(structure)(*values) if hasattr(structure, "_fields") else tuple(values)
    return [plain(value) for value in structure] if isinstance(structure, list) else structure

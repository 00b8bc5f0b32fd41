"""The tensors of a structure by path, and what is taken of them by key."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import keras

from keras_kd.tensors import Tensors

# A key of a structure, or a structure of keys; `None`: it is not said.
Keys: TypeAlias = str | int | list[Any] | tuple[Any, ...] | dict[Any, Any] | None


def parts(structure: Tensors) -> dict[str, Any]:
    """The tensors of a structure by path, such as `"heads/a"` or `"0"`; `""` for a single tensor."""
    if isinstance(structure, dict):
        inside = structure.items()
    elif isinstance(structure, (list, tuple)):
        inside = dict(enumerate(structure)).items()
    else:
        return {"": structure}
    found = [
        (f"{key}/{path}".rstrip("/"), part) for key, value in inside for path, part in parts(value).items()
    ]
    return dict(found)


def with_parts(structure: Tensors, found: Iterable[Any]) -> Any:
    """A structure with other tensors in the places of its own, which are in the order of `parts`.

    `keras.tree` and `tf.nest` sort the keys of dictionaries, and `parts` does not.

    Examples:
        >>> with_parts({"b": 1, "a": [2]}, ["first", "second"])
        {'b': 'first', 'a': ['second']}
    """
    values = iter(found)

    def filled(inside: Tensors) -> Any:
        if isinstance(inside, dict):
            return {key: filled(value) for key, value in inside.items()}
        if isinstance(inside, (list, tuple)):
            held = [filled(value) for value in inside]
            return type(inside)(*held) if hasattr(inside, "_fields") else type(inside)(held)
        return next(values)

    return filled(structure)


def parts_by_key(structure: Tensors) -> dict[str, Any]:
    """What a key can name: the tensors by path, and what the structure holds directly; of a tensor, none."""
    if not isinstance(structure, (dict, list, tuple)):
        return {}
    held = structure if isinstance(structure, dict) else dict(enumerate(structure))
    return {**parts(structure), **{str(key): part for key, part in held.items()}}


def take(structure: Tensors, keys: Keys) -> Tensors:
    """The parts with these keys, in the structure of the keys.

    Raises:
        KeyError: There is no part with one of the keys, which is its argument.
    """
    named = parts_by_key(structure)
    return keras.tree.map_structure(lambda key: named[str(key)], keys)

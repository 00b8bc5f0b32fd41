"""Names for the inputs and outputs of a file: the user's own where there are any, else numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import keras

from keras_kd import keras_internals
from keras_kd.legacy import is_tf_keras, is_wired, maker_of_tensor, nested_outputs
from keras_kd.tensors import Tensors

# What Keras 3 and tf_keras call inputs that have no name; the numbers change from run to run.
_UNNAMED = re.compile(r"keras_tensor(_\d+)?|input_layer(_\d+)?")
_UNNAMED_IN_TF_KERAS = re.compile(r"input_\d+")


def leaf_names(structure: object, stem: str, own: Sequence[str | None] = ()) -> list[str]:
    """Name the leaves of a structure.

    Args:
        structure: one leaf, or a dict, list or tuple of leaves.
        stem: `"input"` or `"output"`.
        own: the name that the user gave each leaf, or `None`.

    Returns:
        For each leaf its dict keys, else its own name, else `stem_0`, `stem_1`, ... Own names are left out
        if they are not distinct.
    """
    paths = [path for path, _ in keras.tree.flatten_with_path(structure)]
    names = [_name(path, stem) for path in paths]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"Two {stem}s of the model would both be called {twice[0]!r} in a file. Rename one.")
    given = [
        name if theirs is None or any(isinstance(key, str) for key in path) else theirs
        for path, name, theirs in zip(paths, names, own or [None] * len(names), strict=True)
    ]
    return given if len(set(given)) == len(given) else names


def _name(path: tuple[str | int, ...], stem: str) -> str:
    if not path:
        return f"{stem}_0"
    return "_".join(map(str, path if isinstance(path[0], str) else (stem, *path)))


def input_names(structure: object) -> list[str]:
    """Name inputs, given as symbolic tensors or `InputSpec`s; files preserve these names."""
    own = [_name_of_input(leaf) for leaf in keras.tree.flatten(structure)]
    names = plain_names(leaf_names(structure, "input", own))
    return names if len(set(names)) == len(names) else plain_names(leaf_names(structure, "input"))


def _name_of_input(leaf: object) -> str | None:
    if isinstance(leaf, keras.KerasTensor):
        return None if _UNNAMED.fullmatch(leaf.name) else str(leaf.name)
    maker = maker_of_tensor(leaf)
    return None if maker is None or _UNNAMED_IN_TF_KERAS.fullmatch(maker.name) else str(maker.name)


def plain_names(names: Sequence[str]) -> list[str]:
    """Names that files preserve: a slash, a space or an accent would be changed."""
    plain = [re.sub(r"[^A-Za-z0-9_]", "_", name) for name in names]
    return [name if name.strip("_") else f"input_{i}" for i, name in enumerate(plain)]


def output_names(model: keras.Model, outputs: Tensors) -> list[str]:
    """Name outputs: by the keys of a dict, else by the layers that return them.

    Args:
        model: the model.
        outputs: what a call of it returned.
    """
    symbols = keras.tree.flatten(symbolic_outputs(model))
    count = len(keras.tree.flatten(outputs))
    own = [_name_of_output(symbol) for symbol in symbols] if len(symbols) == count else []
    return leaf_names(outputs, "output", own)


def symbolic_outputs(model: keras.Model) -> Tensors:
    """What a functional or sequential model returns, symbolically; an empty list for others."""
    if is_tf_keras(model):
        return nested_outputs(model) if is_wired(model) else []
    function = keras_internals.functional_of(model) if keras_internals.runs_as_wired(model) else None
    return [] if function is None else keras_internals.output_structure(function)


def _name_of_output(symbol: object) -> str | None:
    if isinstance(symbol, keras.KerasTensor):
        maker, _ = keras_internals.maker_of(symbol)
    else:
        maker = maker_of_tensor(symbol)
    # Keras named it after its class; the number changes from run to run.
    stem = re.sub(r"_\d+$", "", maker.name).replace("_", "")
    unnamed = stem == type(maker).__name__.lower() or _UNNAMED_IN_TF_KERAS.fullmatch(maker.name)
    return None if unnamed or "." in maker.name else maker.name

"""What a Keras model takes: the structure of its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import keras

from keras_kd.legacy import has_explicit_input, is_tf_keras_tensor, keras_classes
from keras_kd.tensors import Tensors, TensorSpecs

InputSpecs: TypeAlias = keras.InputSpec | list[Any] | tuple[Any, ...] | dict[str, Any] | None
# Shapes in the structure of the inputs, as in `get_build_config`: lists, as from JSON, or tuples.
Shapes: TypeAlias = Sequence[Any] | dict[str, Any]


def input_structure(model: keras.Model) -> InputSpecs | TensorSpecs:
    """Find what a built model takes, as symbolic tensors or `InputSpec`s in the structure of its argument.

    Raises:
        ValueError: if the model is not built, or its inputs cannot be determined.
    """
    if isinstance(model, keras_classes("Sequential")):
        # A sequential model has a list of one input here, but takes that input itself.
        symbolic: Any = next(iter(getattr(model, "inputs", None) or []), None)
        if is_tf_keras_tensor(symbolic) and symbolic.name.endswith("_input"):
            # tf_keras named it after the first layer, whose number changes from run to run.
            batch = symbolic.shape[0] if has_explicit_input(model) else None  # else that of the first data
            return keras.InputSpec(shape=(batch, *symbolic.shape[1:]), dtype=symbolic.dtype)
    else:
        symbolic = getattr(model, "input", None)  # subclassed models have none
    return _built_structure(model) if symbolic is None else symbolic


def _built_structure(model: keras.Model) -> InputSpecs:
    if not model.built:
        raise ValueError(f"{model.name!r} has not been built: call it once on a batch, or pass inputs=.")
    config = model.get_build_config() or {}
    if "input_shape" not in config:
        arguments = sorted(config.get("shapes_dict", {})) or "unknown arguments"
        raise ValueError(
            f"Cannot determine the inputs of {model.name!r} (it takes {arguments}): give call() one "
            "argument, an array or a dict or list of arrays, and call the model once; or pass inputs=."
        )
    return _shapes_to_specs(config["input_shape"])


def _shapes_to_specs(shapes: Shapes) -> InputSpecs:
    if isinstance(shapes, dict):
        return {key: _shapes_to_specs(value) for key, value in shapes.items()}
    if shapes and isinstance(shapes[0], (list, tuple, dict)):
        return [_shapes_to_specs(value) for value in shapes]
    return keras.InputSpec(shape=(None, *shapes[1:]), dtype=keras.config.floatx())


def flatten_like(structure: Tensors | InputSpecs, x: Tensors) -> list[Any] | None:
    """The leaves of `x` if it has this structure, otherwise `None`; lists and tuples are equivalent."""
    try:
        keras.tree.assert_same_structure(keras.tree.lists_to_tuples(structure), keras.tree.lists_to_tuples(x))
    except (ValueError, TypeError):
        return None
    return keras.tree.flatten(x)

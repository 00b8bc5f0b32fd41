"""A Keras model with named inputs and outputs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.kinds import is_tf_keras_tensor, kinds
from keras_kd.deployment.tensors import Tensor, arrays_by_name

# Stands for axes of any length, the batch apart, in samples that are made up.
_ANY_LENGTH = 32
REDUCED = ("float16", "bfloat16")


def layers_of(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the model and every layer in it, however deep, cells of recurrent layers included."""
    # `model.layers` neither enters nested models nor layers that hold layers; Keras has no public walk.
    return list(model._flatten_layers())


def computes_in_half(model: keras.Model) -> bool:
    """Tell whether any layer computes in float16 or bfloat16."""
    return any(layer.compute_dtype in REDUCED for layer in layers_of(model))


@dataclass(frozen=True)
class Serving:
    """How a Keras model is called by name.

    Args:
        model: the model.
        structure: its inputs as it takes them: one `Tensor`, or a dict or list of them.
        keras_names: what Keras calls these inputs, in flat order; data sets may use these names, too.
        batch_size: the fixed batch, or `None`.
    """

    model: keras.Model
    structure: Any
    keras_names: tuple[str, ...]
    batch_size: int | None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs, in the order in which Keras flattens their structure."""
        return tuple(keras.tree.flatten(self.structure))

    def arrays(self, x: Any) -> dict[str, np.ndarray]:
        """Check data against the inputs and return it by name."""
        if isinstance(x, dict) and set(x) == set(self.keras_names):
            x = {tensor.name: x[name] for tensor, name in zip(self.inputs, self.keras_names, strict=True)}
        elif isinstance(x, (dict, list, tuple)):
            flat = _flat_like(self.structure, x)
            if flat is not None:
                x = {tensor.name: value for tensor, value in zip(self.inputs, flat, strict=True)}
        return arrays_by_name(x, self.inputs)

    def call(self, arrays: dict[str, Any]) -> dict[str, tf.Tensor]:
        """Call the model for inference on inputs by name; returns its outputs by name."""
        values = [arrays[tensor.name] for tensor in self.inputs]
        outputs = self.model(keras.tree.pack_sequence_as(self.structure, values), training=False)
        return dict(zip(names_of(outputs, "output"), keras.tree.flatten(outputs), strict=True))

    def predict(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the model on the CPU on inputs by name, batch after batch."""
        rows = len(next(iter(arrays.values())))
        step = self.batch_size or rows
        parts = []
        # A GPU may round products of float32 to 10 bits, which no file does.
        with tf.device("CPU"):
            for start in range(0, rows, step):
                picked = np.minimum(np.arange(start, start + step), rows - 1)
                outputs = self.call({name: tf.constant(a[picked]) for name, a in arrays.items()})
                parts.append({name: np.asarray(value)[: rows - start] for name, value in outputs.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def compiled(self) -> Any:
        """Compile `call`, for any number of samples unless the batch is fixed."""
        # A concrete function: TensorFlow warns when one line of code makes several that trace on first use.
        specs = {spec.name: spec for spec in self.specs()}
        return tf.function(self.call, autograph=False).get_concrete_function(specs)

    def runner(self) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
        """A function from inputs to outputs, by name, that leaves how the user's model is compiled alone."""
        if self.batch_size is not None:
            return self.predict
        compiled = self.compiled()

        def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            outputs = compiled({name: tf.constant(array) for name, array in arrays.items()})
            return {name: np.asarray(value) for name, value in outputs.items()}

        return run

    def specs(self) -> list[tf.TensorSpec]:
        """The inputs as TensorFlow describes them, in order."""
        return [
            tf.TensorSpec((self.batch_size, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
            for tensor in self.inputs
        ]

    def made_up(self, rows: int) -> dict[str, np.ndarray]:
        """Make up valid inputs: numbers in [0, 1), or small whole numbers for indices."""
        rng = np.random.default_rng(0)
        vocabularies = [
            layer.input_dim for layer in layers_of(self.model) if isinstance(layer, kinds("layers.Embedding"))
        ]
        arrays = {}
        values: np.ndarray
        for tensor in self.inputs:
            shape = (rows, *(size or _ANY_LENGTH for size in tensor.shape[1:]))
            if tensor.dtype == "uint8":
                values = rng.integers(0, 256, shape)
            elif vocabularies or not tensor.dtype.startswith(("float", "bfloat")):
                values = rng.integers(0, min(vocabularies, default=2), shape)
            else:
                values = rng.random(shape)
            arrays[tensor.name] = values.astype(tensor.dtype)
        return arrays


def serving(model: keras.Model, *, batch_size: int | None = None, inputs: Any = None) -> Serving:
    """Find out how a model is called.

    Args:
        model: a built model.
        batch_size: fixes the batch; `None` leaves it free, unless the model fixes it.
        inputs: `keras.InputSpec`s in the structure that the model takes, for subclassed models whose
            inputs are not all float32.
    """
    structure = inputs if inputs is not None else _input_structure(model)
    leaves = keras.tree.flatten(structure)
    tensors = [
        Tensor(name, tuple(leaf.shape), _file_dtype(leaf.dtype))
        for name, leaf in zip(_plain(names_of(structure, "input")), leaves, strict=True)
    ]
    for tensor in tensors:
        if tensor.dtype == "string":
            raise ValueError(
                f"Input {tensor.name!r} of {model.name!r} takes strings, and a file takes numbers: "
                "leave the lookup out of the model."
            )
    names = [tensor.name for tensor in tensors]
    if len(set(names)) < len(names):
        raise ValueError(f"The inputs of {model.name!r} need distinct names; received {names}.")
    fixed = {tensor.shape[0] for tensor in tensors if tensor.shape[0] is not None}
    if fixed and batch_size is not None and fixed != {batch_size}:
        raise ValueError(
            f"batch_size={batch_size} does not fit {model.name!r}, whose inputs fix it at {max(fixed)}."
        )
    return Serving(
        model=model,
        structure=keras.tree.pack_sequence_as(structure, tensors),
        keras_names=tuple(
            getattr(leaf, "name", None) or name for leaf, name in zip(leaves, names, strict=True)
        ),
        batch_size=max(fixed) if fixed else batch_size,
    )


def names_of(structure: Any, stem: str) -> list[str]:
    """Name the leaves of a structure: by dict keys, else `stem_0`, `stem_1`, ..."""
    if not keras.tree.is_nested(structure):
        return [_given_name(structure, f"{stem}_0")]
    names = [
        "_".join(str(key) for key in path) if isinstance(path[0], str) else "_".join(map(str, (stem, *path)))
        for path, _ in keras.tree.flatten_with_path(structure)
    ]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"Two {stem}s of the model would both be called {twice[0]!r} in a file. Rename one.")
    return names


def _given_name(leaf: Any, otherwise: str) -> str:
    # Keras numbers the inputs that nobody named; such names would change from run to run.
    if is_tf_keras_tensor(leaf):
        return otherwise if re.fullmatch(r"input_\d+", leaf.name) else leaf.name
    name = getattr(leaf, "name", None) if isinstance(leaf, keras.KerasTensor) else None
    return otherwise if name is None or name.startswith("keras_tensor") else name


def _file_dtype(dtype: Any) -> str:
    name = keras.backend.standardize_dtype(dtype or "float32")
    return "float32" if name in REDUCED else name


def _plain(names: list[str]) -> list[str]:
    """Names that reach the file as they are: a slash, a blank or an accent would be changed on the way."""
    plain = [re.sub(r"[^A-Za-z0-9_]", "_", name) for name in names]
    return [name if name.strip("_") else f"input_{i}" for i, name in enumerate(plain)]


def _input_structure(model: keras.Model) -> Any:
    if isinstance(model, kinds("Sequential")):
        # A sequential model has a list of one input here, and takes that one.
        symbolic: Any = next(iter(getattr(model, "inputs", None) or []), None)
        if is_tf_keras_tensor(symbolic) and symbolic.name.endswith("_input"):
            # tf_keras named it after the first layer, whose number changes from run to run.
            batch = symbolic.shape[0] if model._has_explicit_input_shape else None  # else of the first data
            return keras.InputSpec(shape=(batch, *symbolic.shape[1:]), dtype=symbolic.dtype)
    else:
        symbolic = getattr(model, "input", None)  # subclassed models have none
    if symbolic is not None:
        return symbolic
    if not model.built:
        raise ValueError(f"{model.name!r} has not been built: call it once on a batch, or pass inputs=.")
    config = model.get_build_config() or {}
    if "input_shape" not in config:
        takes = sorted(config.get("shapes_dict", {})) or "unknown arguments"
        raise ValueError(
            f"Cannot tell the inputs of {model.name!r} (it takes {takes}): give call() one argument, "
            "an array or a dict or list of arrays, and call the model once; or pass inputs=."
        )
    return _shapes_to_specs(config["input_shape"])


def _shapes_to_specs(shapes: Any) -> Any:
    if isinstance(shapes, dict):
        return {key: _shapes_to_specs(value) for key, value in shapes.items()}
    if shapes and isinstance(shapes[0], (list, tuple, dict)):
        return [_shapes_to_specs(value) for value in shapes]
    return keras.InputSpec(shape=(None, *shapes[1:]), dtype=keras.config.floatx())


def _flat_like(structure: Any, x: Any) -> list[Any] | None:
    try:
        keras.tree.assert_same_structure(keras.tree.lists_to_tuples(structure), keras.tree.lists_to_tuples(x))
    except (ValueError, TypeError):
        return None
    return keras.tree.flatten(x)

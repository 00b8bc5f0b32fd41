"""A Keras model with named inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf
from tensorflow.types.experimental import ConcreteFunction

from keras_kd.deployment.elements import Inputs
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.source.input_structure import InputSpecs, input_structure
from keras_kd.deployment.source.source_model import HALF_PRECISION, plainly_named
from keras_kd.deployment.tensor_details import TensorDetails, TensorDetailsStructure
from keras_kd.deployment.tensor_names import input_names, output_names
from keras_kd.legacy import all_layers_of, keras_classes
from keras_kd.parts import Keys
from keras_kd.tensors import Tensor, Tensors

_ANY_LENGTH = 32
# What TensorFlow and Keras raise for code that reads values, or sizes that are free: a trace has neither.
_UNTRACEABLE = (ValueError, TypeError, AttributeError, NotImplementedError)


@dataclass(frozen=True)
class Serving:
    """How a Keras model is called by name.

    Args:
        model: the model.
        structure: its inputs in the structure that it takes: one `TensorDetails`, or a dict or list of them.
        keras_names: Keras's names of these inputs, in flattened order; datasets may use these names, too.
        batch_size: the fixed batch size of its files, or `None`.
        own_batch_size: the batch size that the model itself fixes, or `None`.
        keys: the parts of data that it takes, as a `Distiller` says of its student.
    """

    model: keras.Model
    structure: TensorDetailsStructure
    keras_names: tuple[str, ...]
    batch_size: int | None
    own_batch_size: int | None = None
    keys: Keys = None

    @property
    def inputs(self) -> tuple[TensorDetails, ...]:
        """The inputs, in the order in which Keras flattens their structure."""
        return tuple(keras.tree.flatten(self.structure))

    def arrays(self, x: Tensors) -> dict[str, np.ndarray]:
        """Check data against the inputs and return it by name."""
        return self.interface().arrays(x, self.inputs)

    def interface(self, outputs: Tensors = ()) -> Interface:
        """The names of the inputs and of these outputs of a call, in their structures."""
        names = keras.tree.map_structure(lambda tensor: tensor.name, self.structure)
        aliases = {other: tensor.name for tensor, other in zip(self.inputs, self.keras_names, strict=True)}
        if isinstance(outputs, tuple) and not outputs:
            return Interface(names, (), aliases, self.keys)
        keys = keras.tree.flatten(self.keys)
        if len(keys) == len(self.inputs):  # a file may be given the same data as the model
            aliases |= {
                key: tensor.name
                for key, tensor in zip(keys, self.inputs, strict=True)
                if isinstance(key, str)
            }
        returned = keras.tree.pack_sequence_as(outputs, output_names(self.model, outputs))
        return Interface(names, returned, aliases)

    def data_inputs(self) -> Inputs:
        """What data for the model consists of."""
        return Inputs(self.interface(), self.inputs)

    def call(self, arrays: dict[str, Tensor]) -> dict[str, tf.Tensor]:
        """Call the model for inference on inputs by name; returns its outputs by name."""
        return self._named(self.outputs(arrays))

    def _named(self, outputs: Tensors) -> dict[str, tf.Tensor]:
        return dict(zip(output_names(self.model, outputs), keras.tree.flatten(outputs), strict=True))

    def numbered(self, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Call the model on inputs in order; returns outputs by number, which is a name in any SavedModel."""
        outputs = self.outputs(
            {tensor.name: value for tensor, value in zip(self.inputs, values, strict=True)}
        )
        return {f"output_{i}": output for i, output in enumerate(keras.tree.flatten(outputs))}

    def outputs(self, arrays: dict[str, Tensor]) -> Tensors:
        """Call the model for inference on inputs by name; returns its outputs as they are."""
        values = [arrays[tensor.name] for tensor in self.inputs]
        return self.model(keras.tree.pack_sequence_as(self.structure, values), training=False)

    def predict(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the model on the CPU on inputs by name, in large batches whatever its files take."""
        rows = len(next(iter(arrays.values())))
        step = self.own_batch_size or rows
        parts = []
        # A GPU may round float32 products to 10 bits, which no file does.
        with tf.device("CPU"):
            for start in range(0, rows, step):
                picked = np.minimum(np.arange(start, start + step), rows - 1)
                outputs = self.call({name: tf.constant(a[picked]) for name, a in arrays.items()})
                parts.append({name: np.asarray(value)[: rows - start] for name, value in outputs.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def compiled(self) -> ConcreteFunction:
        """Compile `call`, for any number of samples unless the batch size is fixed."""
        # A concrete function: TensorFlow warns when one line of code creates several that trace on first use.
        specs = {tensor.name: spec for tensor, spec in zip(self.inputs, self.specs(), strict=True)}
        traced = replace(self, model=plainly_named(self.model))

        def call(arrays: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return self._named(traced.outputs(arrays))

        return tf.function(call, autograph=False).get_concrete_function(specs)

    def traced(self) -> ConcreteFunction | None:
        """As `compiled`; `None` for a model that runs only eagerly."""
        try:
            return self.compiled()
        except _UNTRACEABLE:
            return None

    def unread_inputs(self) -> list[str]:
        """The names of the inputs that no layer reads."""
        inputs = {tensor.op.name: tensor for tensor in self.compiled().inputs}
        return [tensor.name for i, tensor in enumerate(self.inputs) if not inputs[f"input_{i}"].consumers()]

    def runner(self) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
        """A function from inputs to outputs, by name; how the user's model is compiled does not change."""
        if self.own_batch_size is not None:
            return self.predict
        compiled = replace(self, batch_size=None).traced()
        if compiled is None:  # eagerly, a fault of the user's own code is raised all the same
            return self.predict

        def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            outputs = compiled({name: tf.constant(array) for name, array in arrays.items()})
            return {name: np.asarray(value) for name, value in outputs.items()}

        return run

    def specs(self) -> list[tf.TensorSpec]:
        """The inputs as `tf.TensorSpec`s, in order and by number."""
        return [
            tf.TensorSpec((self.batch_size, *tensor.shape[1:]), tensor.dtype, name=f"input_{i}")
            for i, tensor in enumerate(self.inputs)
        ]

    def vocabularies(self) -> list[int]:
        """The number of rows of each embedding."""
        embeddings = keras_classes("layers.Embedding")
        return [layer.input_dim for layer in all_layers_of(self.model) if isinstance(layer, embeddings)]

    def random_inputs(self, rows: int, length: int = _ANY_LENGTH) -> dict[str, np.ndarray]:
        """Draw valid inputs: numbers in [0, 1), or small integers for indices.

        Args:
            rows: how many samples.
            length: the length of free axes, except the batch.
        """
        rng = np.random.default_rng(0)
        vocabularies = self.vocabularies()
        arrays = {}
        values: np.ndarray
        for tensor in self.inputs:
            shape = (rows, *(size or length for size in tensor.shape[1:]))
            if tensor.dtype == "uint8":
                values = rng.integers(0, 256, shape)
            elif vocabularies or not tensor.dtype.startswith(("float", "bfloat")):
                values = rng.integers(0, min(vocabularies, default=2), shape)
            else:
                values = rng.random(shape)
            arrays[tensor.name] = values.astype(tensor.dtype)
        return arrays


def make_serving(
    model: keras.Model, *, batch_size: int | None = None, inputs: InputSpecs = None, keys: Keys = None
) -> Serving:
    """Determine how a model is called by name.

    Args:
        model: a built model.
        batch_size: the batch size to fix in files; `None` leaves it dynamic, unless the model fixes it.
        inputs: `keras.InputSpec`s in the structure that the model takes, for subclassed models whose
            inputs are not all float32.
        keys: the parts of data that it takes.
    """
    structure = inputs if inputs is not None else input_structure(model)
    leaves = keras.tree.flatten(structure)
    tensors = [
        TensorDetails(name, tuple(leaf.shape), _file_dtype(leaf.dtype))
        for name, leaf in zip(input_names(structure), leaves, strict=True)
    ]
    _check_inputs(model, tensors, batch_size)
    names = [tensor.name for tensor in tensors]
    fixed = [tensor.shape[0] for tensor in tensors if tensor.shape[0] is not None]
    return Serving(
        model=model,
        structure=keras.tree.pack_sequence_as(structure, tensors),
        keras_names=tuple(
            getattr(leaf, "name", None) or name for leaf, name in zip(leaves, names, strict=True)
        ),
        batch_size=fixed[0] if fixed else batch_size,
        own_batch_size=fixed[0] if fixed else None,
        keys=keys,
    )


def _check_inputs(model: keras.Model, tensors: list[TensorDetails], batch_size: int | None) -> None:
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


def _file_dtype(dtype: str | tf.DType | None) -> str:
    name = keras.backend.standardize_dtype(dtype or "float32")
    return "float32" if name in HALF_PRECISION else name

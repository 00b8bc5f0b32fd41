"""The names of a file's inputs and outputs, in the structures that the Keras model takes and returns.

TensorFlow's converter sorts inputs and outputs, which a SavedModel numbers, and forgets the structures.
`write_interface` puts them in the model's order, names them, and keeps the structures as metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from tensorflow.lite.python import schema_py_generated as converter_schema
from tensorflow.lite.tools import flatbuffer_utils

from keras_kd.deployment.metadata import add_metadata, damaged, read_metadata
from keras_kd.deployment.origin import MADE_FROM, Origin
from keras_kd.deployment.source.input_structure import flatten_like
from keras_kd.deployment.tensor_details import TensorDetails, checked_arrays, unknown_name
from keras_kd.parts import Keys, parts_by_key, take
from keras_kd.tensors import Tensor, Tensors

Names: TypeAlias = str | list[Any] | tuple[Any, ...] | dict[str, Any]  # names in the structure of the tensors


@dataclass(frozen=True)
class Interface:
    """How a model is called by name.

    Args:
        inputs: the names of its inputs, in the structure that it takes.
        outputs: the names of its outputs, in the structure that it returns; empty if not known yet.
        aliases: other names of inputs, such as Keras's own -> the name.
        keys: the parts of data that the model takes, if it holds these parts. They are not kept in files.
        guessed: whether another program wrote the file, which tells names and no more.
    """

    inputs: Names
    outputs: Names = ()
    aliases: dict[str, str] = field(default_factory=dict)
    keys: Keys = None
    guessed: bool = False

    @classmethod
    def of_names(cls, inputs: Sequence[str], outputs: Sequence[str]) -> Interface:
        """Guess the structures of a file that does not tell: numbered names belong to lists."""
        return cls(_guessed(inputs, "input"), _guessed(outputs, "output"), guessed=True)

    def arrays(self, x: Tensors, tensors: tuple[TensorDetails, ...]) -> dict[str, np.ndarray]:
        """Check data against the inputs and return it by name.

        Args:
            x: one array for one input; a dict by name, which may hold more; or arrays in the structure of
                the inputs.
            tensors: the inputs.

        Raises:
            ValueError: for unknown or missing names, wrong shapes, or different numbers of rows.
            TypeError: for a type that does not fit.
        """
        return checked_arrays(self.matched(x), tensors)

    def matched(self, x: Tensors) -> dict[str, Tensor]:
        """Data by name, as it is; see `arrays`."""
        x = self.taken(x)
        names: list[str] = keras.tree.flatten(self.inputs)
        if isinstance(x, dict):
            # Keras's own names may be those of other inputs in the file: all of them together are meant.
            known = self.aliases if x.keys() == self.aliases.keys() else self.known()
            mine = {key: value for key, value in x.items() if key in known}
            # Data may hold more, such as the inputs of a teacher.
            if len(mine) == len(x) or {known[key] for key in mine} == set(names):
                return _renamed(mine, known, names)
        flat = flatten_like(self.inputs, x) if isinstance(x, (dict, list, tuple)) else None
        if flat is not None:
            return dict(zip(names, flat, strict=True))
        if isinstance(x, dict):
            unknown = next(key for key in x if key not in known)
            taken = [] if self.keys is None else map(str, keras.tree.flatten(self.keys))
            raise ValueError(unknown_name(str(unknown), [*names, *taken]))
        return self._by_position(x, names)

    def takes_part(self, x: Tensors) -> bool:
        """Whether data holds what the model takes of it, and maybe more."""
        known = parts_by_key(x)
        return self.keys is not None and all(str(key) in known for key in keras.tree.flatten(self.keys))

    def taken(self, x: Tensors) -> Tensors:
        """What the model takes of the data, by its keys."""
        return take(x, self.keys) if self.takes_part(x) else x

    def _by_position(self, x: Tensors, names: list[str]) -> dict[str, Tensor]:
        listed = list(x) if isinstance(x, (list, tuple)) else None
        if len(names) == 1:
            alone = listed is not None and len(listed) == 1 and hasattr(listed[0], "shape")
            return {names[0]: listed[0] if listed and alone else x}
        if listed is None:
            raise TypeError(
                f"Expected arrays for {len(names)} inputs {names}; received one {type(x).__name__}. Pass a "
                "dict or a list: a tuple is read as (x, y)."
            )
        if isinstance(self.inputs, dict):
            raise TypeError(f"These inputs go by name: pass a dict with the keys {names}, not a list.")
        raise ValueError(f"Expected {len(names)} arrays for {names}; received {len(listed)}.")

    def known(self) -> dict[str, str]:
        """Every name that an input may be given by -> its name."""
        names: list[str] = keras.tree.flatten(self.inputs)
        numbered = {f"input_{i}": name for i, name in enumerate(names)}
        return numbered | self.aliases | {name: name for name in names}

    def structured(self, outputs: dict[str, np.ndarray]) -> Tensors:
        """Arrange outputs by name as the model returns them."""
        return keras.tree.map_structure(outputs.__getitem__, self.outputs)


def _renamed(x: dict[str, Any], known: dict[str, str], names: list[str]) -> dict[str, Tensor]:
    keys: dict[str, str] = {}
    for key in x:
        if known[key] in keys:
            raise ValueError(f"An input is given twice: as {keys[known[key]]!r} and {key!r}.")
        keys[known[key]] = key
    missing = [name for name in names if name not in keys]
    if missing:
        raise ValueError(f"Missing input {missing[0]!r}; expected {names}, received {sorted(x)}.")
    return {name: x[keys[name]] for name in names}


def _guessed(names: Sequence[str], stem: str) -> Names:
    if len(names) == 1:
        return names[0]
    numbered = [f"{stem}_{i}" for i in range(len(names))]
    return numbered if sorted(names) == sorted(numbered) else {name: name for name in names}


def read_interface(path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> Interface:
    """Read the interface of a file; it is a guess if another program wrote the file.

    Args:
        path: the file.
        inputs: the names of inputs in its signature.
        outputs: the names of outputs in its signature.

    Raises:
        ValueError: if what the file says about its names is damaged.
    """
    known = read_metadata(path)
    if known is None:
        return Interface.of_names(inputs, outputs)
    try:
        interface = Interface(**{key: part for key, part in known.items() if key != MADE_FROM})
        _check_names(interface.inputs, inputs)
        _check_names(interface.outputs, outputs)
        _check_aliases(interface)
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(path, error) from error
    return interface


def _check_names(structure: Names, names: Sequence[str]) -> None:
    given = keras.tree.flatten(structure)
    if not all(isinstance(name, str) for name in given) or sorted(given) != sorted(names):
        raise ValueError(f"it names {given}, and the file {list(names)}")


def _check_aliases(interface: Interface) -> None:
    unknown = set(interface.aliases.values()) - set(keras.tree.flatten(interface.inputs))
    if unknown:
        raise ValueError(f"it gives other names to {sorted(map(str, unknown))}")


def write_interface(content: bytes, interface: Interface, made_from: Origin | None = None) -> bytes:
    """Put the inputs and outputs of a converted file in the model's order, under the model's names.

    Args:
        content: what the converter wrote, with numbers for names.
        interface: the names in the model's structures.
        made_from: the model, which the file then tells.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(content)
    if any(buffer.offset for buffer in model.buffers):
        return content  # weights behind the flatbuffer, over 2 GB, would be lost
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    signature.inputs = _named(signature.inputs, keras.tree.flatten(interface.inputs))
    signature.outputs = _named(signature.outputs, keras.tree.flatten(interface.outputs))
    graph.inputs = np.array([entry.tensorIndex for entry in signature.inputs], "int32")
    graph.outputs = np.array([entry.tensorIndex for entry in signature.outputs], "int32")
    _rename(graph, [*signature.outputs, *signature.inputs])
    kept = {name: getattr(interface, name) for name in ("inputs", "outputs", "aliases")}
    add_metadata(model, kept if made_from is None else kept | {MADE_FROM: made_from.to_dict()})
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _named(entries: list[Any], names: list[str]) -> list[Any]:
    """The entries of a signature in the order of their numbers, with names instead."""
    entries = sorted(entries, key=lambda entry: int(entry.name.decode().rpartition("_")[2]))
    for entry, name in zip(entries, names, strict=True):
        entry.name = name.encode()
    return entries


def _rename(graph: converter_schema.SubGraphT, entries: list[Any]) -> None:
    taken = {tensor.name for tensor in graph.tensors}
    for entry in entries:
        if entry.name not in taken:
            graph.tensors[entry.tensorIndex].name = entry.name

"""A file beside the model that it was made from: the same inputs and outputs, under one set of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import keras
import numpy as np

from keras_kd.deployment.elements import Inputs
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.pairing import Named, may_be_same, pair, pair_by_name
from keras_kd.deployment.source.input_shapes import InputShape, shapes_by_name
from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.tensors import Tensors

Arrays = Mapping[str, np.ndarray]
T = TypeVar("T")


@dataclass(frozen=True)
class Owner:
    """What a file belongs to: a model, or another file of it that knows the model's names and order.

    Args:
        name: what messages call it.
        interface: how it is called.
        inputs: its inputs.
        run: a function from its inputs to its outputs, by name.
        other_outputs: Keras's own names of its outputs, in order; empty if there are none.
    """

    name: str
    interface: Interface
    inputs: Named
    run: Callable[[dict[str, np.ndarray]], Arrays]
    other_outputs: tuple[str, ...] = ()

    @classmethod
    def of_model(
        cls, served: Serving, run: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
    ) -> Owner:
        """A Keras model, and the runner of its serving."""
        layers = tuple(getattr(served.model, "output_names", None) or ())
        named = Named(served.inputs, (served.keras_names,))
        return cls(served.model.name, served.interface(), named, run, layers)

    @classmethod
    def of_file(cls, lite: LiteModel) -> Owner:
        """A file."""
        names = keras.tree.flatten(lite.interface.inputs)
        details = {tensor.name: tensor for tensor in lite.inputs}
        aliases = {name: other for other, name in lite.interface.aliases.items()}
        others = tuple(aliases.get(name, name) for name in names)
        named = Named(tuple(details[name] for name in names), (others,))
        return cls(str(lite.path), lite.interface, named, lite.predict_by_name)

    def outputs(self, arrays: Arrays) -> Named:
        """Its outputs, which have these values for some samples."""
        others = (self.other_outputs,) if len(self.other_outputs) == len(arrays) else ()
        return Named(_details(arrays), others)


class OwnedFile:
    """A file, called by the names of its owner.

    Args:
        lite: the file.
        owner: what it belongs to.

    Attributes:
        inputs: the owner's name of each input -> the file's.
        outputs: the owner's name of each output -> the file's, once it has run; empty before.

    Raises:
        ValueError: if the file takes other inputs than its owner, or their names and shapes do not tell which
            is which.
    """

    def __init__(self, lite: LiteModel, owner: Owner) -> None:
        self.lite, self.owner = lite, owner
        self.inputs = self._inputs()
        self.outputs: dict[str, str] = {}

    def _inputs(self) -> dict[str, str]:
        mine, theirs = self.owner.inputs, self.lite.inputs
        found = pair(mine, theirs)
        details = {tensor.name: tensor for tensor in theirs}
        if found and all(may_be_same(tensor, details[found[tensor.name]]) for tensor in mine.tensors):
            return found
        if found is None and _fit(mine.tensors, theirs):
            raise self._cannot_tell("input", mine.names, [tensor.name for tensor in theirs])
        raise ValueError(
            f"{str(self.lite.path)!r} is not a file of {self.owner.name!r}: the model takes "
            f"{_listed(mine.tensors)}, and the file takes {_listed(theirs)}."
        )

    def is_named_alike(self) -> bool:
        """Whether the inputs have the same names in both, rather than others of the same shapes."""
        return pair_by_name(self.owner.inputs, self.lite.inputs) is not None

    def data_inputs(self) -> Inputs:
        """What data for the file consists of."""
        return Inputs(self.owner.interface, self.owner.inputs.tensors)

    def arrays(self, x: Tensors) -> dict[str, np.ndarray]:
        """Data in any form that the owner takes, by the owner's names."""
        return self.owner.interface.arrays(x, self.owner.inputs.tensors)

    def input_shape(self, input_shape: InputShape) -> InputShape:
        """The shape of one sample, as the owner takes it, by the file's names."""
        shapes = shapes_by_name(input_shape, self.owner.interface, self.owner.inputs.tensors)
        return {self.inputs[name]: shape for name, shape in shapes.items()}

    def predict(self, arrays: dict[str, np.ndarray], wanted: Arrays | None = None) -> dict[str, np.ndarray]:
        """Run the file on inputs by the owner's names; the outputs have the owner's names and order.

        Args:
            arrays: the inputs.
            wanted: the owner's outputs for them, if they are known.

        Raises:
            ValueError: if the file returns other outputs than its owner, or it cannot be told which is which.
        """
        received = self.lite.predict_by_name({self.inputs[name]: array for name, array in arrays.items()})
        if not self.outputs:
            if wanted is None:
                wanted = self.owner.run({name: array[:1] for name, array in arrays.items()})
            self.outputs = self._outputs(wanted, received)
        return {name: received[theirs] for name, theirs in self.outputs.items()}

    def of_inputs(self, known: Mapping[str, T]) -> dict[str, T]:
        """What is known of inputs by the file's names, by the owner's."""
        return {name: known[theirs] for name, theirs in self.inputs.items() if theirs in known}

    def of_outputs(self, known: Mapping[str, T]) -> dict[str, T]:
        """What is known of outputs by the file's names, by the owner's; all of it once the file has run."""
        return {name: known[theirs] for name, theirs in self.outputs.items() if theirs in known}

    def _outputs(self, wanted: Arrays, received: Arrays) -> dict[str, str]:
        mine, theirs = self.owner.outputs(wanted), _details(received)
        found = pair(mine, theirs)
        if found and all(received[found[name]].shape[1:] == wanted[name].shape[1:] for name in found):
            return found
        if found is None and _fit(mine.tensors, theirs):
            raise self._cannot_tell("output", mine.names, list(received))
        shapes = [{name: array.shape[1:] for name, array in arrays.items()} for arrays in (wanted, received)]
        raise ValueError(
            f"{str(self.lite.path)!r} is not a file of {self.owner.name!r}: the outputs of the model are "
            f"{shapes[0]}, and those of the file {shapes[1]}."
        )

    def _cannot_tell(self, what: str, mine: Sequence[str], theirs: Sequence[str]) -> ValueError:
        return ValueError(
            f"Neither names nor shapes tell which {what} of {str(self.lite.path)!r} is which of "
            f"{self.owner.name!r}: the file has {list(theirs)}, and the model {list(mine)}. Give the {what}s "
            "of the model the names that they have in the file."
        )


def _details(arrays: Arrays) -> tuple[TensorDetails, ...]:
    return tuple(
        TensorDetails(name, (None, *array.shape[1:]), array.dtype.name) for name, array in arrays.items()
    )


def _fit(mine: Sequence[TensorDetails], theirs: Sequence[TensorDetails]) -> bool:
    """Whether each of the one fits some of the other."""
    return len(mine) == len(theirs) and all(
        any(may_be_same(a, b) for b in others)
        for tensors, others in ((mine, theirs), (theirs, mine))
        for a in tensors
    )


def _listed(tensors: Sequence[TensorDetails]) -> str:
    return ", ".join(f"{tensor.name} {tuple(tensor.shape[1:])} {tensor.value_dtype}" for tensor in tensors)

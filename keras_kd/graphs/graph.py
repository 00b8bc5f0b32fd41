"""What a graph is: calls of operations in order, and the tensors between them."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras

from keras_kd.messages import did_you_mean
from keras_kd.tensors import Shape, Tensors


@keras.saving.register_keras_serializable("keras_kd")
@dataclasses.dataclass(frozen=True)
class Slot:
    """A tensor of a graph by its number; it stands where the tensor stood among arguments and results."""

    index: int

    def get_config(self) -> dict[str, int]:
        """The number, as Keras saves it."""
        return {"index": self.index}

    @classmethod
    def from_config(cls, config: dict[str, int]) -> "Slot":
        """The slot of a saved number."""
        return cls(**config)


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """An operation applied once.

    Attributes:
        operation: A layer, a nested model, or an operation such as that of `x + y`. All calls of a shared
            layer have the same one.
        args: The positional arguments, with slots in place of tensors.
        kwargs: The others, likewise, without the masks that Keras passes by itself.
        results: The tensors that it returns, in the order of `keras.tree.flatten`.
        path: Where the operation is: `"conv1"`, or `"backbone/conv1"` in an opened graph.
        number: Which of the operation's calls it is, counted from 0.
        inner: The graph of a nested model that runs as it is wired, else `None`.
    """

    operation: keras.Operation
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Slot, ...]
    path: str
    number: int = 0
    inner: "Graph | None" = None

    @property
    def reads(self) -> tuple[Slot, ...]:
        """The tensors among its arguments."""
        return slots_in((self.args, self.kwargs))

    @property
    def entries(self) -> tuple[Slot, ...]:
        """For a nested model: what is given to each of its inputs, in the order of the inputs."""
        if self.inner is None:
            return ()
        given = self.args[0] if self.args else self.kwargs["inputs"]
        if isinstance(given, dict) and not isinstance(
            self.inner.inputs, dict
        ):  # Keras goes by the names then
            return tuple(given[self.inner.symbol(slot).name] for slot in slots_in(self.inner.inputs))
        # Keras goes by the order, and leaves out what is too much.
        return slots_in(given)[: len(slots_in(self.inner.inputs))]


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """Calls in topological order, and the tensors between them.

    Attributes:
        name: The model's.
        inputs: Slots in the structure in which the model takes its inputs.
        outputs: Slots in the structure in which it returns its outputs.
        symbols: The symbolic tensor of each slot: shape, dtype, name, padding mask.
        calls: The operations, each after those whose results it reads.
        model: The model itself, or `None` for a part of one.
    """

    name: str
    inputs: Tensors
    outputs: Tensors
    symbols: tuple[keras.KerasTensor, ...]
    calls: tuple[Call, ...]
    model: keras.Model | None = None

    @functools.cached_property
    def _makers(self) -> dict[Slot, Call]:
        return {slot: call for call in self.calls for slot in call.results}

    @functools.cached_property
    def _readers(self) -> dict[Slot, list[Call]]:
        readers: dict[Slot, list[Call]] = {}
        for call in self.calls:
            for slot in dict.fromkeys(call.reads):
                readers.setdefault(slot, []).append(call)
        return readers

    def maker(self, slot: Slot) -> Call | None:
        """The call that returns a tensor; `None` for an input."""
        return self._makers.get(slot)

    def readers(self, slot: Slot) -> Sequence[Call]:
        """The calls that read a tensor, in order; being an output of the graph does not count."""
        return self._readers.get(slot, ())

    def symbol(self, slot: Slot) -> keras.KerasTensor:
        """The symbolic tensor of a slot."""
        return self.symbols[slot.index]

    def shape(self, slot: Slot) -> Shape:
        """The shape of a tensor, with `None` for dynamic axes."""
        return tuple(self.symbols[slot.index].shape)

    def calls_of(self, operation: keras.Operation) -> list[Call]:
        """Every call of an operation: more than one where it is shared."""
        return [call for call in self.calls if call.operation is operation]

    def calls_at(self, path: str) -> list[Call]:
        """Every call of the operation at a path.

        Raises:
            ValueError: There is none; similar paths are suggested.
        """
        found = [call for call in self.calls if call.path == path]
        if not found:
            paths = list(dict.fromkeys(call.path for call in self.calls))
            raise ValueError(f"{self.name!r} has no operation {path!r}.{did_you_mean(path, paths, 3)}")
        return found

    def articulation_points(self) -> list[Call]:
        """The calls that all paths from the inputs to the outputs have in common, in order."""
        position = {call: i for i, call in enumerate(self.calls)}
        outputs = set(slots_in(self.outputs))
        end = len(self.calls)
        readers = [
            [position[reader] for slot in call.results for reader in self.readers(slot)]
            + [end] * bool(outputs.intersection(call.results))
            for call in self.calls
        ]
        entries = [position[call] for slot in slots_in(self.inputs) for call in self.readers(slot)]
        start = max([*entries, *([end] if outputs.intersection(slots_in(self.inputs)) else [])], default=0)
        return [self.calls[i] for i in articulation_points(readers, start)]

    def cut(self, inputs: Tensors, outputs: Tensors | None = None) -> "Graph":
        """The part of the graph between some tensors and the outputs, or other tensors.

        Args:
            inputs: Slots that the part takes, in a structure.
            outputs: Slots that it returns; by default the model's.

        Raises:
            ValueError: It also reads something else, which the message names.
        """
        outputs = self.outputs if outputs is None else outputs
        needed = self.calls_between(slots_in(inputs), slots_in(outputs))
        known = {*slots_in(inputs), *(slot for call in needed for slot in call.results)}
        missing = [slot for call in needed for slot in call.reads if slot not in known]
        missing += [slot for slot in slots_in(outputs) if slot not in known]
        if missing:
            names = ", ".join(dict.fromkeys(map(self._name_of, missing)))
            raise ValueError(f"This part of {self.name!r} also reads {names}.")
        return Graph(self.name, inputs, outputs, self.symbols, tuple(needed))

    def calls_between(self, inputs: Iterable[Slot], outputs: Iterable[Slot]) -> list[Call]:
        """The calls needed to compute some tensors, given others."""
        given, wanted, needed = set(inputs), set(outputs), []
        wanted -= given
        for call in reversed(self.calls):
            if wanted.intersection(call.results):
                wanted.update(slot for slot in call.reads if slot not in given)
                needed.append(call)
        return needed[::-1]

    def _name_of(self, slot: Slot) -> str:
        call = self.maker(slot)
        return f"the input {self.symbol(slot).name!r}" if call is None else repr(call.path)


def articulation_points(readers: Sequence[Iterable[int]], start: int = 0) -> Iterator[int]:
    """The positions in an ordered graph that no edge bypasses.

    Args:
        readers: For each position those, all later, to which an edge leads from it.
        start: The furthest position that an edge from before the first one leads to.
    """
    furthest = start
    for position, later in enumerate(readers):
        if furthest <= position:
            yield position
        furthest = max([furthest, *later])


def slots_in(structure: Any) -> tuple[Slot, ...]:
    """The slots among the leaves of a structure, in order."""
    return tuple(leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, Slot))

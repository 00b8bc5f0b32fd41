"""A graph with its nested models opened."""

from typing import Any

import keras

from keras_kd.graphs.graph import Call, Graph, Slot, slots_in


def opened(graph: Graph) -> Graph:
    """The same graph, with each call of a nested model replaced by the calls inside that model.

    If a nested model is called twice, each of its calls appears twice, numbered 0 and 1. Paths say
    where a layer stands: `"backbone/conv1"`. A nested model stays closed if Keras reshapes or casts a tensor
    on its way in: an axis more or less, or floats for integers.
    """
    return _Opening(graph).graph()


class _Opening:
    """Replaces each call of a nested model by the calls inside that model."""

    def __init__(self, graph: Graph) -> None:
        self.outer = graph
        self.symbols: list[keras.KerasTensor] = []
        self.calls: list[Call] = []
        self.counts: dict[int, int] = {}

    def graph(self) -> Graph:
        slots = {slot: self._new(self.outer.symbol(slot)) for slot in slots_in(self.outer.inputs)}
        self._open(self.outer, slots, "")
        outputs = _placed(self.outer.outputs, slots)
        inputs = _placed(self.outer.inputs, slots)
        symbols, calls = tuple(self.symbols), tuple(self.calls)
        return Graph(self.outer.name, inputs, outputs, symbols, calls, self.outer.model)

    def _new(self, symbol: keras.KerasTensor) -> Slot:
        self.symbols.append(symbol)
        return Slot(len(self.symbols) - 1)

    def _open(self, graph: Graph, slots: dict[Slot, Slot], prefix: str) -> None:
        """Add the calls of a graph; `slots` maps its inputs, and is extended with what its calls return."""
        for call in graph.calls:
            if call.inner is not None and _enters_unchanged(graph, call):
                entered = dict(zip(slots_in(call.inner.inputs), call.entries, strict=True))
                inner = {slot: slots[outer] for slot, outer in entered.items()}
                self._open(call.inner, inner, f"{prefix}{call.path}/")
                returned = (inner[slot] for slot in slots_in(call.inner.outputs))
                slots.update(zip(call.results, returned, strict=True))
                continue
            slots.update((slot, self._new(graph.symbol(slot))) for slot in call.results)
            args, kwargs = _placed((call.args, call.kwargs), slots)
            number = self.counts[id(call.operation)] = self.counts.get(id(call.operation), -1) + 1
            path, results = prefix + call.path, tuple(slots[slot] for slot in call.results)
            self.calls.append(Call(call.operation, args, kwargs, results, path, number, call.inner))


def _enters_unchanged(graph: Graph, call: Call) -> bool:
    """Whether the inputs of a nested model are the very tensors that are passed."""
    assert call.inner is not None
    for given, entry in zip(call.entries, slots_in(call.inner.inputs), strict=True):
        outer, inner = graph.symbol(given), call.inner.symbol(entry)
        floats = all("float" in str(symbol.dtype) for symbol in (outer, inner))  # layers cast these anyway
        if len(outer.shape) != len(inner.shape) or not (floats or outer.dtype == inner.dtype):
            return False
    return True


def _placed(structure: Any, slots: dict[Slot, Slot]) -> Any:
    return keras.tree.map_structure(lambda leaf: slots[leaf] if isinstance(leaf, Slot) else leaf, structure)

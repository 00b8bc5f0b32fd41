"""The memory of activations: what is alive while each call runs, as LiteRT's interpreter runs it.

A tensor is alive from the step that makes it to the last one that reads it; the inputs and outputs of the
model are alive throughout. Steps that the interpreter fuses, or runs in place, make no tensor.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import layers

from keras_kd.compression.costs.arena import arena_size
from keras_kd.compression.costs.leaves import Leaf, inside, is_composed, leaf_of
from keras_kd.compression.costs.recipes import note_steps
from keras_kd.compression.costs.site import Site
from keras_kd.compression.costs.sizes import bytes_of
from keras_kd.compression.costs.steps import Plan, Recording
from keras_kd.graphs import Call, Graph, Slot, slots_in


class Memory(NamedTuple):
    """The bytes that activations need.

    Attributes:
        calls: What is alive while each call runs.
        peak: The arena that holds everything, with the gaps that remain in it.
    """

    calls: dict[Call, int]
    peak: int


def memory_of(graph: Graph) -> Memory:
    """The memory of the activations of a graph.

    Args:
        graph: A graph whose shapes are known; axes that are free count as 1.
    """
    record = Recording()
    inputs = [_size_of(record, graph.symbol(slot)) for slot in slots_in(graph.inputs)]
    ends: list[int] = []
    made = _note_graph(graph, inputs, record, ends)
    plan = Plan(record, inputs, [made[slot] for slot in slots_in(graph.outputs)])
    alive, steps = plan.alive(), zip(graph.calls, [0, *ends], ends, strict=False)
    calls = {call: max(alive[start:end], default=0) for call, start, end in steps}
    return Memory(calls, arena_size(plan.lives(), len(alive)))


def _size_of(record: Recording, symbol: keras.KerasTensor) -> int:
    return record.tensor(bytes_of(symbol.shape, symbol.dtype))


def _note_graph(
    graph: Graph, inputs: Sequence[int], record: Recording, ends: list[int] | None = None
) -> dict[Slot, int]:
    """Note the steps of a graph; returns the tensors of its slots."""
    made = dict(zip(slots_in(graph.inputs), inputs, strict=True))
    for call in graph.calls:
        reads = [made[slot] for slot in call.reads]
        if _is_merged(call, graph):
            results = reads
        else:
            symbols = [graph.symbol(slot) for slot in call.results]
            results = _note_leaf(leaf_of(call, graph), reads, symbols, record)
        made.update(zip(call.results, results, strict=True))
        if ends is not None:
            ends.append(len(record.steps))
    return made


def _note_leaf(
    leaf: Leaf, reads: list[int], symbols: list[keras.KerasTensor], record: Recording
) -> list[int]:
    """Note the steps of an operation and of what is inside it; returns its results."""
    layer = leaf.operation
    if isinstance(layer, layers.SpectralNormalization):
        return _note_leaf(Leaf(layer.layer, leaf.args[:1], {}), reads[:1], symbols, record)
    if is_composed(layer) and (found := inside(leaf)) is not None:
        entries = dict(zip(map(id, leaf.tensors), reads, strict=True))
        given = [entries[id(symbol)] for symbol in found.entries]
        made = _note_graph(found.graph, given, record)
        return [made[slot] for slot in slots_in(found.graph.outputs)]
    return note_steps(Site(leaf, reads, symbols, record))


def _is_merged(call: Call, graph: Graph) -> bool:
    """Whether a padding becomes that of the convolution after it, which pads like "same" then."""
    layer, (result, *_) = call.operation, call.results
    readers = graph.readers(result)
    if not isinstance(layer, layers.ZeroPadding2D) or len(readers) != 1 or result in slots_in(graph.outputs):
        return False
    after = readers[0].operation
    if not isinstance(after, (layers.Conv2D, layers.DepthwiseConv2D)) or after.padding != "valid":
        return False
    if layer.data_format != "channels_last":
        return False
    sizes = graph.shape(call.reads[0])[1:3]
    return all(
        size is not None and tuple(given) == _padding(size, *rest)
        for size, given, *rest in zip(
            sizes, layer.padding, after.kernel_size, after.strides, after.dilation_rate, strict=True
        )
    )


def _padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """How much `padding="same"` adds before and after."""
    steps = -size // stride * -1
    total = max((steps - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2

"""Attention: heads, and what each head reads and returns."""

import numpy as np

from keras_kd.compression.shrinking.channels import Role, Step, nothing, placed
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.graphs import Slot, slots_in
from keras_kd.keras_internals import hidden_argument


def multi_head(step: Step) -> None:
    """`MultiHeadAttention`: kernels `(features, heads, size)`, and `(heads, size, features)` at the end."""
    layer = step.operation
    names = [name for name in ("query", "key", "value", "gate") if hasattr(layer, f"_{name}_dense")]
    query, key, value, output = (
        hidden_argument(layer, f"{name}_dense") for name in ("query", "key", "value", "output")
    )
    if len(output.kernel.shape) != 3:
        step.keep("it returns several axes of features")
        step.give_nothing()
        return
    tensors = _tensors(step)
    step.keep_others([*_slots(step).values()], "they are a mask")
    heads = step.made(query.kernel, 1, query.kernel.shape[1], whole=True)
    sizes = step.made(key.kernel, 2, key.kernel.shape[2])
    values = step.made(value.kernel, 2, value.kernel.shape[2])
    for name in names:
        dense = hidden_argument(layer, f"{name}_dense")
        read = tensors["query" if name == "gate" else name]
        step.axis(dense.kernel, 0, Role.READS, step.along(-1, dense.kernel.shape[0], read))
        inner = sizes if name in ("query", "key") else values
        for variable, first in ((dense.kernel, 1), (dense.bias, 0)):
            step.axis(variable, first, Role.ALONG, heads, whole=True)
            # Scores sum over the products of query and key, so the query reads what the key makes.
            step.axis(variable, first + 1, Role.READS if name == "query" else Role.ALONG, inner)
    step.axis(output.kernel, 0, Role.READS, heads, whole=True)
    step.axis(output.kernel, 1, Role.READS, values)
    made = step.made(output.kernel, 2, output.kernel.shape[2])
    step.axis(output.bias, 0, Role.ALONG, made)
    results = [placed(made, -1, step.rank)]
    for shape in step.result_shapes[1:]:  # the scores, (batch, heads, queries, keys)
        results.append(placed(heads, 1, len(shape)))
    step.give(*results)


def grouped_query(step: Step) -> None:
    """`GroupQueryAttention`: several heads of the query for each of key and value; one size for all.

    A head of key and value goes with those of the query, and the result has the width of the query.
    """
    layer = step.operation
    query, key, value, output = (
        hidden_argument(layer, f"{name}_dense") for name in ("query", "key", "value", "output")
    )
    tensors = _tensors(step)
    step.keep_others([*_slots(step).values()], "they are a mask")
    heads = step.made(key.kernel, 1, key.kernel.shape[1], whole=True)
    sizes = step.made(key.kernel, 2, key.kernel.shape[2])
    in_groups = np.repeat(heads, layer.num_repeats)
    for name, dense, own in (
        ("key", key, heads),
        ("value", value, heads),
        ("query", query, in_groups),
        *([("query", hidden_argument(layer, "gate_dense"), in_groups)] if layer.use_gate else []),
    ):
        step.axis(dense.kernel, 0, Role.READS, step.along(-1, dense.kernel.shape[0], tensors[name]))
        for variable, first in ((dense.kernel, 1), (dense.bias, 0)):
            step.axis(variable, first, Role.ALONG, own, whole=True)
            step.axis(variable, first + 1, Role.READS if dense is query else Role.ALONG, sizes)
    step.axis(output.kernel, 0, Role.READS, in_groups, whole=True)
    step.axis(output.kernel, 1, Role.READS, sizes)
    made = step.made(output.kernel, 2, output.kernel.shape[2])
    step.axis(output.bias, 0, Role.ALONG, made)
    step.ties.tie(made, step.along(-1, len(made), tensors["query"]), "has the width of the query")
    scores = [placed(in_groups, 1, len(shape)) for shape in step.result_shapes[1:]]
    step.give(placed(made, -1, step.rank), *scores)


def _tensors(step: Step) -> dict[str, Labels]:
    """The labels of query, value and key; the key is the value where it is not given."""
    found = {name: step.channels.of_slots[slot] for name, slot in _slots(step).items()}
    return {"key": found["value"], **found}


def _slots(step: Step) -> dict[str, Slot]:
    names = "query", "value", "key"
    given = dict(zip(names, step.call.args, strict=False)) | step.call.kwargs
    return {name: given[name] for name in names if isinstance(given.get(name), Slot)}


def weightless(step: Step) -> None:
    """`Attention` and `AdditiveAttention`: query and key have the same channels, those of the values pass."""
    given = slots_in((step.call.args or (step.call.kwargs["inputs"],))[0])
    of_slots, shape = step.channels.of_slots, step.channels.graph.shape
    query, value, key = (of_slots[slot] for slot in (*given, given[1])[:3])
    step.keep_others(given, "they are a mask")
    compared = step.along(-1, shape(given[0])[-1] or 1, query)
    step.ties.tie(
        compared,
        step.along(-1, len(compared), key),
        f"is compared by {step.call.path!r} with what keeps its size",
    )
    scale = getattr(step.operation, "scale", None)
    if scale is not None and len(scale.shape):
        step.axis(scale, 0, Role.ALONG, compared)
    passed = step.along(-1, shape(given[1])[-1] or 1, value)
    step.give(
        placed(passed, -1, step.rank),
        *(nothing(len(shape)) for shape in step.result_shapes[1:]),
    )

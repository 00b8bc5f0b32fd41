"""Products of tensors: sums over an axis that they have in common, and what passes along the others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_kd.compression.shrinking.channels import Step, nothing, placed
from keras_kd.compression.shrinking.rules.weighted import spread
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.graphs import Slot
from keras_kd.tensors import Shape

_LETTERS = "abcdefghijklmnop"


class _Operand(NamedTuple):
    """A tensor or an array; arrays have no channels."""

    labels: Labels
    shape: Shape


def matrix_product(step: Step) -> None:
    """`matmul`: rows by columns, for each of what stands on the axes before; `dot` of matrices."""
    operands = _operands(step, [*step.call.args, *step.call.kwargs.values()])
    ranks = [len(operand.shape) for operand in operands]
    if min(ranks) < 2 or (type(step.operation).__name__ == "Dot" and ranks != [2, 2]):
        _keep_all(step)
        return
    batch = _LETTERS[: max(ranks) - 2]
    before = [batch[len(batch) - rank + 2 :] for rank in ranks]
    _sum_products(step, operands, [f"{before[0]}xy", f"{before[1]}yz"], f"{batch}xz")


def dot_layer(step: Step) -> None:
    """`Dot`: a sum over an axis of each of two tensors, sample by sample."""
    operands = _operands(step, step.call.args[0] if step.call.args else step.call.kwargs["inputs"])
    axes, ranks = step.operation.axes, [len(operand.shape) for operand in operands]
    pair = [axes, axes] if isinstance(axes, int) else axes
    summed = [axis % rank for axis, rank in zip(pair, ranks, strict=True)]
    first = _LETTERS[: ranks[0]]
    second = first[0] + _LETTERS[ranks[0] :][: ranks[1] - 1]
    second = second.replace(second[summed[1]], first[summed[0]])
    rest = [letter for letter in first + second[1:] if letter != first[summed[0]]]
    # Of vectors, the result is a number for each sample, on an axis of its own.
    _sum_products(step, operands, [first, second], "".join(rest).ljust(2, "_"))


def einsum(step: Step) -> None:
    """`einsum` of tensors and arrays."""
    operands = _operands(step, [*step.call.args, *step.call.kwargs.values()])
    left, arrow, result = step.operation.subscripts.replace(" ", "").partition("->")
    pairs = zip(left.split(","), operands, strict=True)
    terms = [spread(term, len(operand.shape)) for term, operand in pairs]
    if not arrow or any(len(set(term)) < len(term) for term in terms):
        _keep_all(step)
        return
    _sum_products(step, operands, terms, spread(result, step.rank))


def _operands(step: Step, given: Sequence[Any]) -> list[_Operand]:
    graph, of_slots = step.channels.graph, step.channels.of_slots
    return [
        _Operand(of_slots[one], graph.shape(one))
        if isinstance(one, Slot)
        else _Operand(nothing(np.ndim(one)), np.shape(one))
        for one in given
    ]


def _keep_all(step: Step) -> None:
    step.keep("it sums over channels")
    step.give_nothing()


def _sum_products(step: Step, operands: Sequence[_Operand], terms: Sequence[str], result: str) -> None:
    """Follow a sum of products that is written with a letter for each axis, as for `einsum`."""
    passing: dict[str, Labels] = {}
    for term, operand in zip(terms, operands, strict=True):
        for axis in step.ties.varying_axes(operand.labels):
            letter, vector = term[axis], step.along(axis, operand.labels.shape[axis], operand.labels)
            others = _along(step, operands, terms, letter, len(vector))
            if letter not in result and len(others) < 2:
                step.keep("it sums over channels", [vector])
            for other in others:
                step.ties.tie(vector, other, f"is multiplied by {step.call.path!r} with what keeps its size")
            passing[letter] = vector
    axes = [axis for axis, letter in enumerate(result) if letter in passing]
    for axis in axes[:-1]:
        step.keep("it crosses the channels of two tensors", [passing[result[axis]]])
    last = [placed(passing[result[axis]], axis, step.rank) for axis in axes[-1:]]
    step.give(*last or [nothing(step.rank)])


def _along(
    step: Step, operands: Sequence[_Operand], terms: Sequence[str], letter: str, size: int
) -> list[Labels]:
    """The labels of everything that has an axis; what has one element there goes with all of the others."""
    return [
        step.along(term.index(letter), size, operand.labels)
        for term, operand in zip(terms, operands, strict=True)
        if letter in term and operand.shape[term.index(letter)] != 1
    ]

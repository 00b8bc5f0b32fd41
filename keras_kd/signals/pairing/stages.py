"""A model as a sequence of stages: where its signal changes size, and where blocks end in between."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import keras

from keras_kd.signals.pairing.candidates import TapCandidate, find_candidates, kind_of
from keras_kd.signals.pairing.endings import Ending
from keras_kd.signals.tracing import input_spec
from keras_kd.tensors import Shape

KINDS = ("maps", "tokens", "vectors")
Key: TypeAlias = float | int | None


class Stage(NamedTuple):
    """Consecutive outputs of the same kind and size.

    Attributes:
        key: Stages with the same key match: for maps, how many times they were halved; for tokens, their
            number. `None` if sizes are unknown.
        ends: The outputs at which a block ends, shallow to deep. At least one.
        closed: Whether the connections show that the stage ends at the last of these.
    """

    key: Key
    ends: list[TapCandidate]
    closed: bool


def stages_of(model: keras.Model) -> dict[str, list[Stage]]:
    """The stages of a model by kind: `"maps"`, `"tokens"`, `"vectors"`; its outputs are left out.

    Raises:
        ValueError: A model whose shapes are not known before it sees data.
    """
    if input_spec(model) is None:
        raise ValueError(
            f"The shapes inside {model.name!r} are not known before it sees data. Wrap it, which shares its "
            "weights: inputs = keras.Input(shape); wrapped = keras.Model(inputs, model(inputs)). Then "
            "distill with the wrapped model."
        )
    candidates = find_candidates(model)
    found = {}
    for kind in KINDS:
        of_kind = [candidate for candidate in candidates if kind_of(candidate.shape) == kind]
        found[kind] = list(_group_by_size(kind, of_kind, _input_size(model, kind, of_kind)))
    return found


def _input_size(model: keras.Model, kind: str, candidates: Sequence[TapCandidate]) -> Shape:
    """The input size that maps are compared with, or ones."""
    rank = len(candidates[0].shape) if candidates else 0
    sizes = [tuple(t.shape[1:-1]) for t in model.inputs if len(t.shape) == rank]
    return sizes[0] if kind == "maps" and sizes else (1,) * max(rank - 2, 0)


def _group_by_size(kind: str, candidates: Sequence[TapCandidate], input_size: Shape) -> Iterator[Stage]:
    is_maps = kind == "maps"
    marks = _count_halvings(candidates, input_size) if is_maps else [c.shape[1:-1] for c in candidates]
    marked = list(zip(marks, candidates, strict=True))
    # A branch that halves has maps of both sizes: the stages are those of the maps that it connects.
    joined = {mark for mark, candidate in marked if candidate.on_all_paths}
    trunk = [(mark, c) for mark, c in marked if c.on_all_paths or mark not in joined]
    groups = [(m, [c for _, c in group]) for m, group in itertools.groupby(trunk, key=lambda pair: pair[0])]
    for (mark, members), following in itertools.zip_longest(groups, groups[1:]):
        after = following[1][0] if following else None
        ends = _select_ends(members, last=following is None)
        key = mark if is_maps else (mark[0] if mark else 0)
        yield Stage(key, ends, _is_closed(members, ends[-1], after))


def _count_halvings(candidates: Sequence[TapCandidate], size: Shape) -> list[float | None]:
    """How often each was halved, counted step by step: sizes that shrink slightly at a time are one stage."""
    counts: list[float | None] = []
    total = 0.0
    for candidate in candidates:
        step = _halvings(size, candidate.shape[1:-1])
        total += step or 0
        counts.append(None if step is None else total)
        size = candidate.shape[1:-1]
    return counts


def _halvings(before: Shape, now: Shape) -> float | None:
    """How often a size was halved, averaged over its axes, to the nearest 0.5; `None` if it is unknown."""
    if None in (*before, *now):
        return None
    mean = sum(math.log2(a / b) for a, b in zip(before, now, strict=True)) / len(now)  # type: ignore
    return round(2 * mean) / 2 if abs(mean) >= 0.5 else 0


def _select_ends(members: Sequence[TapCandidate], last: bool) -> list[TapCandidate]:
    """The members of a stage at which a block ends; `last` means that no other stage follows."""
    best = max((member.on_all_paths, member.ending) for member in members)
    ends = [member for member in members if (member.on_all_paths, member.ending) == best]
    # Only the head follows the last stage, so an activation at its very end is not inside a block.
    after = members[members.index(ends[-1]) + 1 :] if last else []
    activated = best[0], Ending.ACTIVATION
    return ends + [member for member in after if (member.on_all_paths, member.ending) == activated][-1:]


def _is_closed(members: Sequence[TapCandidate], end: TapCandidate, following: TapCandidate | None) -> bool:
    """Whether a stage certainly ends here: a block ends, and no other block follows.

    An activation certainly ends a block if a pooling layer, a block or the head comes next.
    """
    if not end.on_all_paths or end.resumed:
        return False
    rest = [member.ending for member in members[members.index(end) + 1 :]]
    if end.ending == Ending.BLOCK:
        # One activation belongs to the layer that halves; two may be a block.
        return rest.count(Ending.ACTIVATION) < 2
    if end.ending != Ending.ACTIVATION or not set(rest) <= {Ending.NORMALIZATION}:
        return False
    return following is None or following.ending in (Ending.POOLING, Ending.BLOCK)

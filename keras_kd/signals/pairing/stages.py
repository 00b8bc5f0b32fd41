"""A model as a sequence of stages: where its signal changes size, and where blocks end in between."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras

from keras_kd.paths import layers_by_path
from keras_kd.signals.pairing.articulation_points import passages_of
from keras_kd.signals.tracing import tap_shapes

KINDS = ("maps", "tokens", "vectors")
_MERGES = ("Add", "Average", "Concatenate", "Maximum")
# These repeat a signal, or are inside of what computes one.
_REPEATS = ("regularization", "reshaping", "preprocessing")
_ALSO_REPEATS = ("InputLayer", "Identity", "Masking")


class Place(NamedTuple):
    """A layer's output that could be tapped."""

    tap: str
    shape: tuple[int | None, ...]
    depth: float  # which share of the model's layers has run, above 0 and up to 1
    rank: int  # 3: a block ends here; 2: an activation; 1: a normalisation; -1: a pooling; 0: anything else
    passage: bool  # whether all that reaches the outputs passes through it: no shortcut goes around it
    resumed: bool  # whether a later shortcut ends at the same size, so that the stage goes on


class Stage(NamedTuple):
    """Consecutive outputs of one kind and size.

    Attributes:
        key: What two stages have in common to be alike: of maps how often they were halved, of
            tokens their number. `None` where sizes are unknown.
        ends: The outputs after which a block ends, shallow to deep. At least one.
        closed: Whether the connections tell that the stage ends in the last of these.
    """

    key: float | int | None
    ends: list[Place]
    closed: bool


def stages_of(model: keras.Model) -> dict[str, list[Stage]]:
    """The stages of a model by kind: `"maps"`, `"tokens"`, `"vectors"`; its outputs are left out.

    Raises:
        ValueError: A model whose shapes are not known before it sees data.
    """
    shapes = tap_shapes(model)
    if None in shapes.values():
        raise ValueError(
            f"The shapes inside {model.name!r} are not known before it sees data. Wrap it, which shares its "
            "weights: inputs = keras.Input(shape); wrapped = keras.Model(inputs, model(inputs)). Then "
            "distil with the wrapped model."
        )
    known = {tap: tuple(shape) for tap, shape in shapes.items() if shape}
    places = _visible(model, known)
    found = {}
    for kind in KINDS:
        of_kind = [place for place in places if _kind(place.shape) == kind]
        found[kind] = list(_stages(kind, of_kind, _reference(model, kind, of_kind)))
    return found


def _kind(shape: tuple[int | None, ...]) -> str | None:
    if len(shape) in (4, 5):
        return "maps" if any(size != 1 for size in shape[1:-1]) else None  # 1 x 1: pooled, as in a gate
    return {3: "tokens", 2: "vectors"}.get(len(shape))


def _visible(model: keras.Model, shapes: dict[str, Any]) -> list[Place]:
    """What could be tapped with sense: blocks instead of their insides, neither copies nor outputs."""
    layers = layers_by_path(model)
    inside = {path: [tap for tap in shapes if tap.startswith(f"{path}/")] for path in layers}
    groups = {path for path in layers if inside[path] and _is_group(path, layers, inside, shapes)}
    left_out = _heads(model, list(shapes), layers)
    passages = passages_of(model, list(shapes))
    places = []
    for number, (tap, shape) in enumerate(shapes.items(), 1):
        path = tap.split(":")[0]
        parts = path.split("/")
        above = ["/".join(parts[:i]) for i in range(1, len(parts))]
        hidden = any(outer in layers and outer not in groups for outer in above)
        if tap in left_out or path in groups or hidden or shape[-1] is None:
            continue
        rank = 3 if inside[path] and not _is_keras(layers[path]) else _rank(layers[path])
        if rank is not None:
            passage, resumed = tap in passages, passages.get(tap, False)
            places.append(Place(tap, shape, number / len(shapes), rank, passage, resumed))
    return _merged(places, layers)


def _is_keras(layer: Any) -> bool:
    """Whether it is a layer of Keras, and not a model or a layer of the user."""
    return type(layer).__module__.startswith("keras.src.layers")


def _is_group(path: str, layers: dict[str, Any], inside: dict[str, list[str]], shapes: Any) -> bool:
    """Whether a layer with layers inside is several blocks, as a backbone is, and not one."""
    if _is_keras(layers[path]):
        return False
    sizes = {shapes[tap][1:-1] for tap in inside[path] if _kind(shapes[tap]) == "maps"}
    if len(inside[path]) > len(shapes) / 2 or len(sizes) > 2:
        return True
    under = [p for p in layers if p.startswith(f"{path}/")]
    children = [p for p in under if not any(p.startswith(f"{other}/") for other in under)]
    blocks = [p for p in children if inside[p] and not _is_keras(layers[p])]
    return len(blocks) > 1 and len(blocks) == sum(bool(layers[p].weights) for p in children)


def _rank(layer: Any) -> int | None:
    name = type(layer).__name__
    family = type(layer).__module__.removeprefix("keras.src.layers.").split(".")[0]
    if family in _REPEATS or name in _ALSO_REPEATS:
        return None
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if name in _MERGES:
        return 3
    if (family == "activations" and name not in ("Activation", "Softmax")) or family == "rnn":
        return 2
    if activation not in ("linear", "softmax", "sigmoid"):
        return 2
    return {"normalization": 1, "pooling": -1}.get(family, 0)


def _merged(places: list[Place], layers: dict[str, Any]) -> list[Place]:
    """An activation right after a merge ends the block in its stead, of tokens also a normalisation."""
    kept: list[Place] = []
    for before, place in zip([None, *places], places, strict=False):
        ends = before is not None and before.rank == 3 and before.shape == place.shape
        activates = "activations" in type(layers[place.tap.split(":")[0]]).__module__ and place.rank == 2
        if ends and place.passage and (activates or (place.rank == 1 and len(place.shape) == 3)):
            kept[-1] = place._replace(rank=3)
        else:
            kept.append(place)
    return kept


def _heads(model: keras.Model, taps: list[str], layers: dict[str, Any]) -> set[str]:
    """The taps of the model's outputs, and of the logits that an output was made of."""
    found: set[str] = set()
    tensors = list(model.outputs)
    while tensors:
        history = tensors.pop()._keras_history
        layer = history.operation
        if isinstance(layer, keras.layers.Layer):
            found |= _end_of(layer.name, taps, layers)
        if not isinstance(layer, keras.layers.Layer) or _passes_on(layer):
            tensors += layer._inbound_nodes[history.node_index].input_tensors
    return found


def _end_of(name: str, taps: list[str], layers: dict[str, Any]) -> set[str]:
    """The taps of a layer; of one with layers inside, also those from its last kernel on."""
    own = [tap for tap in taps if tap.split(":")[0] == name]
    inside = [tap for tap in taps if tap.startswith(f"{name}/")]
    weighted = [i for i, tap in enumerate(inside) if layers[tap.split(":")[0]]._trainable_variables]
    if weighted and hasattr(layers[inside[weighted[-1]].split(":")[0]], "kernel"):
        return {*own, *inside[weighted[-1] :]}
    return {*own, *inside[-1:]}


def _passes_on(layer: Any) -> bool:
    return not layer.weights and (_rank(layer) is None or "activations" in type(layer).__module__)


def _reference(model: keras.Model, kind: str, places: list[Place]) -> tuple[int | None, ...]:
    """The size of the input that maps are measured by, or ones."""
    rank = len(places[0].shape) if places else 0
    sizes = [tuple(t.shape[1:-1]) for t in model.inputs if len(t.shape) == rank]
    return sizes[0] if kind == "maps" and sizes else (1,) * max(rank - 2, 0)


def _stages(kind: str, places: list[Place], reference: tuple[int | None, ...]) -> Iterator[Stage]:
    marks = _halved(places, reference) if kind == "maps" else [p.shape[1:-1] for p in places]
    marked = list(zip(marks, places, strict=True))
    # A branch holds sizes of both sides where it halves: the stages are those of the maps it joins.
    joined = {mark for mark, place in marked if place.passage}
    trunk = [(mark, place) for mark, place in marked if place.passage or mark not in joined]
    groups = [(m, [p for _, p in g]) for m, g in itertools.groupby(trunk, key=lambda pair: pair[0])]
    for (mark, members), following in itertools.zip_longest(groups, groups[1:]):
        after = following[1][0] if following else None
        ends = _ends(members, last=following is None)
        key = mark if kind == "maps" else (mark[0] if mark else 0)
        yield Stage(key, ends, _closed(members, ends[-1], after))


def _halved(places: list[Place], size: tuple[int | None, ...]) -> list[float | None]:
    """How often each was halved, counted step by step: sizes that shrink a little each time are one stage."""
    marks: list[float | None] = []
    key = 0.0
    for place in places:
        step = _halvings(size, place.shape[1:-1])
        key += step or 0
        marks.append(None if step is None else key)
        size = place.shape[1:-1]
    return marks


def _halvings(before: tuple[int | None, ...], now: tuple[int | None, ...]) -> float | None:
    """How often a size was halved, on the average of its axes, in halves; `None` if it is not known."""
    if None in (*before, *now):
        return None
    mean = sum(math.log2(a / b) for a, b in zip(before, now, strict=True)) / len(now)  # type: ignore
    return round(2 * mean) / 2 if abs(mean) >= 0.5 else 0


def _ends(places: list[Place], last: bool) -> list[Place]:
    best = max((place.passage, place.rank) for place in places)
    ends = [place for place in places if (place.passage, place.rank) == best]
    # Nothing but the head follows the last stage, so an activation at its very end is no inside of a block.
    after = places[places.index(ends[-1]) + 1 :]
    return ends + [place for place in after if last and (place.passage, place.rank) == (best[0], 2)][-1:]


def _closed(places: list[Place], end: Place, following: Place | None) -> bool:
    """Whether a stage is sure to end here: a block ends, and no other does after it.

    An activation ends a block for sure if a pooling, a block or the head comes next.
    """
    if not end.passage or end.resumed:
        return False
    rest = [place.rank for place in places[places.index(end) + 1 :]]
    if end.rank == 3:
        return rest.count(2) < 2  # one activation is that of the layer that halves, two may be a block
    return end.rank == 2 and set(rest) <= {1} and (following is None or following.rank in (-1, 3))

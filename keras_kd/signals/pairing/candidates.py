"""The layer outputs worth comparing: ends of blocks, not the insides of blocks, copies or model outputs."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import keras

from keras_kd.keras_internals import layer_family
from keras_kd.messages import one_line
from keras_kd.paths import layers_by_path
from keras_kd.signals.listing import trace_taps
from keras_kd.signals.pairing.articulation_points import articulation_taps
from keras_kd.signals.pairing.endings import Ending, ending_of
from keras_kd.signals.pairing.heads import find_head_taps
from keras_kd.signals.tracing import is_of_model
from keras_kd.tensors import Shape


class TapCandidate(NamedTuple):
    """A layer's output that could be compared."""

    tap: str
    shape: Shape
    depth: float  # the fraction of the model's layers that have run, above 0 and up to 1
    ending: Ending
    on_all_paths: bool  # whether no shortcut bypasses it
    resumed: bool  # whether a later shortcut ends at the same size, so that the stage continues


class _Layers(NamedTuple):
    """The layers of a model by path, and what is inside each."""

    by_path: dict[str, keras.layers.Layer]
    inside: dict[str, list[str]]  # the taps inside each layer
    shapes: dict[str, Shape]  # of each tap


def find_candidates(model: keras.Model) -> list[TapCandidate]:
    """The candidates of a model with known inputs, shallow to deep. The model is traced once."""
    by_path = layers_by_path(model)
    try:
        traced = trace_taps(model, by_path)
    except Exception as error:
        if not is_of_model(error):
            raise
        raise ValueError(
            f"{model.name!r} cannot be traced: {one_line(error)} If it reads sizes that its inputs leave "
            "free, build it with fixed ones to find pairs; their names are the same."
        ) from error
    shapes = {tap: tuple(tensor.shape) for tap, tensor in traced.taps.items()}
    shapes = {tap: shape for tap, shape in shapes.items() if shape}
    layers = _Layers(by_path, _taps_inside(by_path, shapes), shapes)
    articulation = articulation_taps(traced)
    depths = {tap: number / len(shapes) for number, tap in enumerate(shapes, 1)}
    found = []
    for tap, ending in _select_endings(model, layers).items():
        on_all_paths, resumed = tap in articulation, articulation.get(tap, False)
        found.append(TapCandidate(tap, shapes[tap], depths[tap], ending, on_all_paths, resumed))
    merged = _merge_endings(found, by_path)
    return [candidate._replace(tap=_exact_tap(candidate.tap, traced.elements)) for candidate in merged]


def _exact_tap(tap: str, elements: Mapping[str, str]) -> str:
    """The tap of the first tensor that a layer returns, which stood for the layer."""
    return f"{tap}/{elements[tap]}" if tap in elements else tap


def kind_of(shape: Shape) -> str | None:
    """`"maps"`, `"tokens"` or `"vectors"`; `None` for any other shape.

    Examples:
        >>> kind_of((None, 8, 8, 3)), kind_of((None, 1, 1, 3)), kind_of((None, 6, 3)), kind_of((None, 3))
        ('maps', None, 'tokens', 'vectors')
    """
    if len(shape) in (4, 5):
        return "maps" if any(size != 1 for size in shape[1:-1]) else None  # 1 x 1: pooled, as in a gate
    return {3: "tokens", 2: "vectors"}.get(len(shape))


def _taps_inside(by_path: Mapping[str, keras.layers.Layer], taps: Iterable[str]) -> dict[str, list[str]]:
    inside: dict[str, list[str]] = {path: [] for path in by_path}
    for tap in taps:
        for path in _paths_around(tap):
            if path in inside:
                inside[path].append(tap)
    return inside


def _paths_around(tap: str) -> list[str]:
    parts = tap.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _select_endings(model: keras.Model, layers: _Layers) -> dict[str, Ending]:
    """What ends at each tap, except insides of blocks, groups of blocks, copies and model outputs."""
    groups = {path for path, inside in layers.inside.items() if inside and _is_group(path, layers)}
    heads = find_head_taps(model, list(layers.shapes), layers.by_path)
    found = {}
    for tap, shape in layers.shapes.items():
        path = tap.split(":")[0]
        around = (outer for outer in _paths_around(path) if outer in layers.by_path)
        in_block = any(outer not in groups for outer in around)
        if tap in heads or path in groups or in_block or shape[-1] is None:
            continue
        layer = layers.by_path[path]
        is_block = layers.inside[path] and layer_family(layer) is None
        ending = Ending.BLOCK if is_block else ending_of(layer)
        if ending is not None:
            found[tap] = ending
    return found


def _is_group(path: str, layers: _Layers) -> bool:
    """Whether a layer with inner layers consists of several blocks, like a backbone, and is not one block."""
    if layer_family(layers.by_path[path]) is not None:
        return False
    inside, shapes = layers.inside[path], layers.shapes
    sizes = {shapes[tap][1:-1] for tap in inside if kind_of(shapes[tap]) == "maps"}
    if len(inside) > len(shapes) / 2 or len(sizes) > 2:
        return True
    under = [p for p in layers.by_path if p.startswith(f"{path}/")]
    children = [p for p in under if not any(p.startswith(f"{other}/") for other in under)]
    blocks = [p for p in children if layers.inside[p] and layer_family(layers.by_path[p]) is None]
    return len(blocks) > 1 and len(blocks) == sum(bool(layers.by_path[p].weights) for p in children)


def _merge_endings(
    candidates: list[TapCandidate], by_path: Mapping[str, keras.layers.Layer]
) -> list[TapCandidate]:
    """Let a block end at the activation right after its merge layer; for tokens, also at a normalization."""
    kept: list[TapCandidate] = []
    for before, candidate in zip([None, *candidates], candidates, strict=False):
        after_merge = before is not None and before.ending == Ending.BLOCK and before.shape == candidate.shape
        layer = by_path[candidate.tap.split(":")[0]]
        activates = layer_family(layer) == "activations" and candidate.ending == Ending.ACTIVATION
        normalizes = candidate.ending == Ending.NORMALIZATION and kind_of(candidate.shape) == "tokens"
        if after_merge and candidate.on_all_paths and (activates or normalizes):
            kept[-1] = candidate._replace(ending=Ending.BLOCK)
        else:
            kept.append(candidate)
    return kept

"""What `shrink` removes of a model, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from keras_kd.compression.costs.shaped import shaped
from keras_kd.compression.data import rereadable
from keras_kd.compression.finite_weights import check_finite_weights
from keras_kd.compression.selection import LayerPath, Selection, parse_names
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.blocks import find_blocks
from keras_kd.compression.shrinking.channels import Channels
from keras_kd.compression.shrinking.counting import (
    Budget,
    Limits,
    counts_by_layer,
    counts_over_all,
    fit_counts,
)
from keras_kd.compression.shrinking.depth import drop_blocks
from keras_kd.compression.shrinking.groups import Group, groups_of, kept_whole
from keras_kd.compression.shrinking.importance import Loss, Scores, check_importance, score
from keras_kd.compression.shrinking.sizes import MEASURES, Sizes
from keras_kd.compression.statistics import warn_of_stale_statistics
from keras_kd.graphs import Graph, Opened, graph_of, open_layers
from keras_kd.legacy import require_keras_model
from keras_kd.messages import some_of


@dataclass(frozen=True)
class Plan:
    """What is removed of a model.

    Attributes:
        opened: The model, with its layers of layers opened.
        channels: Its channels.
        groups: Those that may lose some.
        counts: How many channels each of them keeps.
        scores: The importance of each of its channels.
        before: The size of the whole model, by what is measured.
        graph: Its graph for those sizes of inputs for which multiply-adds are counted; `None` if unknown.
        blocks: How many residual blocks there were, and how many are kept; `None` without `depth`.
    """

    opened: keras.Model
    channels: Channels
    groups: list[Group]
    counts: list[int]
    scores: Scores
    before: Mapping[str, float]
    graph: Graph | None
    blocks: tuple[int, int] | None = None

    @property
    def removed(self) -> np.ndarray:
        """The classes that are removed: the least important of each group."""
        parts = [
            group.classes[np.argsort(-scores, kind="stable")[count:]]
            for group, count, scores in zip(self.groups, self.counts, self.scores, strict=True)
        ]
        return np.concatenate(parts)


def plan_shrinking(model: keras.Model, arguments: Arguments) -> Plan:
    """Choose what `shrink` removes.

    Raises:
        TypeError: Not a Keras 3 model.
        ValueError: It is subclassed or not built, a layer does not exist, nothing can be removed, the data
            does not fit, or the budget cannot be met.
    """
    require_keras_model(model, "model")
    check_finite_weights(model)
    check_importance(arguments.importance, arguments.data, arguments.loss, model)
    opened = open_layers(model)
    channels, groups = groups_of(opened)
    if not groups:
        whole = kept_whole(channels).items()
        reasons = some_of((f"{path!r}: {why}" for path, why in whole), 4) or "no layer makes any"
        raise ValueError(f"{model.name!r} has no channels that can be removed: {reasons}.")
    _check_names(opened.model, groups, arguments)
    chosen = _select(opened.model, groups, arguments)
    arguments = _with_tried_data(model, arguments)
    sizes = Sizes(channels, list(chosen), _sized(opened.model, channels, arguments))
    before = {measure: sizes.full(measure) for measure in MEASURES}
    # A layer with a fraction of its own counts for itself.
    before["channels"] = float(sum(len(group.classes) for group, own in chosen.items() if own is None))
    blocks = None
    if arguments.depth is not None:
        whole_model, opened = opened, _without_blocks(opened, arguments)
        blocks = _block_count(whole_model), _block_count(opened)
        channels, groups = groups_of(opened)
        chosen = _select(opened.model, groups, arguments)
    kept, loss = list(chosen), arguments.loss or _compiled_loss(model)
    scores = score(opened.model, channels, kept, arguments.importance, arguments.data, loss)
    graph = _sized(opened.model, channels, arguments)
    counts = _counts(Sizes(channels, kept, graph), scores, list(chosen.values()), arguments, before)
    return Plan(opened.model, channels, kept, counts, scores, before, graph, blocks)


def _with_tried_data(model: keras.Model, arguments: Arguments) -> Arguments:
    """The same arguments with data that can be read again, after a warning if it shows stale statistics."""
    if arguments.data is None:
        return arguments
    data = rereadable(arguments.data)
    warn_of_stale_statistics(model, data, stacklevel=5)
    return replace(arguments, data=data)


def _sized(model: keras.Model, channels: Channels, arguments: Arguments) -> Graph | None:
    """The graph for one size of the inputs; `None` if the model leaves sizes free, and nothing depends on it.

    Raises:
        ValueError: Multiply-adds are limited, and depend on sizes that are not given; a shape that does not
            fit.
    """
    is_free = any(None in symbol.shape[1:] for symbol in model.inputs)
    if arguments.input_shape is not None or (is_free and arguments.budget == "macs"):
        return shaped(model, arguments.input_shape)
    return None if is_free else channels.graph


def _without_blocks(opened: Opened, arguments: Arguments) -> Opened:
    """The model without the blocks that `depth` gives up."""
    assert arguments.depth is not None
    skip = list(parse_names(arguments.skip))
    shallow = drop_blocks(opened.model, arguments.depth, drop=arguments.drop, data=arguments.data, skip=skip)
    return Opened(shallow, opened.closed)


def _block_count(opened: Opened) -> int:
    return len(find_blocks(graph_of(opened.model)))


def _compiled_loss(model: keras.Model) -> Loss | None:
    if not model.compiled:
        return None
    return lambda y, outputs: model.compute_loss(None, y, outputs, training=False)


def _counts(
    sizes: Sizes,
    scores: Scores,
    own: Sequence[float | None],
    arguments: Arguments,
    before: Mapping[str, float],
) -> list[int]:
    """How many channels each group keeps, so that the model is within the budget."""
    groups, keep, limits = sizes.groups, arguments.keep, Limits(arguments.multiple_of, arguments.floor)
    if keep == 1 and not any(own):
        return [len(group.classes) for group in groups]

    def by_layer(fraction: float) -> list[int]:
        return counts_by_layer(groups, [f or fraction for f in own], limits)

    def over_all(threshold: float) -> list[int]:
        return counts_over_all(groups, scores, own, threshold, limits)

    # What is asked for, and a little less: halves are then rounded down where all of them are too many.
    levels = sorted({*np.linspace(0, 1, 257)[1:].tolist(), keep, keep * (1 - 1e-9)})
    counts: Callable[[float], list[int]] = by_layer
    if arguments.scope == "global":
        levels, counts = [np.inf, *np.unique(np.concatenate(scores))[::-1].tolist(), -np.inf], over_all
    besides = 0.0
    if arguments.budget == "channels":
        besides = float(sum(count for count, f in zip(by_layer(keep), own, strict=True) if f))
    budget = Budget(arguments.budget, keep, before[arguments.budget], besides)
    return fit_counts(sizes, budget, levels, counts, onward=arguments.scope == "global")


def _selection(arguments: Arguments) -> Selection[float]:
    names = None if arguments.layers is None else parse_names(arguments.layers)
    # With a mapping, the other layers are shrunk as well; a default of 0 says so.
    default = 0.0 if isinstance(names, Mapping) else None
    return Selection[float](names, list(parse_names(arguments.skip)), default)


def _check_names(model: keras.Model, groups: Sequence[Group], arguments: Arguments) -> None:
    makers = [LayerPath(path) for group in groups for path in group.makers]
    _selection(arguments).check_names(model, makers, "channels that can be removed")


def _select(model: keras.Model, groups: Sequence[Group], arguments: Arguments) -> dict[Group, float | None]:
    """The groups that may lose channels, and the fraction to keep of those that have one of their own."""
    selection = _selection(arguments)
    makers = {group: [LayerPath(path) for path in group.makers] for group in groups}
    chosen: dict[Group, float | None] = {}
    for group, own in makers.items():
        if any(map(selection.includes, own)) and not any(map(selection.skips, own)):
            chosen[group] = _own_fraction(selection, own)
    if not chosen:
        raise ValueError(f"layers= and skip= leave nothing of {model.name!r} that can be shrunk.")
    return chosen


def _own_fraction(selection: Selection[float], makers: Sequence[LayerPath]) -> float | None:
    """The fraction that a mapping gives to layers which lose the same channels: that of the last entry."""
    fractions = selection.layers
    if not isinstance(fractions, Mapping):
        return None
    matching = {pattern for maker in makers for pattern in selection.patterns_for(maker)}
    named = {maker.path: fractions[maker.path] for maker in makers if maker.path in fractions}
    if len(set(named.values())) > 1:
        given = ", ".join(f"{path!r}: {fraction:g}" for path, fraction in named.items())
        raise ValueError(
            f"These layers are tied and lose the same channels, but layers= gives them different fractions: "
            f"{{{given}}}. Give one of them; kd.channel_groups(model) shows what is tied."
        )
    entries = [fraction for pattern, fraction in fractions.items() if pattern in matching]
    return entries[-1] if entries else None

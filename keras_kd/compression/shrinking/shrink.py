"""`shrink`: a model with fewer channels, made from a trained one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_kd.compression.data import Data
from keras_kd.compression.selection import Selection, parse_names
from keras_kd.compression.shrinking.channels import Channels
from keras_kd.compression.shrinking.counting import Limits, counts_by_layer, counts_over_all, fit_counts
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.groups import Group, groups_of, kept_whole
from keras_kd.compression.shrinking.importance import Importance, Loss, check_importance, score
from keras_kd.compression.shrinking.sizes import MEASURES, Sizes
from keras_kd.graphs import graph_of
from keras_kd.legacy import require_keras_model
from keras_kd.messages import did_you_mean


@dataclass(frozen=True)
class Plan:
    """What is removed of a model.

    Args:
        channels: Of the model.
        groups: Those that may lose some.
        counts: How many channels each keeps.
        scores: The importance of each channel of each group.
    """

    channels: Channels
    groups: list[Group]
    counts: list[int]
    scores: list[np.ndarray]

    @property
    def removed(self) -> np.ndarray:
        """The classes that are removed: the least important of each group."""
        parts = [
            group.classes[np.argsort(-scores, kind="stable")[count:]]
            for group, count, scores in zip(self.groups, self.counts, self.scores, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, int)


def shrink(
    model: keras.Model,
    keep: float = 0.5,
    *,
    budget: str = "channels",
    importance: Importance = "l2",
    scope: str = "global",
    layers: Sequence[str] | Mapping[str, float] | str | None = None,
    skip: Sequence[str] | str = (),
    multiple_of: int = 8,
    floor: float = 0.1,
    data: Data | None = None,
    loss: Loss | None = None,
    name: str | None = None,
) -> keras.Model:
    """Make a smaller model of a trained one: the least important channels are removed.

    Channels are the filters of convolutions, the units of dense and recurrent layers, the entries of
    embeddings, and the heads and head sizes of attention. Those that are tied together, by additions,
    concatenations, normalizations and so on, are removed together (`kd.channel_groups` shows them). The
    weights that stay are copied. What cannot be followed is kept whole. The result is a plain Keras model with
    the same layer names, inputs and outputs, so it is distilled from the original with the same taps. It is
    not compiled; right after shrinking, `kd.recalibrate(small, data)` gives its BatchNorms the statistics of
    what they now read.

    Sources: structured pruning by groups, Fang et al. 2023, arXiv 2301.12900; `"l1"`, Li et al. 2017,
    arXiv 1608.08710; `"batch_norm"`, Liu et al. 2017, arXiv 1708.06519; `"taylor"`, Molchanov et al. 2019,
    arXiv 1906.10771; `"activation"`, Hu et al. 2016, arXiv 1607.03250.

    Args:
        model: A built functional or sequential model. It is not changed.
        keep: The fraction to keep, in (0, 1]: of the channels that can be removed, or of the `budget`.
        budget: What `keep` is a fraction of: `"channels"`, or, of the whole model, `"parameters"`, `"macs"`
            (multiply-adds) or `"bytes"`. The result is at most as large.
        importance: `"l1"` or `"l2"`: the norm of the weights that make a channel; `"batch_norm"`: the scale of
            its BatchNorm; `"taylor"`: what the loss would change by, on data with labels; `"activation"`: its
            mean magnitude on data; or a function that gets, for each layer that makes the channels, an array
            `(channels, weights)`, and returns `(channels,)`. They are divided by their mean in each group.
        scope: `"global"`: the channels of all groups compete. `"layer"`: each group keeps the same fraction.
        layers: Layers whose channels may be removed: names, paths or globs, or a mapping from these to the
            fraction of channels to keep; with a mapping, the others are still shrunk by `keep`.
        skip: Layers whose channels are all kept.
        multiple_of: The number of channels of a layer stays a multiple of this, because fast kernels compute
            several at once; in groups of less than four times as many, of its half, quarter, and so on.
        floor: The least fraction of each group to keep, in [0, 1).
        data: For `"taylor"` and `"activation"`: arrays or batches of `x` or `(x, y)`.
        loss: For `"taylor"`: `loss(y, outputs)`; by default that with which the model was compiled.
        name: Of the result; by default the original's.

    Returns:
        The smaller model.

    Raises:
        TypeError: Not a Keras 3 model.
        ValueError: Before anything is built: the model is subclassed or not built, an argument is out of range,
            a layer does not exist or makes no channels that can be removed, nothing can be removed, the data
            does not fit, or the budget cannot be met; the message says what is the least.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> teacher = kd.models.digits_teacher()
        >>> student = kd.shrink(teacher, 0.25, budget="macs")
        >>> student.output_shape, student.count_params() < 0.4 * teacher.count_params()
        ((None, 10), True)
    """
    plan = plan_shrinking(
        model, keep, budget=budget, importance=importance, scope=scope, layers=layers, skip=skip,
        multiple_of=multiple_of, floor=floor, data=data, loss=loss,
    )
    return Cut(plan.channels, plan.removed).model(graph_of(model), name)


def plan_shrinking(
    model: keras.Model,
    keep: float,
    *,
    budget: str,
    importance: Importance,
    scope: str,
    layers: Sequence[str] | Mapping[str, float] | str | None,
    skip: Sequence[str] | str,
    multiple_of: int,
    floor: float,
    data: Data | None,
    loss: Loss | None,
) -> Plan:
    """Choose what `shrink` removes; its arguments are those of `shrink`."""
    require_keras_model(model, "model")
    _check_numbers(keep, multiple_of, floor)
    _check_choice("budget", budget, MEASURES)
    _check_choice("scope", scope, ("global", "layer"))
    check_importance(importance, data, loss, model)
    channels, groups = groups_of(graph_of(model))
    if not groups:
        reasons = "; ".join(f"{path!r} {why}" for path, why in kept_whole(channels).items())
        raise ValueError(f"{model.name!r} has no channels that can be removed: {reasons}.")
    own, chosen = _select(model, groups, layers, skip)
    scores = score(model, channels, chosen, importance, data, loss)
    limits, sizes = Limits(multiple_of, floor), Sizes(channels, chosen)
    return Plan(channels, chosen, _counts(sizes, scores, own, keep, budget, scope, limits), scores)


def _counts(
    sizes: Sizes,
    scores: Sequence[np.ndarray],
    own: Sequence[float | None],
    keep: float,
    budget: str,
    scope: str,
    limits: Limits,
) -> list[int]:
    groups = sizes.groups
    if keep == 1 and not any(fraction is not None for fraction in own):
        return [len(group.classes) for group in groups]
    if scope == "layer" and budget == "channels":
        return counts_by_layer(groups, [keep if f is None else f for f in own], limits)
    if scope == "layer":
        levels = np.linspace(0, 1, 257)[1:].tolist()
        by_level = lambda level: counts_by_layer(groups, [level if f is None else f for f in own], limits)  # noqa: E731
    else:
        levels = [np.inf, *np.unique(np.concatenate(scores))[::-1].tolist(), -1.0]
        by_level = lambda level: counts_over_all(groups, scores, own, level, limits)  # noqa: E731
    return fit_counts(sizes, budget, keep * sizes.full(budget), levels, by_level)


def _select(
    model: keras.Model, groups: list[Group], layers: Sequence[str] | Mapping[str, float] | str | None, skip: Sequence[str] | str
) -> tuple[list[float | None], list[Group]]:
    """The groups that may lose channels, and the fractions that some of them have of their own."""
    names = None if layers is None else parse_names(layers)
    skipped = [skip] if isinstance(skip, str) else list(skip)
    selection = Selection[float](names, skipped, default=-1.0 if isinstance(names, Mapping) else None)
    makers = [_Maker(path) for group in groups for path in group.makers]
    selection.check_names(model, makers, "channels that can be removed")
    chosen, own = [], []
    for group in groups:
        each = [_Maker(path) for path in group.makers]
        if not any(map(selection.includes, each)) or any(map(selection.skips, each)):
            continue
        values = [v for maker in each if (v := selection.value_for(maker)) is not None and v >= 0]
        chosen.append(group)
        own.append(_fraction(values[-1], group.layer) if values else None)
    if not chosen:
        raise ValueError(f"layers= and skip= leave nothing of {model.name!r} that can be shrunk.")
    return own, chosen


@dataclass(frozen=True)
class _Maker:
    """A layer that makes channels, by which a group is chosen."""

    layer: str

    @property
    def path(self) -> str:
        """Its path."""
        return self.layer


def _fraction(value: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError(f"The fraction to keep of {where} must be in (0, 1]. Received: {value!r}.")
    return float(value)


def _check_numbers(keep: float, multiple_of: int, floor: float) -> None:
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep <= 1:
        hint = " For 50 %, give 0.5." if isinstance(keep, (int, float)) and 1 < keep <= 100 else ""
        raise ValueError(f"keep= is a fraction in (0, 1]. Received: {keep!r}.{hint}")
    if isinstance(multiple_of, bool) or not isinstance(multiple_of, int) or multiple_of < 1:
        raise ValueError(f"multiple_of= is a whole number of 1 or more. Received: {multiple_of!r}.")
    if isinstance(floor, bool) or not isinstance(floor, (int, float)) or not 0 <= floor < 1:
        raise ValueError(f"floor= is a fraction in [0, 1). Received: {floor!r}.")


def _check_choice(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise ValueError(f"{what}= must be one of {', '.join(map(repr, known))}. Received: {value!r}.{hint}")

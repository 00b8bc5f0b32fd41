"""Standard convolutions that become depthwise-separable ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers as keras_layers

from keras_kd.compression.finite_weights import check_finite_weights
from keras_kd.compression.selection import Selection, matches, parse_names
from keras_kd.compression.separable.approximation import separated
from keras_kd.compression.separable.replacement import Convolution, why_not
from keras_kd.graphs import graph_of, opened, rebuild
from keras_kd.legacy import require_keras_model
from keras_kd.messages import printable
from keras_kd.results import Result


@dataclass(frozen=True)
class CompactLayer(Result):
    """What became of one convolution.

    Args:
        layer: Its path.
        multiplier: How many filters each input channel has now.
        groups: In how many groups the channels are mixed now.
        parameters: How many it had, and how many what is in its place has.
        error: The norm of the change of its kernel, relative to that of the kernel.
        reason: Why it was left alone; empty if it was not.
    """

    layer: str
    multiplier: int
    groups: int
    parameters: tuple[int, int]
    error: float
    reason: str = ""

    @property
    def path(self) -> str:
        """The same path."""
        return self.layer

    def __str__(self) -> str:
        before, after = self.parameters
        figures = f"{before:,} -> {after:,} parameters, {100 * self.error:.1f} % error of the kernel"
        what = f"left, because {self.reason}" if self.reason else figures
        return printable(f"{self.layer!r}: {what}", keep="")


def compact(
    model: keras.Model,
    *,
    layers: Sequence[str] | Mapping[str, int] | str | None = None,
    skip: Sequence[str] | str = (),
    multiplier: int = 1,
    groups: Mapping[str, int] | None = None,
    verbose: bool = False,
) -> keras.Model:
    """Make a smaller model: standard convolutions become a depthwise and a 1x1 convolution.

    Each gets the separable kernel closest to its trained one (Guo et al. 2018, arXiv 1808.05517), so that
    training or distillation starts from something. The second of the two has the name of the original,
    and returns what it returned, so that taps go on working; the first one is named `"conv1_depthwise"`.
    Convolutions where this saves nothing are left alone.

    Expect to train afterwards: a trained kernel is rarely separable.

    Args:
        model: A built functional or sequential model, with nested ones too. It is not changed.
        layers: The convolutions to replace: names, paths or globs; by default all of `Conv1D` and `Conv2D`
            whose kernels are larger than 1x1. A mapping gives each its multiplier.
        skip: Those to leave alone, such as the first one.
        multiplier: How many filters each input channel gets. The error falls with each, and the savings.
        groups: For names, paths or globs: in how many groups the 1x1 convolution mixes the channels, such as
            `{"conv3": 4}`. What leads from one group to another is lost. Also for convolutions that are 1x1
            already.
        verbose: Whether to print what becomes of each, and why some are left alone.

    Returns:
        A plain Keras model; it is not compiled. Constraints on replaced kernels are left out.

    Raises:
        TypeError: Not a Keras model, or layers that are not names.
        ValueError: Nothing can be replaced, or nothing that a name means; an unknown name; a multiplier below
            1; groups that do not divide the channels; or the model is not built, or subclassed.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> parts = [keras.layers.Conv2D(16, 3, name="stem"), keras.layers.Conv2D(32, 3, name="conv1")]
        >>> model = keras.Sequential([keras.Input((28, 28, 1)), *parts])
        >>> small = kd.compact(model, skip="stem")
        >>> [layer.name for layer in small.layers], small.count_params() / model.count_params() < 0.2
        (['stem', 'conv1_depthwise', 'conv1'], True)
    """
    made, told = compact_and_tell(model, layers, skip, multiplier, groups)
    if verbose:
        total = f"the model: {model.count_params():,} -> {made.count_params():,} parameters"
        print(*told, total, sep="\n")
    return made


def compact_and_tell(
    model: keras.Model,
    layers: Sequence[str] | Mapping[str, int] | str | None = None,
    skip: Sequence[str] | str = (),
    multiplier: int = 1,
    groups: Mapping[str, int] | None = None,
) -> tuple[keras.Model, tuple[CompactLayer, ...]]:
    """As `compact`; returns also what became of each convolution that was chosen."""
    require_keras_model(model, "model")
    if groups is not None and not isinstance(groups, Mapping):
        raise TypeError(f"groups= is a mapping, such as {{'conv3': 4}}. Received: {groups!r}.")
    names = None if layers is None else parse_names(layers)
    selection: Selection[int] = Selection(names, [*parse_names(skip)])
    grouped: Selection[int] = Selection(dict(groups or {}))
    _check_counts("multiplier", [multiplier, *(names.values() if isinstance(names, Mapping) else ())])
    _check_counts("groups", list((groups or {}).values()))
    chosen = _chosen(model, selection, grouped)
    check_finite_weights(model)
    told, replaced = [], {}
    taken = {call.operation.name for call in opened(graph_of(model)).calls}
    for convolution in chosen:
        many = selection.value_for(convolution) or multiplier
        row, steps = _replace(convolution, many, grouped.value_for(convolution), taken)
        told.append(row)
        if steps:
            replaced[convolution.operation] = steps
    selection.check_outcomes(model, told, "Conv1D or Conv2D", "made separable")
    return rebuild(model, replaced), tuple(told)


def _chosen(model: keras.Model, selection: Selection[int], grouped: Selection[int]) -> list[Convolution]:
    """The convolutions that are chosen; every name means at least one."""
    found = _convolutions(model)
    for names in (selection, grouped):
        names.check_names(model, found, "convolution that can be replaced")
    chosen = [convolution for convolution in found if selection.includes(convolution)]
    for pattern in grouped.layers or ():
        if not any(matches(pattern, convolution) for convolution in chosen):
            raise ValueError(f"`groups` names {pattern!r}, which is not among the layers to replace.")
    return chosen


def _convolutions(model: keras.Model) -> list[Convolution]:
    """The convolutions of a model, each once."""
    found: dict[int, Convolution] = {}
    for call in opened(graph_of(model)).calls:
        if type(call.operation) in (keras_layers.Conv1D, keras_layers.Conv2D):
            found.setdefault(id(call.operation), Convolution(call.path, call.operation))
    return list(found.values())


def _check_counts(what: str, counts: Sequence[object]) -> None:
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"{what} must be whole numbers of 1 or more. Received: {count!r}.")


def _replace(
    convolution: Convolution, multiplier: int, groups: int | None, taken: set[str]
) -> tuple[CompactLayer, list[keras.layers.Layer]]:
    """What becomes of a convolution, and the layers that replace it, if any."""
    before = convolution.size
    multiplier = multiplier if convolution.window > 1 else 1
    reason = why_not(convolution, multiplier, groups)
    if reason:
        return CompactLayer(convolution.layer, multiplier, groups or 1, (before, before), 0.0, reason), []
    found = separated(convolution.kernel(), multiplier, groups or 1)
    steps = convolution.steps(found, multiplier, groups or 1, taken)
    after = convolution.size_with(multiplier, groups or 1)
    return CompactLayer(convolution.layer, multiplier, groups or 1, (before, after), found.error), steps

"""BatchNorms folded into the weights of the layers beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import keras
from keras import layers as keras_layers

from keras_kd.compression.batch_norm import einsum
from keras_kd.compression.batch_norm.affine import affine_of, folded_after, folded_before
from keras_kd.compression.batch_norm.neighbors import Norm, norms_in
from keras_kd.compression.selection import Selection, parse_names
from keras_kd.graphs import Bypass, config_of, graph_of, rebuild
from keras_kd.graphs.changes import Replacement
from keras_kd.legacy import require_keras_model
from keras_kd.messages import printable
from keras_kd.results import Result


@dataclass(frozen=True)
class NormFolding(Result):
    """What became of one BatchNorm.

    Args:
        layer: Its path.
        into: The path of the layer that holds it now; empty if none does.
        reason: Why none does.
        former: The path that this layer had in the original.
    """

    layer: str
    into: str = ""
    reason: str = ""
    former: str = ""

    @property
    def path(self) -> str:
        """The same path."""
        return self.layer

    def __str__(self) -> str:
        renamed = f", which is named {self.into!r} now" if self.into != self.former else ""
        what = f"left, because {self.reason}" if self.reason else f"folded into {self.former!r}{renamed}"
        return printable(f"{self.layer!r}: {what}", keep="")


def fold_batch_norm(
    model: keras.Model,
    *,
    layers: Sequence[str] | str | None = None,
    skip: Sequence[str] | str = (),
    verbose: bool = False,
) -> keras.Model:
    """Copy a model with its BatchNorms folded into the weights of the layers beside them.

    In inference a BatchNorm is a scale and a shift of each channel. The Dense, EinsumDense or convolution
    before it can hold both in its kernel and bias, and so can the one after it if it pads nothing. The
    outputs in inference are the same up to rounding, with fewer operations and parameters. Fold after
    training: in training a BatchNorm is more than that.

    A name goes with a value. The layer that takes in a BatchNorm after it has the name of this BatchNorm,
    whose value it returns, and a tap of the earlier value fails instead of reading something else. A layer
    that takes in a BatchNorm before it keeps its name.

    A BatchNorm stays if there is no such layer: if an activation stands between them, others read the value
    between them, or either is shared. Name it in `layers`, and the error says why.

    Args:
        model: A built functional or sequential model, with nested ones too. It is not changed.
        layers: The BatchNorms to fold: names, paths or globs. By default all that can be.
        skip: Those to leave.
        verbose: Whether to print what becomes of each, and why some stay.

    Returns:
        A plain Keras model; it is not compiled. Constraints on the weights that changed are left out. A layer
        that has taken in a BatchNorm is trainable if it was before.

    Raises:
        TypeError: Not a Keras model, or layers that are not names.
        ValueError: No BatchNorm can be folded, or none of those that a name means; an unknown name; or the
            model is not built, or subclassed.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> conv = keras.layers.Conv2D(4, 3, use_bias=False, name="conv1")
        >>> parts = [conv, keras.layers.BatchNormalization(name="norm1"), keras.layers.ReLU(name="relu1")]
        >>> folded = kd.fold_batch_norm(keras.Sequential([keras.Input((8, 8, 1)), *parts]))
        >>> [(layer.name, type(layer).__name__) for layer in folded.layers]
        [('norm1', 'Conv2D'), ('relu1', 'ReLU')]
    """
    folded, told = fold_and_tell(model, layers, skip)
    if verbose:
        print(*told, sep="\n")
    return folded


def fold_and_tell(
    model: keras.Model, layers: Sequence[str] | str | None = None, skip: Sequence[str] | str = ()
) -> tuple[keras.Model, tuple[NormFolding, ...]]:
    """As `fold_batch_norm`; returns also what became of each BatchNorm that was chosen."""
    require_keras_model(model, "model")
    selection: Selection[None] = Selection(
        None if layers is None else [*parse_names(layers)], [*parse_names(skip)]
    )
    norms = norms_in(graph_of(model))
    selection.check_names(model, norms, "BatchNorm")
    told: dict[str, NormFolding] = {}
    made = model
    while replaced := _replaced(norms, selection, told):
        made = rebuild(made, replaced)  # what is folded now may let others be folded
        norms = norms_in(graph_of(made))
    for norm in norms:
        if selection.includes(norm):
            told[norm.layer] = NormFolding(norm.layer, reason=norm.reason)
    selection.check_outcomes(model, list(told.values()), "BatchNormalization", "folded")
    return made, tuple(told.values())


def _replaced(
    norms: Sequence[Norm], selection: Selection[None], told: dict[str, NormFolding]
) -> Mapping[keras.Operation, Replacement]:
    """What to replace in a model, each layer once."""
    replaced: dict[keras.Operation, Replacement] = {}
    for norm in norms:
        if norm.into is None or not selection.includes(norm) or norm.into.operation in replaced:
            continue
        made = _folded(norm)
        replaced |= {norm.call.operation: Bypass(), norm.into.operation: made}
        room = norm.layer.removesuffix(norm.call.path)
        before, after = room + norm.into.path, room + made.name
        told |= {path: replace(it, into=after) for path, it in told.items() if it.into == before}
        former = next((it.former for it in told.values() if it.into == after), before)
        told[norm.layer] = NormFolding(norm.layer, after, former=former)
    return replaced


def _folded(norm: Norm) -> keras.layers.Layer:
    """The layer that does what a BatchNorm and the one beside it do."""
    assert norm.into is not None
    layer, own = norm.into.operation, norm.call.operation
    assert isinstance(layer, keras_layers.Layer)
    assert isinstance(own, keras_layers.BatchNormalization)
    affine = affine_of(own)
    if isinstance(layer, keras_layers.EinsumDense):
        fold = einsum.folded_after_einsum if norm.after else einsum.folded_before_einsum
        axes = einsum.axes_after(layer) if norm.after else einsum.axes_before(layer)
        made = _with_bias(layer, own.name if norm.after else layer.name, {"bias_axes": axes})
        values = fold(layer, affine)
    else:
        made = _with_bias(layer, own.name if norm.after else layer.name, {"use_bias": True})
        values = (folded_after if norm.after else folded_before)(layer, affine)
    made.build(layer.get_build_config()["input_shape"])
    for variable in layer.variables:
        if variable.name not in values:
            getattr(made, variable.name).assign(variable)
    for name, value in values.items():
        getattr(made, name).assign(value)
    made.trainable = layer.trainable
    return made


def _with_bias(
    layer: keras.layers.Layer, name: str, bias: dict[str, str] | dict[str, bool]
) -> keras.layers.Layer:
    """A layer like another one, with a bias.

    Constraints held for the weights before, and would undo the folding in the first step of a training.
    """
    config = config_of(layer)
    constraints = {key: None for key in config if key.endswith("_constraint")}
    made: keras.layers.Layer = type(layer).from_config({**config, **constraints, **bias, "name": name})
    return made

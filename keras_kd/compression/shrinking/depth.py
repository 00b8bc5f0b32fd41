"""A model with fewer residual blocks, made from a trained one."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_kd.compression.data import Data, batches_of
from keras_kd.compression.selection import LayerPath, Selection, parse_names
from keras_kd.compression.shrinking.activations import Choice, values_of
from keras_kd.compression.shrinking.blocks import Block, find_blocks, why_not_dropped
from keras_kd.graphs import Bypass, graph_of, opened, rebuild, slots_in
from keras_kd.legacy import require_keras_model
from keras_kd.messages import did_you_mean
from keras_kd.paths import layers_by_path
from keras_kd.tensors import Tensors

CHOICES = ("importance", "even")
_ENOUGH = 1024  # rows on which the importance is measured


def drop_blocks(
    model: keras.Model,
    depth: float,
    *,
    drop: str = "importance",
    data: Data | None = None,
    layers: Sequence[str] | str | None = None,
    skip: Sequence[str] | str = (),
) -> keras.Model:
    """Make a model with fewer residual blocks.

    A block is an addition `x + f(x)` whose branch `f` has weights, starts at `x` and is read nowhere else.
    The addition of attention and that of the feed-forward branch after it are one block, the layer of a
    transformer. Dropping it leaves `x`: what comes after, such as an activation or a normalization, stays.
    The addition and the layers of the branch are gone, and all others keep their names and weights.

    Source: `"even"`, Sanh et al. 2019, arXiv 1910.01108. `"importance"` looks at the outputs of the model.
    What a block makes of its input, which Men et al. 2024, arXiv 2403.03853, measure by the cosine, would
    mislead in transformers with a normalization after each addition, which brings every sum to the same size.

    Args:
        model: A built functional or sequential model. It is not changed.
        depth: How many of the blocks to keep: a fraction in (0, 1], or a whole number. So 1.0 keeps all of
            them, and 1 keeps one.
        drop: What to drop: `"importance"`, the blocks without which, one at a time, the outputs of the model
            change least, or `"even"`, blocks at even distances, so that the first and, of several, the last
            one are kept.
        data: For `"importance"`, unless all or none are dropped: arrays or batches of `x` or `(x, y)`.
        layers: Blocks that may be dropped, by the names, paths or globs of layers in them; by default all.
        skip: Layers that stay, and the blocks that they are in.

    Returns:
        The model without those blocks; it is not compiled.

    Raises:
        TypeError: Not a Keras 3 model.
        ValueError: Before anything is built: the model is subclassed or not built, it has no block that can
            be dropped, an argument is out of range, a layer does not exist or is in no such block, or the
            data is missing or does not fit.

    Examples:
        >>> x = inputs = keras.Input((4,))
        >>> for i in range(4):
        ...     x = keras.layers.Add(name=f"add{i}")([x, keras.layers.Dense(4, name=f"dense{i}")(x)])
        >>> model = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
        >>> [layer.name for layer in drop_blocks(model, 0.5, drop="even").layers[1:]]
        ['dense0', 'add0', 'dense3', 'add3', 'head']
    """
    dropped = choose_blocks(model, depth, drop=drop, data=data, layers=layers, skip=skip)
    residuals = [residual for block in dropped for residual in block.residuals]
    return rebuild(model, {one.addition.operation: Bypass(one.read) for one in residuals})


def choose_blocks(
    model: keras.Model,
    depth: float,
    *,
    drop: str = "importance",
    data: Data | None = None,
    layers: Sequence[str] | str | None = None,
    skip: Sequence[str] | str = (),
) -> list[Block]:
    """Choose the blocks that `drop_blocks` drops, with the same arguments; nothing is built."""
    require_keras_model(model, "model")
    if drop not in CHOICES:
        hint = did_you_mean(str(drop), CHOICES)
        raise ValueError(f"drop= must be 'importance' or 'even'. Received: {drop!r}.{hint}")
    _check_depth(depth)
    blocks = _select(model, layers, skip)
    count = _count(depth, len(blocks), model.name)
    if drop == "even" or count in (0, len(blocks)):
        kept = set(np.linspace(0, len(blocks) - 1, count).round().astype(int).tolist())
    elif data is None:
        raise ValueError("The importance of blocks is measured on data: give data=, or drop='even'.")
    else:
        kept = set(np.argsort(-influences(model, blocks, data), kind="stable")[:count].tolist())
    return [block for i, block in enumerate(blocks) if i not in kept]


def influences(model: keras.Model, blocks: Sequence[Block], data: Data) -> np.ndarray:
    """How much the outputs of a model change without each block, averaged over samples.

    It is the norm of the difference against that of the outputs. Of more rows, about 1,024 are used: the
    model runs on them once more for every block.
    """
    graph = opened(graph_of(model))
    outputs = slots_in(graph.outputs)

    @tf.function(reduce_retracing=True)
    def run(inputs: Tensors, stays: tf.Tensor) -> list[tf.Tensor]:
        choices = {
            residual.result: Choice(stays[number], residual.shortcut)
            for number, block in enumerate(blocks)
            for residual in block.residuals
        }
        values = values_of(graph, inputs, outputs, choices)
        return [tf.cast(values[slot], "float32") for slot in outputs]

    sums, count = np.zeros(len(blocks)), 0
    for x, _ in batches_of(model, data, most=_ENOUGH):
        whole = run(x, tf.ones(len(blocks), "bool"))
        if not all(np.isfinite(output).all() for output in whole):
            raise ValueError(f"On this data {model.name!r} computes NaN or infinity.")
        for number in range(len(blocks)):
            without = run(x, tf.range(len(blocks)) != number)
            sums[number] += sum(map(_change, whole, without))
        count += len(whole[0])
        if count >= _ENOUGH:
            break
    # What cannot be computed without a block needs it most.
    return np.nan_to_num(sums / count, nan=np.inf)


def _change(before: tf.Tensor, after: tf.Tensor) -> float:
    """The norm of the difference against that of what was before, summed over samples."""
    rows = [np.asarray(tensor, "float64").reshape(len(tensor), -1) for tensor in (before, after)]
    sizes = np.linalg.norm(rows[0], axis=1)
    return float((np.linalg.norm(rows[1] - rows[0], axis=1) / np.where(sizes, sizes, 1)).sum())


def _check_depth(depth: float) -> None:
    is_number = isinstance(depth, (int, float, np.integer, np.floating)) and not isinstance(depth, bool)
    if not is_number or not (depth >= 0 if isinstance(depth, (int, np.integer)) else 0 < depth <= 1):
        whole = is_number and depth > 1 and float(depth).is_integer()
        hint = f" To keep {int(depth)} blocks, give {int(depth)}." if whole else ""
        raise ValueError(
            "depth= is the fraction of blocks to keep, in (0, 1], or how many, as a whole number. "
            f"Received: {depth!r}.{hint}"
        )


def _count(depth: float, blocks: int, name: str) -> int:
    """How many of the blocks stay."""
    if not isinstance(depth, (int, np.integer)):
        return max(1, int(depth * blocks + 0.5))
    if depth > blocks:
        raise ValueError(
            f"depth= must be at most {blocks}, the blocks of {name!r} that can be dropped. Received: {depth}."
        )
    return int(depth)


def _select(model: keras.Model, layers: Sequence[str] | str | None, skip: Sequence[str] | str) -> list[Block]:
    """The blocks that may be dropped."""
    graph = graph_of(model)
    blocks, paths = find_blocks(graph), layers_by_path(model)
    if not blocks:
        reasons = [f"{path!r} {why}" for path, why in why_not_dropped(graph).items()]
        why = "; ".join(reasons) or "it adds no tensors"
        raise ValueError(f"{model.name!r} has no block that can be dropped: {why}.")
    names = None if layers is None else list(parse_names(layers))
    selection = Selection[str](names, list(parse_names(skip)))
    parts = {block: [LayerPath(path) for path in block.layers if path in paths] for block in blocks}
    every = [part for own in parts.values() for part in own]
    Selection[str](selection.layers).check_names(model, every, "block that can be dropped")
    # Whatever is no part of a block stays anyway.
    Selection[str](None, selection.skip).check_names(model, [LayerPath(path) for path in paths], "block")
    chosen = [
        block
        for block, own in parts.items()
        if any(map(selection.includes, own)) and not any(map(selection.skips, own))
    ]
    if not chosen:
        raise ValueError(f"layers= and skip= leave no block of {model.name!r} that can be dropped.")
    return chosen

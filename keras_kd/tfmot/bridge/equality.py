"""Whether a converted model computes the same as its original, on random inputs."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.finite import nonfinite
from keras_kd.keras_internals import mask_of
from keras_kd.legacy import KerasModel, all_layers_of, calls_of_layer
from keras_kd.tensors import Tensor, Tensors
from keras_kd.tfmot.bridge.directions import Direction, to_plain
from keras_kd.tfmot.bridge.graphs import ModelInput
from keras_kd.tfmot.bridge.samples import find_paddings, perturb, random_inputs

# float32 has 7 digits, of which sums in another order lose the last one or two.
TOLERANCE = 1e-5
# The error of one rounding in a half-precision type, relative to the value.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
# Every layer rounds, while inputs that are changed by one rounding show the effect of a single one.
ROUNDINGS = 16


def check_equal(
    source: KerasModel,
    target: KerasModel,
    entries: Sequence[ModelInput],
    structure: Tensors,
    direction: Direction,
) -> None:
    """Raise a ValueError if the outputs of both models differ, on full or on padded sequences."""
    for padding in [None, *find_paddings(source)]:
        where = f"random inputs{'' if padding is None else ' with padded steps'}"
        problem = f"the model rebuilt in {direction.name} does not compute what the original does: on {where}"
        compare_outputs(source, target, random_inputs(source, entries, padding), structure, problem)


def compare_outputs(
    source: KerasModel, target: KerasModel, samples: Iterable[list[Any]], structure: Tensors, problem: str
) -> None:
    """Raise a ValueError, which begins with `problem`, if the outputs of both models differ on samples.

    If they do, but the original's own outputs change about as much when its inputs change by one rounding
    error, other inputs are tried: deep untrained networks may amplify rounding errors a millionfold.
    """
    accepted, failure, amplified = tolerance(source), None, None
    for inputs in samples:
        given = keras.tree.pack_sequence_as(structure, inputs)
        try:
            expected = dense_arrays(source(given, training=False))
        except Exception as error:  # the model does not accept these numbers, but may accept the next
            failure = error
            continue
        apart = largest_difference(expected, dense_arrays(target(given, training=False)))
        if apart <= accepted:
            return
        off = keras.tree.pack_sequence_as(structure, [perturb(value) for value in inputs])
        amplified = largest_difference(expected, dense_arrays(source(off, training=False)))
        if apart > ROUNDINGS * amplified:
            raise ValueError(
                f"{problem} the largest difference is {apart:.2g} of the largest output, where "
                f"{accepted:.2g} is accepted. {explain_difference(source, target)}; pass check=False to "
                "get it anyway"
            )
    why = "the original accepts none of the random inputs"
    if amplified is not None:
        change = f"{amplified:.2g} of the original's largest output"
        why = f"inputs that differ by one rounding error change {change}"
    raise ValueError(
        f"the rebuilt model could not be checked, since {why}; pass check=False and compare the two on your "
        "own data"
    ) from failure


def explain_difference(source: KerasModel, target: KerasModel) -> str:
    """The likely cause of a difference: masks, if there are any."""
    if not find_paddings(source):
        return "Please report this with the layers of the model"
    left, right = find_masked_layers(source), find_masked_layers(target)
    apart = [name for name in left if name in right and left[name] != right[name]]
    after = f"after {', '.join(apart)} only one of the models has a mask" if apart else "see docs/bridge.md"
    return f"Masks, which the libraries pass on differently, are the likely cause ({after})"


def find_masked_layers(model: KerasModel) -> dict[str, bool]:
    """Whether the outputs of each layer of a model have a mask, by the name of the layer."""
    return {
        layer.name: any(
            mask_of(tensor) is not None
            for node in calls_of_layer(layer)
            for tensor in keras.tree.flatten(to_plain(node.outputs))
        )
        for layer in all_layers_of(model)
        if not isinstance(layer, type(model))
    }


def dense_arrays(outputs: Tensors) -> list[np.ndarray]:
    """The outputs as dense arrays, each followed by which of its values its mask lets through.

    Masked values are set to zero: losses and metrics of both libraries leave them out, and the libraries fill
    them differently (attention of a padded query has nothing to attend to). The masks must agree.
    """
    dense = []
    for output in keras.tree.flatten(to_plain(outputs)):
        mask = mask_of(output)
        if isinstance(output, tf.SparseTensor):
            output = tf.sparse.to_dense(output)
        array = output.to_tensor().numpy() if isinstance(output, tf.RaggedTensor) else np.asarray(output)
        kept = unmasked(array, mask)
        dense += [array if kept.all() else np.where(kept, array, np.zeros_like(array)), kept]
    return dense


def unmasked(array: np.ndarray, mask: Tensor | None) -> np.ndarray:
    """Which values of an output its mask lets through; all, without a mask of matching shape."""
    mask = None if mask is None else np.asarray(mask)
    if mask is None or mask.shape != array.shape[: mask.ndim]:
        return np.ones(array.shape, bool)
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array.shape)


def tolerance(model: KerasModel) -> float:
    """The largest difference to accept, relative to the largest output.

    In half precision, each layer rounds its outputs. The rounding errors of two libraries that sum in
    different orders are independent, so they grow with the square root of the depth; four of them are
    accepted.
    """
    layers = all_layers_of(model)
    coarsest = max((ROUNDING.get(layer.compute_dtype, 0.0) for layer in layers), default=0.0)
    return max(TOLERANCE, 4 * coarsest * float(np.sqrt(len(layers))))


def relative_difference(expected: np.ndarray, received: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value; 0 if equal, NaN included."""
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(expected, received) else float("inf")
    expected, received = expected.astype("float64"), received.astype("float64")
    finite = ~nonfinite(expected)
    if not np.array_equal(finite, ~nonfinite(received)):
        return float("inf")
    if not np.array_equal(expected[~finite], received[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(expected[finite] - received[finite]).max(initial=0.0)
    most = np.abs(expected[finite]).max(initial=0.0)
    return float(apart / most) if most else float("inf") if apart else 0.0


def largest_difference(expected: Sequence[np.ndarray], received: Sequence[np.ndarray]) -> float:
    """The largest difference over several outputs; infinite if their shapes differ."""
    if [array.shape for array in expected] != [array.shape for array in received]:
        return float("inf")
    return max((relative_difference(a, b) for a, b in zip(expected, received, strict=True)), default=0.0)

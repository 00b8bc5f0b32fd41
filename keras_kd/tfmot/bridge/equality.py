"""Whether a rebuilt model computes what its original does, on made-up inputs."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.tfmot.bridge.directions import Direction, plain
from keras_kd.tfmot.bridge.graphs import Entry
from keras_kd.tfmot.bridge.samples import made_up, one_rounding_off, paddings

# float32 carries 7 digits, of which sums in another order cost the last one or two.
TOLERANCE = 1e-5
# What one rounding in a half-precision type costs, relative to the value.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
# Every layer rounds, where moving the inputs by one rounding shows the effect of a single one.
ROUNDINGS = 16


def check(source: Any, target: Any, entries: list[Entry], structure: Any, direction: Direction) -> None:
    """Raises a ValueError where the outputs of both models differ, on full or on padded sequences."""
    for padding in [None, *paddings(source)]:
        compare(source, target, made_up(source, entries, padding), structure, direction, padding)


def compare(
    source: Any, target: Any, made: Iterable[list], structure: Any, direction: Direction, padding: Any
) -> None:
    """Raises a ValueError where the outputs of both models differ on made-up inputs.

    Where they do, but the original itself answers about as differently to inputs that are one rounding off,
    other inputs are tried: deep networks that are not trained may amplify roundings a millionfold.
    """
    most, failure, amplified = tolerance(source), None, None
    for inputs in made:
        given = keras.tree.pack_sequence_as(structure, inputs)
        try:
            expected = arrays(source(given, training=False))
        except Exception as error:  # these numbers are not what the model reads: the next may be
            failure = error
            continue
        apart = largest_difference(expected, arrays(target(given, training=False)))
        if apart <= most:
            return
        off = keras.tree.pack_sequence_as(structure, [one_rounding_off(value) for value in inputs])
        amplified = largest_difference(expected, arrays(source(off, training=False)))
        if apart > ROUNDINGS * amplified:
            raise ValueError(
                f"the model rebuilt in {direction.name} does not compute what the original does: on made-up "
                f"inputs{'' if padding is None else ' with padded steps'} the largest difference is "
                f"{apart:.2g} of the largest output, where {most:.2g} is accepted. {cause(source, target)}; "
                "pass check=False to get it all the same"
            )
    why = "the original accepts none of the inputs that were made up"
    if amplified is not None:
        why = f"inputs that are one rounding off change {amplified:.2g} of the original's largest output"
    raise ValueError(
        f"the rebuilt model could not be checked, since {why}; pass check=False and compare the two on your "
        "own data"
    ) from failure


def cause(source: Any, target: Any) -> str:
    """What to do about a difference; where there are masks, they are the likely cause."""
    if not paddings(source):
        return "Please report the layers it has"
    left, right = masked_results(source), masked_results(target)
    apart = [name for name in left if name in right and left[name] != right[name]]
    after = f"after {', '.join(apart)} only one of the models has a mask" if apart else "see docs/bridge.md"
    return f"Masks are the likely cause, which the libraries pass on in different ways ({after})"


def masked_results(model: Any) -> dict[str, bool]:
    """Whether masks leave the layers of a model, by name."""
    return {
        layer.name: any(
            getattr(tensor, "_keras_mask", None) is not None
            for node in layer._inbound_nodes
            for tensor in keras.tree.flatten(plain(node.outputs))
        )
        for layer in model._flatten_layers(include_self=False)
        if not isinstance(layer, type(model))
    }


def arrays(outputs: Any) -> list[np.ndarray]:
    """The outputs as dense arrays, and after each one which of its values a mask lets through.

    What a mask hides is set to zero: losses and metrics of both libraries leave it out, and they fill it with
    other values (attention of a padded query has nothing to attend to). The masks themselves must agree.
    """
    dense = []
    for output in keras.tree.flatten(plain(outputs)):
        mask = getattr(output, "_keras_mask", None)
        if isinstance(output, tf.SparseTensor):
            output = tf.sparse.to_dense(output)
        array = output.to_tensor().numpy() if isinstance(output, tf.RaggedTensor) else np.asarray(output)
        seen = visible(array, mask)
        dense += [array if seen.all() else np.where(seen, array, np.zeros_like(array)), seen]
    return dense


def visible(array: np.ndarray, mask: Any) -> np.ndarray:
    """Which values of an output its mask lets through; all where it has none that fits."""
    mask = None if mask is None else np.asarray(mask)
    if mask is None or mask.shape != array.shape[: mask.ndim]:
        return np.ones(array.shape, bool)
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array.shape)


def tolerance(model: Any) -> float:
    """The largest difference to accept, relative to the largest output.

    In half precision each layer rounds what it hands on. The roundings of two libraries that add in another
    order are independent, so that they grow with the square root of the depth; four of them are let pass.
    """
    layers = list(model._flatten_layers())
    coarsest = max((ROUNDING.get(layer.compute_dtype, 0.0) for layer in layers), default=0.0)
    return max(TOLERANCE, 4 * coarsest * float(np.sqrt(len(layers))))


def difference(expected: np.ndarray, received: np.ndarray) -> float:
    """The largest difference, relative to the largest expected value; 0 if equal, NaN included."""
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(expected, received) else float("inf")
    expected, received = expected.astype("float64"), received.astype("float64")
    if not np.array_equal(np.isfinite(expected), np.isfinite(received)):
        return float("inf")
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], received[~finite], equal_nan=True):
        return float("inf")
    apart = np.abs(expected[finite] - received[finite]).max(initial=0.0)
    most = np.abs(expected[finite]).max(initial=0.0)
    return float(apart / most) if most else float("inf") if apart else 0.0


def largest_difference(expected: list, received: list) -> float:
    """The largest difference of several outputs; infinite where their shapes differ."""
    if [array.shape for array in expected] != [array.shape for array in received]:
        return float("inf")
    return max((difference(a, b) for a, b in zip(expected, received, strict=True)), default=0.0)

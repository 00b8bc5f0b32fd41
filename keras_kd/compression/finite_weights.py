"""Weights that are NaN or infinite: nothing can be approximated by them, or told from their sizes."""

import keras

from keras_kd.finite import nonfinite
from keras_kd.paths import layers_by_path


def check_finite_weights(model: keras.Model) -> None:
    """Raise a `ValueError` if a weight of a model holds NaN or infinity; minus infinity may be a mask.

    Examples:
        >>> check_finite_weights(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    """
    layers = layers_by_path(model).items()  # outer ones before inner ones
    owners = {id(weight): (path, weight) for path, layer in layers for weight in layer.weights}
    for path, weight in owners.values():
        wrong = nonfinite(weight.value, may_suppress=True)
        if wrong.any():
            raise ValueError(
                f"The {weight.name} of {path!r} in {model.name!r} holds NaN or infinity: "
                f"{int(wrong.sum()):,} of {wrong.size:,} numbers. Its training has diverged: load an earlier "
                "checkpoint, or train anew."
            )

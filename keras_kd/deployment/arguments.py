"""Checks of the arguments of `export`, before any work is done."""

from __future__ import annotations

import keras

from keras_kd.deployment import quantizations
from keras_kd.deployment.quantizations import Quantization
from keras_kd.deployment.source.source_model import is_quantization_aware, recurrent_layer


def check_integer(name: str, value: object, least: int) -> None:
    """Raise a `ValueError` unless an argument is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; received {value!r}.")


def check_quantization(
    model: keras.Model, quantization: str | None, io: str, *, sparse: bool, calibrated: bool
) -> Quantization:
    """Check that model, quantization, io, sparse and calibration are compatible.

    Returns:
        The row of the table of quantizations.
    """
    row = quantizations.get(quantization)
    _check_sparse(sparse, row)
    if io not in row.io:
        raise ValueError(
            f"io={io!r} does not work with quantization={quantization!r}; expected one of {row.io}."
        )
    if is_quantization_aware(model):
        if not row.from_training:
            # The other kinds would give this same file, or one that imitates it with more operators.
            trained = next(row for row in quantizations.QUANTIZATIONS if row.from_training)
            raise ValueError(
                f"{model.name!r} is quantization aware: trained to become {trained.with_article} file. "
                f"Pass quantization={trained.name!r}; received {quantization!r}."
            )
    elif row.integer_activations and not calibrated:
        raise ValueError(
            f"quantization={quantization!r} needs calibration=: a few hundred samples of the training "
            "inputs, as a tf.data.Dataset or arrays."
        )
    return row


def _check_sparse(sparse: bool, quantization: Quantization) -> None:
    """Check that a file with this quantization can leave zeros out."""
    if sparse and not quantization.sparse:
        raise ValueError(
            f"sparse=True works with quantization in {quantizations.names(sparse=True)}; received "
            f"{quantization.name!r}: sparse files with integer weights convert and then fail to run. "
            "Without sparse=True, gzip compresses the zeros."
        )


def select_batch_size(
    model: keras.Model, batch_size: int | None, own: int | None
) -> tuple[int | None, list[str]]:
    """Choose the batch size to convert with.

    Args:
        model: the model.
        batch_size: what `export` was given.
        own: the batch size that the model's inputs fix, or `None`.

    Returns:
        The batch size, or `None` for a free one, and notes about it.
    """
    if batch_size is not None:
        check_integer("batch_size", batch_size, 1)
    if own is not None:
        if batch_size not in (None, 1, own):
            raise ValueError(
                f"batch_size={batch_size} does not fit {model.name!r}, whose inputs fix it at {own}."
            )
        return own, [] if batch_size == own else [f"the batch is fixed at {own} by the inputs of the model"]
    recurrent = recurrent_layer(model)
    if batch_size is not None or recurrent is None:
        return batch_size, []
    return 1, [f"the batch is fixed at 1 because of the recurrent layer {recurrent!r}"]

"""What the histories of trainings say: the epoch that counts, and curves that can be compared."""

import math
from collections.abc import Mapping, Sequence

from keras_kd.jobs.tasks import LABEL_LOSS
from keras_kd.messages import number_of

History = Mapping[str, Sequence[float]]


def monitored(history: History) -> tuple[str, bool]:
    """The figure by which one epoch is better than another, and whether more of it is better.

    The accuracy on validation data, or else its loss, which is that of all outputs together.
    """
    return ("val_accuracy", True) if "val_accuracy" in history else ("val_loss", False)


def kept_epoch(history: History, keeps_best: bool) -> int:
    """The index of the epoch whose weights a model has: the last one, or the first that was best."""
    key, more = monitored(history)
    values = history[key]
    return values.index((max if more else min)(values)) if keeps_best else len(values) - 1


def summary(history: History, keeps_best: bool, before: int = 0) -> str:
    """How many epochs there were, after those `before`, and how good the model is on validation data."""
    done, kept = len(history["val_loss"]), kept_epoch(history, keeps_best)
    key, _ = monitored(history)
    value = history[key][kept] if key == "val_accuracy" else comparable_losses(history)[kept]
    text = f"accuracy {100 * value:.1f} %" if key == "val_accuracy" else f"loss {value:.4g}"
    if "val_mean_absolute_error" in history:
        text = f"mean absolute error {history['val_mean_absolute_error'][kept]:.4g}"
    epoch = f" in epoch {before + kept + 1}, which is kept" if kept + 1 < done else ""
    return f"{number_of(done, 'more epoch' if before else 'epoch')}, validation {text}{epoch}"


def comparable_losses(history: History) -> list[float]:
    """The loss against the labels in each epoch, summed over outputs.

    The loss of a distilled student is weighted, and that of one trained alone is not.
    """
    found = [values for key, values in history.items() if key.startswith("val_") and key.endswith(LABEL_LOSS)]
    return [math.fsum(values) for values in zip(*found, strict=True)] or list(history["val_loss"])


def validation_curves(histories: Sequence[History]) -> dict[str, list[float]]:
    """The curves of a training and its continuations on validation data.

    The loss of each output is that against its labels, too.
    """
    kept = [key for key in histories[0] if key.startswith("val_") and not key.endswith(("loss", LABEL_LOSS))]
    curves = {key: [value for history in histories for value in history[key]] for key in kept}
    losses = [key for key in histories[0] if key.startswith("val_") and key.endswith(f"_{LABEL_LOSS}")]
    for key in losses if len(losses) > 1 else ():
        curves[key.replace(LABEL_LOSS, "loss")] = [value for history in histories for value in history[key]]
    return {**curves, "val_loss": [value for history in histories for value in comparable_losses(history)]}


def is_finite(history: History) -> bool:
    """Whether the losses of the last epoch are numbers."""
    return all(math.isfinite(values[-1]) for key, values in history.items() if key.endswith("loss"))

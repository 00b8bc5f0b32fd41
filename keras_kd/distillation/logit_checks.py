"""A compiled loss that takes probabilities for logits, or logits for probabilities."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from keras_kd.activations import ROUNDING
from keras_kd.distillation.compiled_losses import CompiledLoss, losses_by_output, name_of, takes_logits
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.legacy import is_tf_keras
from keras_kd.parts import parts
from keras_kd.signals.batches import Batch
from keras_kd.signals.taps import Taps
from keras_kd.signals.tracing import SignalSpec, trace_activations
from keras_kd.training.preserved_state import PreservedState

_CLASSES = {
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}


def warn_of_misread_outputs(
    loss: CompiledLoss, models: ModelPair, signals: Mapping[str, SignalSpec], batch: Batch
) -> None:
    """Warn if `from_logits` of a compiled cross-entropy contradicts what the student ends in.

    Probabilities are known by the softmax or sigmoid that the student ends in; that logits are none, by an
    output below 0. What is not known gives no warning.

    Args:
        loss: What `compile` was given.
        models: The student, as it runs on the data.
        signals: What is known of the student's signals.
        batch: The first batch. The student runs on it only if a loss takes probabilities and its output
            comes from no known softmax or sigmoid.
    """
    if all(takes_logits(one) is None for one in parts(loss).values()):
        return
    activations = _activations(models, signals, batch)
    of_outputs = losses_by_output(loss, activations, getattr(models.student, "output_names", None))
    logits = {path: takes_logits(one) for path, one in of_outputs.items()}
    suspects = [path for path, taken in logits.items() if taken is False and activations[path] is None]
    lowest = _lowest(models, batch, suspects) if suspects else {}
    for path, one in of_outputs.items():
        whose = f"output {path!r} of the student" if len(activations) > 1 else "student"
        subject = f"The {whose} {models.student.name!r}"
        activation = activations[path]
        if logits[path] and activation is not None:
            reason, right = _about_softmax(subject, activation, one), False
        elif lowest.get(path, 0.0) < -ROUNDING:
            reason, right = _about_logits(subject, lowest[path], one), True
        else:
            continue
        library = "tf_keras" if is_tf_keras(models.student) else "keras"
        other = "" if name_of(one) else ", or the one that the labels are for"
        warnings.warn(
            f"{reason} {library}.losses.{_class_of(one)}(from_logits={right}){other}.", stacklevel=5
        )


def _activations(
    models: ModelPair, signals: Mapping[str, SignalSpec], batch: Batch
) -> Mapping[str, str | None]:
    """What the student's outputs come from, by their path; traced only if no objective reads the output."""
    if "output" in signals:
        return {"": signals["output"].activation}
    taps = Taps(models.student, [])
    return trace_activations(lambda inputs: models.record_student(taps, inputs)[0], batch.specs().inputs)


def _lowest(models: ModelPair, batch: Batch, paths: Sequence[str]) -> dict[str, float]:
    """The smallest value of outputs on a batch; the student is left as it was found."""
    with PreservedState(models.student).preserved():
        outputs, _ = models.record_student(Taps(models.student, []), batch.inputs)
    found = parts(outputs)
    if len(found) == 1:
        found = dict.fromkeys(paths, *found.values())
    return {path: float(np.min(found[path], initial=0.0)) for path in paths}


def _about_softmax(subject: str, activation: str, loss: object) -> str:
    return (
        f"{subject} ends in a {activation}, and its loss {_class_of(loss)} has from_logits=True: it takes "
        "the probabilities for logits, and applies a second activation unless Keras finds the logits behind "
        "the first. Pass"
    )


def _about_logits(subject: str, lowest: float, loss: object) -> str:
    given = repr(loss) if isinstance(loss, str) else f"{_class_of(loss)} has from_logits=False: it"
    return (
        f"{subject} gives {lowest:.3g} for a sample of the first batch, and its loss {given} takes "
        "probabilities. Keras clips what is below 0, so that the student learns little or nothing. If these "
        "are logits, pass"
    )


def _class_of(loss: object) -> str:
    return _CLASSES.get(name_of(loss), "SparseCategoricalCrossentropy")

"""What `evaluate` reports about a student: nothing about its training."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras

from keras_kd.distillation.compiled_losses import CompiledLoss
from keras_kd.distillation.label_checks import check_evaluated_labels, check_labels
from keras_kd.keras_internals import WITHIN_FIT
from keras_kd.tensors import Tensors


class EvaluatedStudent:
    """The part of a Distiller that evaluates the student, for models of either Keras."""

    if TYPE_CHECKING:  # provided by the subclasses
        student: keras.Model
        loss: CompiledLoss

        @property
        def compiled_with_loss(self) -> bool:
            """Whether `compile` was given a loss, which needs labels."""

    def evaluate(self, x: object = None, y: Tensors = None, *args: Any, **options: Any) -> Any:
        """Evaluate the student as Keras's `evaluate` does; see there for the arguments.

        Raises:
            ValueError: Labels that are not valid classes, before the run starts.
        """
        if self.compiled_with_loss and WITHIN_FIT not in options:  # `fit` has looked at them
            x = check_evaluated_labels(x, y, self.student, self.loss)
        return super().evaluate(x, y, *args, **options)  # type: ignore[misc]

    def test_on_batch(self, x: Tensors, y: Tensors = None, *args: Any, **options: Any) -> Any:
        """Evaluate the student on one batch as Keras's `test_on_batch` does.

        Raises:
            ValueError: Labels that are not valid classes.
        """
        if self.compiled_with_loss:
            check_labels(y, self.student, self.loss)
        return super().test_on_batch(x, y, *args, **options)  # type: ignore[misc]


def require_figures(loss: bool, metrics: bool) -> None:
    """Raise a `ValueError` if there is neither a loss nor a metric to evaluate."""
    if not (loss or metrics):
        raise ValueError(
            "There is nothing to evaluate: `compile` was given neither `loss` nor `metrics`. The "
            "objectives are used in training only."
        )


def without(logs: dict[str, Any], trackers: Iterable[Any]) -> dict[str, Any]:
    """The logs, without the entries of these metrics."""
    names = {tracker.name for tracker in trackers}
    return {name: value for name, value in logs.items() if name not in names}

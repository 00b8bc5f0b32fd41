"""One training step of a Distiller, in parts that schemes change."""

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from keras_kd.distillation.base import BaseDistiller
from keras_kd.distillation.data_checks import require_labels
from keras_kd.distillation.evaluation import without
from keras_kd.distillation.tapped import Tapped
from keras_kd.distillation.update import scaled_loss, update_weights
from keras_kd.keras_internals import compiled_loss, total_tracker, unscaled
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Tensor, Tensors
from keras_kd.training import replicas


class TrainingStep(BaseDistiller, replicas.ReplicatedModel):
    """The part of a Keras 3 Distiller that runs in each step."""

    if TYPE_CHECKING:  # set by a subclass
        _hard_tracker: keras.metrics.Mean
        _objective_trackers: list[keras.metrics.Mean]

    def train_step(self, data: Tensors) -> dict[str, Tensor]:
        """One step: teacher forward, student forward, backward, update. See `Wiring` for its parts."""
        self.require_compiled("train_step")
        batch = self.batch_of(data)
        with tf.init_scope():  # projections are created outside the graph of this step
            self._wiring.prepare(batch)
        teacher = self._wiring.run_teacher(batch, carry=True)
        shown = self._show(batch, teacher)
        with tf.GradientTape() as tape:
            y_pred, student = self._learn(batch, shown)
            scaled = scaled_loss(self, self._total_loss(batch, y_pred, student, teacher))
        self._answers.count(batch, y_pred, teacher)
        update_weights(self, tape, scaled)
        self._end_step()
        return self._logs_of_step(batch, y_pred)

    # What schemes change of a step

    def _show(self, batch: Batch, teacher: Tapped) -> Tensors:
        """What the student is shown, made before the tape records."""
        return batch.inputs

    def _learn(self, batch: Batch, shown: Tensors) -> tuple[Tensors, Tapped]:
        """Run the student in the tape: the outputs that the labels judge, and the signals of objectives."""
        return self._wiring.run_student(shown)

    def _end_step(self) -> None:
        """What follows the update of the weights."""

    def _total_loss(self, batch: Batch, y_pred: Tensors, student: Tapped, teacher: Tapped) -> Tensor:
        loss = self._weighted_hard_loss(batch, y_pred)
        loss += self._wiring.compute_loss(
            student, teacher, batch, self.optimizer.iterations, self._objective_trackers
        )
        for added in self.additional_losses(self.losses):
            loss += added
        total_tracker(self).update_state(unscaled(loss), batches.count_samples(batch.inputs))
        return loss

    def _weighted_hard_loss(self, batch: Batch, y_pred: Tensors) -> Any:
        hard_loss = compiled_loss(self)
        if hard_loss is None:
            return 0.0
        require_labels(batch.labels)
        hard = hard_loss(batch.labels, y_pred, batch.sample_weight)
        self._hard_tracker.update_state(unscaled(hard), batches.count_samples(y_pred))
        return self.alpha * hard if self._blend else hard

    def _logs_of_step(self, batch: Batch, y_pred: Tensors) -> dict[str, Tensor]:
        x, y, sample_weight, _ = batch
        logs = self.get_metrics_result() if y is None else self.compute_metrics(x, y, y_pred, sample_weight)
        return without(logs, [] if self.compiled_with_loss else [self._hard_tracker])

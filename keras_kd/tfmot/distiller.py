"""The Distiller for tf_keras students, with or without tensorflow-model-optimization's wrappers."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from keras_kd.distillation.base import BaseDistiller
from keras_kd.distillation.data_checks import require_labels, require_metric_labels
from keras_kd.distillation.divergence import add_callback
from keras_kd.distillation.evaluation import require_figures, without
from keras_kd.distillation.hinton import ALPHA, TEMPERATURE, default_objectives
from keras_kd.distillation.model_checks import check_callbacks, check_compile_arguments, check_own_training
from keras_kd.distillation.model_inputs import check_keys
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess
from keras_kd.legacy import has_compiled_metrics, is_compiled, require_compiled, track_compiled_loss
from keras_kd.parts import Keys
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Scheduled, Tensor, Tensors
from keras_kd.tfmot.checks import check_student, check_updates, check_updates_run


class Distiller(BaseDistiller, tf_keras.Model):
    """Train a tf_keras student on the signals of a teacher of either Keras.

    This is `kd.Distiller` for tf_keras models: the same objectives, taps, projections and logs. The student
    may be plain, or wrapped by tensorflow-model-optimization: pruned, clustered, quantization aware, or a
    combination. Then train as tfmot documents, with its own callbacks: a pruned student needs
    `tfmot.sparsity.keras.UpdatePruningStep`, which finds the student here, and not the teacher.

    A wrapped layer is tapped by its own name, which remains after stripping, or by the wrapper's name
    (`"head"` or `"prune_low_magnitude_head"`). Both give what the wrapper returns: for a quantization-aware
    layer, the quantized values. A weight (`"head/kernel"`) is the one that the layer computes with, which is
    the clustered or quantized one.

    `compile` is tf_keras's own. Projections are Keras 3 layers; their variables are weights of this model,
    which `fit` trains and `save_weights` saves. The teacher is not part of it: it is not trained, and its
    state does not change. For deployment, save or export `distiller.student`.

    Args:
        student: The tf_keras model to train.
        teacher: A trained Keras 3 or tf_keras model, which takes its inputs as that of `kd.Distiller` does.
        objectives: `kd.Objective`s, or bare losses that read output against output with weight 1.
        temperature: The temperature of the soft targets, a number or a schedule; only without `objectives`.
        alpha: Weight of the hard loss, in [0, 1]; only without `objectives`.
        teacher_preprocess: Makes the teacher's inputs of the data's `x`.
        student_inputs: What the student takes of an `x` that holds more, as for `kd.Distiller`.
        name: Name of this model.

    Raises:
        TypeError: The student is a Keras 3 model; losses, optimizers, metrics or callbacks are from Keras 3.
        ValueError: As for `kd.Distiller`; also a pruned student without tfmot's callback.

    Examples:
        >>> import keras, numpy as np, tf_keras
        >>> import keras_kd as kd
        >>> layers = tf_keras.layers
        >>> student = tf_keras.Sequential([layers.Input((4,)), layers.Dense(3)])
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> distiller = kd.tfmot.Distiller(student, teacher, temperature=4.0, alpha=0.1)
        >>> hard = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> distiller.compile("adam", loss=hard)
        >>> history = distiller.fit(np.random.rand(32, 4), np.random.randint(0, 3, 32), verbose=0)
        >>> sorted(history.history)
        ['loss', 'soft_targets', 'student_loss']
    """

    def __init__(
        self,
        student: tf_keras.Model,
        teacher: keras.Model | tf_keras.Model | None = None,
        objectives: Sequence[Objective | LossLike] | None = None,
        *,
        temperature: Scheduled = TEMPERATURE,
        alpha: float = ALPHA,
        teacher_preprocess: Preprocess | None = None,
        student_inputs: Keys = None,
        name: str = "distiller",
    ) -> None:
        check_student(student)
        super().__init__(name=name, dtype=student.dtype_policy, autocast=False)
        check_own_training(student)
        self.student, self.projections = student, _Projections(name="projections")
        self.built = student.built
        terms = default_objectives(objectives, temperature, alpha)
        own = {
            "objectives": terms,
            "temperature": temperature if callable(temperature) else float(temperature),
            "alpha": float(alpha),
            "student_inputs": check_keys(student_inputs),
            "_blend": objectives is None,
            "_total_tracker": tf_keras.metrics.Mean(name="loss"),
            "_hard_tracker": tf_keras.metrics.Mean(name="student_loss"),
            "_objective_trackers": [tf_keras.metrics.Mean(name=term.name) for term in terms],
        }
        self.__dict__.update(own)  # where tf_keras does not look: it cannot track Keras 3 layers
        self._set_teacher(teacher, teacher_preprocess)

    @property
    def output_names(self) -> list[str] | None:
        """The student's: losses, metrics and labels may be given by these names."""
        return getattr(self.student, "output_names", None) if "_wiring" in self.__dict__ else None

    @output_names.setter
    def output_names(self, names: list[str] | None) -> None:
        """Do nothing: tf_keras sets it to `None`."""

    @property
    def metrics(self) -> list[tf_keras.metrics.Metric]:
        """The metrics that are logged and reset."""
        own = [self._total_tracker, self._hard_tracker, *self._objective_trackers]
        return [*own, *(metric for metric in super().metrics if all(metric is not one for one in own))]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configure for training as `tf_keras.Model.compile` does; see there for the arguments.

        Raises:
            TypeError: A loss, metric or optimizer of Keras 3.
        """
        given = inspect.signature(tf_keras.Model.compile).bind(self, *args, **kwargs).arguments
        check_compile_arguments(given, tf_keras.Model, "kd.tfmot.Distiller")
        super().compile(*args, **kwargs)
        track_compiled_loss(self, self._hard_tracker)  # "loss" is the total here

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Tensors) -> dict[str, Tensor]:
        """One step: teacher forward, student forward, backward, update. See `Wiring` for its parts."""
        self.require_compiled("train_step")
        batch = batches.unpack(data)
        with tf.init_scope():  # projections are created outside the graph of this step
            self._wiring.prepare(batch)
            self._adopt_projections()
        teacher_signals = self._wiring.run_teacher(batch, carry=True)
        with tf.GradientTape() as tape:
            y_pred, student_signals = self._wiring.run_student(batch.inputs)
            loss = self._wiring.compute_loss(
                student_signals, teacher_signals, batch, self.optimizer.iterations, self._objective_trackers
            )
            if self.compiled_with_loss:
                require_labels(batch.labels)
                hard = tf.cast(self.compiled_loss(batch.labels, y_pred, batch.sample_weight), loss.dtype)
                loss = (self.alpha * hard if self._blend else hard) + loss
            for added in (*self.losses, *(added for term in self.objectives for added in term.losses)):
                loss += tf.cast(added, loss.dtype)
        self._answers.count(batch, y_pred, teacher_signals)
        self._total_tracker.update_state(loss, sample_weight=batches.count_samples(batch.inputs))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self._logs_of_step(batch, y_pred)

    def _adopt_projections(self) -> None:
        self.projections.adopt(self.objectives)

    def _logs_of_step(self, batch: Batch, y_pred: Tensors) -> dict[str, Tensor]:
        x, y, sample_weight, _ = batch
        logs = self.get_metrics_result() if y is None else self.compute_metrics(x, y, y_pred, sample_weight)
        return without(logs, [] if self.compiled_with_loss else [self._hard_tracker])

    def fit(
        self, x: object = None, y: object = None, *args: Any, **kwargs: Any
    ) -> tf_keras.callbacks.History:
        """Train as `tf_keras.Model.fit` does; see there for the arguments.

        Raises:
            TypeError: A callback of Keras 3.
            ValueError: No data, NaN in arrays, labels that are not valid classes, or a pruned student without
                `UpdatePruningStep`, before the first step.
        """
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        self.require_compiled("fit")
        check_callbacks(given.get("callbacks"), tf_keras.callbacks.Callback)
        check_updates(self.student, given.get("callbacks"))
        self._check_data(given)
        self._prepare_for(x, y)
        end_epoch = tf_keras.callbacks.LambdaCallback(on_epoch_end=self._start_fit({**given}))
        given["callbacks"] = add_callback(given.get("callbacks"), end_epoch)
        # Without a teacher, each dataset may carry signals of a different kind.
        with self._first_batch.intercepted(anew=self.teacher is None):
            return super().fit(**given)

    def validate_first_batch(self, data: Tensors) -> None:
        batch = batches.unpack(data)
        if has_compiled_metrics(self):
            require_metric_labels(batch.labels)
        check_updates_run(self.student)
        self._prepare(batch)
        self._check_batch(batch)

    @property
    def compiled_with_loss(self) -> bool:
        return bool(is_compiled(self) and self.loss)

    def require_compiled(self, method: str) -> None:
        require_compiled(self)

    def test_step(self, data: Tensors) -> dict[str, Tensor]:
        """Evaluate the student alone."""
        self.require_compiled("test_step")
        has_loss = self.compiled_with_loss or bool(self.student.losses)
        require_figures(has_loss, has_compiled_metrics(self))
        logs = super().test_step(batches.without_teacher_signals(data))
        hard = logs[self._hard_tracker.name]
        logs = without(logs, [self._total_tracker, self._hard_tracker, *self._objective_trackers])
        return {"loss": hard, **logs} if has_loss else logs

    def predict_step(self, data: Tensors) -> Tensors:
        return super().predict_step(batches.without_teacher_signals(data))

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            "kd.tfmot.Distiller has no file of its own. Save `distiller.student`, or the weights of both "
            "with `distiller.save_weights(...)`."
        )


class _Projections(tf_keras.layers.Layer):
    """Holds variables of Keras 3 layers and computes nothing, so that tf_keras trains and saves them."""

    def adopt(self, layers: Iterable[keras.layers.Layer]) -> None:
        """Hold the variables of these layers, in addition to those already held."""
        held = {id(variable) for variable in self.weights}
        values = [variable.value for layer in layers for variable in layer.variables]
        new = [value for value in values if id(value) not in held]
        if new:
            self.adopted = [*getattr(self, "adopted", ()), *new]
        self.built = True

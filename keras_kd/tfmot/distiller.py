"""The Distiller for students of tf_keras, with tensorflow-model-optimization's wrappers or without."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf
import tf_keras

from keras_kd.distillation.base import Distillation, require_labels
from keras_kd.distillation.hinton import ALPHA, TEMPERATURE, default_objectives
from keras_kd.distillation.model_checks import check_callbacks, check_compiled, check_own_training
from keras_kd.signals import batches
from keras_kd.tfmot.checks import (
    check_student,
    check_updates,
    check_updates_run,
)
from keras_kd.training.first_batch import Cautious
from keras_kd.training.preserved_state import preserve_state


class Distiller(Distillation, Cautious, tf_keras.Model):
    """Train a tf_keras student on what a teacher of either Keras says.

    It is `kd.Distiller` for models of tf_keras: the same objectives, taps, projections and logs. The student
    may be plain, or wrapped by tensorflow-model-optimization: pruned, clustered, quantization aware, or
    several of them. Then train as tfmot says, with its own callbacks: a pruned student needs
    `tfmot.sparsity.keras.UpdatePruningStep`, which finds the student here, and not the teacher.

    A layer in a wrapper is tapped by its own name, which stays after stripping, or by the wrapper's
    (`"head"` or `"prune_low_magnitude_head"`). Both are what the wrapper returns: of a quantization-aware
    layer the quantized values. A weight (`"head/kernel"`) is what the layer computes with, so it is the
    clustered or quantized one.

    `compile` is tf_keras's own. Projections are layers of Keras 3; their variables are weights of this
    model, which `fit` trains and `save_weights` saves. The teacher is not among them, is not trained and is
    left as it was found. For use, save or export `distiller.student`.

    Args:
        student: The model to train, of tf_keras.
        teacher: A trained model of Keras 3 or tf_keras. It gets the student's inputs, through
            `teacher_preprocess`.
        objectives: `kd.Objective`s, or bare losses that read output against output with weight 1.
        temperature: Of the soft targets, a number or a schedule of the step; only without `objectives`.
        alpha: Weight of the hard loss, in [0, 1]; only without `objectives`.
        teacher_preprocess: Turns the student's inputs into the teacher's.
        name: Name of this model.

    Raises:
        TypeError: A student of Keras 3; losses, optimizers, metrics or callbacks of Keras 3.
        ValueError: As for `kd.Distiller`; a pruned student without tfmot's callback.

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

    _distribute_strategy = None  # one device

    def __init__(
        self,
        student: tf_keras.Model,
        teacher: Any = None,
        objectives: Sequence[Any] | None = None,
        *,
        temperature: float | Callable[[Any], Any] = TEMPERATURE,
        alpha: float = ALPHA,
        teacher_preprocess: Callable[[Any], Any] | None = None,
        name: str = "distiller",
    ) -> None:
        check_student(student)
        super().__init__(name=name, dtype=student.dtype_policy, autocast=False)
        check_own_training(student)
        self._hold(student, teacher_preprocess)
        self.student = student
        self.projections = _Projections(name="projections")
        self.built = student.built
        terms = default_objectives(objectives, temperature, alpha)
        own = {
            "objectives": terms,
            "temperature": temperature if callable(temperature) else float(temperature),
            "alpha": float(alpha),
            "_blend": objectives is None,
            "_total_tracker": tf_keras.metrics.Mean(name="loss"),
            "_hard_tracker": tf_keras.metrics.Mean(name="student_loss"),
            "_objective_trackers": [tf_keras.metrics.Mean(name=term.name) for term in terms],
        }
        self.__dict__.update(own)  # which tf_keras does not look into: it cannot track layers of Keras 3
        self.teacher = teacher

    @property
    def output_names(self) -> Any:
        """Of the student: losses, metrics and labels may be given by these names."""
        return getattr(self.student, "output_names", None) if "_wiring" in self.__dict__ else None

    @output_names.setter
    def output_names(self, names: Any) -> None:
        """Nothing to do: tf_keras sets it to `None`."""

    @property
    def metrics(self) -> list[Any]:
        """What is logged and reset."""
        own = [self._total_tracker, self._hard_tracker, *self._objective_trackers]
        return [*own, *(metric for metric in super().metrics if all(metric is not one for one in own))]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configure for training as `tf_keras.Model.compile` does; see there for the arguments.

        Raises:
            TypeError: A loss, metric or optimizer of Keras 3.
        """
        given = inspect.signature(tf_keras.Model.compile).bind(self, *args, **kwargs).arguments
        check_compiled(given, tf_keras.Model, "kd.tfmot.Distiller")
        super().compile(*args, **kwargs)
        self.compiled_loss._total_loss_mean = self._hard_tracker  # "loss" is the total here
        self._looked = False

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: teacher forward, student forward, backward, update."""
        x, y, sample_weight, said = batches.unpack(data)
        with tf.init_scope():  # projections are made outside of the graph of this step
            self._prepare(data)
        told = self._wiring.teach(x, said)
        with tf.GradientTape() as tape:
            y_pred, seen = self._wiring.study(x)
            loss = self._distillation_loss(seen, told, (x, y), sample_weight)
            if self._trains_on_labels:
                require_labels(y)
                hard = tf.cast(self.compiled_loss(y, y_pred, sample_weight), loss.dtype)
                loss = self._share(hard) + loss
            for added in (*self.losses, *(added for term in self.objectives for added in term.losses)):
                loss += tf.cast(added, loss.dtype)
        self._total_tracker.update_state(loss, sample_weight=batches.samples(x))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        logs = self.get_metrics_result() if y is None else self.compute_metrics(x, y, y_pred, sample_weight)
        return self._without(logs, () if self._trains_on_labels else (self._hard_tracker,))

    @property
    def _trains_on_labels(self) -> bool:
        return bool(self._is_compiled and self.loss)

    def _wire(self, inputs: Any, labels: Any = None, said: Any = None) -> None:
        super()._wire(inputs, labels, said)
        self.projections.adopt(self.objectives)

    def look_at(self, data: Any) -> None:
        if batches.unpack(data)[1] is None and self._wants_labels:
            raise ValueError("compile(metrics=...) needs labels, and the data has none.")
        check_updates_run(self.student)
        super().look_at(data)

    @property
    def _wants_labels(self) -> bool:
        metrics = self.compiled_metrics
        return bool(metrics._user_metrics or metrics._user_weighted_metrics)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate the student alone."""
        if not (self._trains_on_labels or self.student.losses or self._wants_labels):
            raise ValueError(
                "There is nothing to evaluate: `compile` was given neither `loss` nor `metrics`. The "
                "objectives are of training only."
            )
        logs = super().test_step(batches.untaught(data))
        hard = logs[self._hard_tracker.name]
        logs = self._without(logs, (self._total_tracker, self._hard_tracker, *self._objective_trackers))
        return {"loss": hard, **logs} if self._trains_on_labels or self.student.losses else logs

    def _without(self, logs: dict[str, Any], trackers: Iterable[Any]) -> dict[str, Any]:
        names = {tracker.name for tracker in trackers}
        return {name: value for name, value in logs.items() if name not in names}

    def predict_step(self, data: Any) -> Any:
        return super().predict_step(batches.untaught(data))

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `tf_keras.Model.fit` does; see there for the arguments.

        Raises:
            TypeError: A callback of Keras 3.
            ValueError: No data, NaN in arrays, labels that are no class, or a pruned student without
                `UpdatePruningStep`, before the first step.
        """
        given = inspect.signature(tf_keras.Model.fit).bind(self, x, y, *args, **kwargs).arguments
        check_callbacks(given.get("callbacks"), tf_keras.callbacks.Callback)
        check_updates(self.student, given.get("callbacks"))
        self._look_at_arguments(given)
        with preserve_state(self.teacher):
            return super().fit(**{name: value for name, value in given.items() if name != "self"})

    def _assert_compile_called(self, method: str) -> None:
        self._assert_compile_was_called()

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            "kd.tfmot.Distiller has no file of its own. Save `distiller.student`, or the weights of both "
            "with `distiller.save_weights(...)`."
        )


class _Projections(tf_keras.layers.Layer):
    """Holds variables of Keras 3 layers and computes nothing, so that tf_keras trains and saves them."""

    def adopt(self, layers: Iterable[keras.layers.Layer]) -> None:
        """Hold the variables of these layers, besides those that are held."""
        held = {id(variable) for variable in self.weights}
        values = [variable.value for layer in layers for variable in layer.variables]
        new = [value for value in values if id(value) not in held]
        if new:
            self.adopted = [*getattr(self, "adopted", ()), *new]
        self.built = True

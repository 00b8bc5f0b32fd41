"""The Distiller: a Keras model whose train step lets a teacher's signals into a student."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.losses.loss import unscale_loss_for_distribution

from keras_kd.distillation.base import Distillation, require_labels
from keras_kd.distillation.hinton import ALPHA, TEMPERATURE, default_objectives
from keras_kd.distillation.model_checks import (
    check_callbacks,
    check_compiled,
    check_own_training,
    compiled_with,
)
from keras_kd.legacy import require_keras_model
from keras_kd.signals import batches
from keras_kd.training.full_state import put_first
from keras_kd.training.preserved_state import preserve_state
from keras_kd.training.replicas import ReplicatedModel, check_options, check_scope


@keras.saving.register_keras_serializable("keras_kd")
class Distiller(Distillation, ReplicatedModel):
    """Train a student on what a teacher says, with `compile` and `fit` as for any Keras model.

    Without `objectives` the loss is Hinton's blend, `alpha * hard + (1 - alpha) *
    SoftTargets(temperature)`, where `hard` is the loss given to `compile`. With `objectives` it is
    `hard` (weighted by `compile(loss_weights=...)`) plus the sum of weight times objective.
    Regularisation losses are added once and never scaled. `compile` without `loss` trains on the
    objectives alone.

    Each model runs once per step. The teacher runs with `training=False` outside the gradient; it is
    not trained, not saved and left as it was found. `call`, `evaluate` and `predict` are the
    student's alone. The logs hold `loss` (the total), `student_loss` (the hard loss), the
    unweighted value of each objective, then the metrics.

    Files (`save`, weights, checkpoints) hold the student, the projections and the optimizer. After
    loading one, set `distiller.teacher` to go on. Save or export `distiller.student` for use.

    Source: Hinton, Vinyals, Dean 2015, arXiv 1503.02531; the default blend is that of the CRD
    benchmark, arXiv 1910.10699.

    Args:
        student: The model to train.
        teacher: A trained model. It gets the student's inputs, through `teacher_preprocess`.
        objectives: `Objective`s, or bare losses that read output against output with weight 1.
        temperature: Of the soft targets, a number or a schedule of the step; only without
            `objectives`.
        alpha: Weight of the hard loss, in [0, 1]; only without `objectives`.
        teacher_preprocess: Turns the student's inputs into the teacher's: a function or layer that
            resizes or normalises. Like the teacher it is not saved.
        name: Name of this model.

    Raises:
        ValueError: A tap that does not exist, signals whose shapes do not meet, outputs that the
            loss would misread, a teacher without weights; before training where it can be known.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16), keras.layers.Dense(3)])
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> distiller = kd.Distiller(student, teacher, temperature=4.0, alpha=0.1)
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = distiller.fit(np.random.rand(32, 4), np.random.randint(0, 3, 32), verbose=0)
        >>> sorted(history.history)
        ['loss', 'soft_targets', 'student_loss']
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None = None,
        objectives: Sequence[Any] | None = None,
        *,
        temperature: float | Callable[[Any], Any] = TEMPERATURE,
        alpha: float = ALPHA,
        teacher_preprocess: Callable[[Any], Any] | None = None,
        name: str = "distiller",
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"A Distiller trains on TensorFlow, and Keras runs on {keras.backend.backend()!r}. Set "
                'KERAS_BACKEND="tensorflow" before Keras is imported. The losses, projections, taps and '
                "objectives run here, in a train step of your own."
            )
        require_keras_model(student, "student")
        super().__init__(name=name, dtype=student.dtype_policy)
        check_own_training(student)
        check_scope(student, self._distribute_strategy, "student")
        self._hold(student, teacher_preprocess)
        self.student = student
        self.objectives = default_objectives(objectives, temperature, alpha)
        self.temperature = temperature if callable(temperature) else float(temperature)
        self.alpha = float(alpha)
        self._blend = objectives is None
        self._hard_tracker = keras.metrics.Mean(name="student_loss")
        self._objective_trackers = [keras.metrics.Mean(name=objective.name) for objective in self.objectives]
        self.built = student.built
        self.teacher = teacher

    @property
    def output_names(self) -> Any:
        """Of the student: losses, metrics and labels may be given by these names."""
        return getattr(self.student, "output_names", None)

    @property
    def metrics(self) -> list[Any]:
        """What is logged and reset, the student's own metrics included."""
        found = super().metrics
        return [*found, *(metric for metric in self.student._metrics if metric not in found)]

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: teacher forward, student forward, backward, update."""
        x, y, sample_weight, said = batches.unpack(data)
        with tf.init_scope():  # projections are made outside of the graph of this step
            self._prepare(data)
        told = self._wiring.teach(x, said)
        with tf.GradientTape() as tape:
            y_pred, seen = self._wiring.study(x)
            loss = self._hard_loss(y, y_pred, sample_weight)
            loss += self._distillation_loss(seen, told, (x, y), sample_weight)
            for added in self.losses:
                loss += self._aggregate_additional_loss(added)
            samples = batches.samples(x)
            self._loss_tracker.update_state(unscale_loss_for_distribution(loss), sample_weight=samples)
            scaled = self.optimizer.scale_loss(loss)
        weights = self.trainable_weights
        if weights:
            self.optimizer.apply_gradients(zip(tape.gradient(scaled, weights), weights, strict=True))
        else:
            warnings.warn("The model does not have any trainable weights.", stacklevel=2)
        if y is None:
            logs = self.get_metrics_result()
        else:
            logs = self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
        if self._compile_loss is None:
            del logs[self._hard_tracker.name]
        return logs

    @property
    def _trains_on_labels(self) -> bool:
        return self.compiled and self._compile_loss is not None

    def look_at(self, data: Any) -> None:
        y = batches.unpack(data)[1]
        if y is None and self._compile_metrics is not None and not self._compile_metrics.built:
            raise ValueError("compile(metrics=...) needs labels, and the data has none.")
        super().look_at(data)
        if not self.run_eagerly:
            self._make_variables(data)

    def _make_variables(self, data: Any) -> None:
        """Of metrics and the optimizer: if the first step made them, TensorFlow would trace it once more."""
        known = all(part is None or isinstance(part, tf.Tensor) for part in keras.tree.flatten(data))
        if known and self._compile_metrics is not None:
            self._symbolic_build(data_batch=data)
        elif not self.optimizer.built and self._distribute_strategy is None:
            self.optimizer.build(self.trainable_variables)

    def _hard_loss(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        if self._compile_loss is None:
            return 0.0
        require_labels(y)
        hard = self._compile_loss(y, y_pred, sample_weight)
        samples = batches.samples(y_pred)
        self._hard_tracker.update_state(unscale_loss_for_distribution(hard), sample_weight=samples)
        return self._share(hard)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The student's own loss, for `evaluate`: the compiled loss and the student's regularisation."""
        found = [] if self._compile_loss is None else [self._compile_loss(y, y_pred, sample_weight)]
        found += [self._aggregate_additional_loss(added) for added in self.student.losses]
        if len(found) == 1:
            return found[0]
        return keras.ops.sum(found) if found else keras.ops.zeros(())  # which `test_step` leaves out

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluate the student alone."""
        logs = super().test_step(batches.untaught(data))
        of_training = {self._hard_tracker.name, *(tracker.name for tracker in self._objective_trackers)}
        if self._compile_loss is None and not self.student.losses:
            of_training.add("loss")
            if self._compile_metrics is None:
                raise ValueError(
                    "There is nothing to evaluate: `compile` was given neither `loss` nor `metrics`. The "
                    "objectives are of training only."
                )
        return {key: value for key, value in logs.items() if key not in of_training}

    def predict_step(self, data: Any) -> Any:
        return super().predict_step(batches.untaught(data))

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        super()._symbolic_build(iterator=iterator, data_batch=batches.untaught(data_batch))

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does; see there for the arguments.

        Raises:
            TypeError: A loss, metric or callback of tf_keras.
            ValueError: No data, NaN in arrays, or labels that are no class, before the first step.
        """
        given = inspect.signature(keras.Model.fit).bind(self, x, y, *args, **kwargs).arguments
        self._assert_compile_called("fit")
        check_callbacks(given.get("callbacks"), keras.callbacks.Callback)
        check_options(self)
        self._look_at_arguments(given)
        given["callbacks"] = put_first(given.get("callbacks"), x)
        with preserve_state(self.teacher):
            history = super().fit(**{name: value for name, value in given.items() if name != "self"})
        if history.epoch and not history.history:
            raise ValueError("The data set gave no batch, so nothing was trained.")
        return history

    def _assert_compile_called(self, method_name: Any = None) -> None:
        super()._assert_compile_called(method_name)
        # Not in `compile`: to override it breaks loading.
        check_compiled(compiled_with(self), keras.Model, "kd.Distiller")

    def export(self, filepath: Any, *args: Any, **kwargs: Any) -> Any:
        """Export the student as `keras.Model.export` does; see `kd.export` for a checked `.tflite` file."""
        return self.student.export(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        config: dict[str, Any] = {"student": serialize(self.student), "name": self.name}
        if self._blend:
            fixed = not callable(self.temperature)
            config |= {"temperature": self.temperature if fixed else serialize(self.temperature)}
            config["alpha"] = self.alpha
        else:
            config["objectives"] = [serialize(objective) for objective in self.objectives]
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Distiller":
        deserialize = keras.saving.deserialize_keras_object
        config = dict(config)
        config["student"] = deserialize(config["student"], custom_objects=custom_objects)
        if isinstance(config.get("temperature"), dict):
            config["temperature"] = deserialize(config["temperature"], custom_objects=custom_objects)
        if "objectives" in config:
            config["objectives"] = [deserialize(o, custom_objects) for o in config["objectives"]]
        return cls(**config)

"""The Distiller: a Keras model whose train step trains a student on a teacher's signals."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_kd.distillation import model_checks
from keras_kd.distillation.configuration import arguments_of, config_of
from keras_kd.distillation.data_checks import require_metric_labels
from keras_kd.distillation.divergence import add_callback
from keras_kd.distillation.evaluation import require_figures, without
from keras_kd.distillation.hinton import ALPHA, TEMPERATURE, default_objectives
from keras_kd.distillation.model_inputs import check_keys
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess
from keras_kd.distillation.step import TrainingStep
from keras_kd.keras_internals import (
    compiled_loss,
    compiled_metrics,
    own_metrics,
    strategy_of,
    total_tracker,
)
from keras_kd.legacy import require_keras_model
from keras_kd.parts import Keys
from keras_kd.signals import batches
from keras_kd.tensors import Scheduled, Tensor, Tensors
from keras_kd.training import replicas
from keras_kd.training.full_state import put_first
from keras_kd.training.variables import make_variables


@keras.saving.register_keras_serializable("keras_kd")
class Distiller(TrainingStep):
    """Train a student on a teacher's signals, with `compile` and `fit` as for any Keras model.

    Without `objectives` the loss is Hinton's blend, `alpha * hard + (1 - alpha) * SoftTargets(temperature)`,
    where `hard` is the loss given to `compile`. With `objectives` it is `hard` (weighted by
    `compile(loss_weights=...)`) plus the sum of weight times objective. Regularization losses are added once
    and never scaled. `compile` without `loss` trains on the objectives alone.

    Each model runs once per step. The teacher runs with `training=False` outside the gradient; it is neither
    trained nor saved, and its state does not change unless you change it. Callbacks may set `teacher` or
    `teacher_preprocess`. `call`, `evaluate` and `predict` use the student alone. The logs contain `loss` (the
    total), `student_loss` (the hard loss), the unweighted value of each objective, and the metrics.

    `fit` warns of a loss that misreads the student, a teacher that knows nothing and a collapsed student.

    Files (`save`, weights, checkpoints) contain the student, the projections and the optimizer. To resume
    training from one, set `distiller.teacher`. For deployment, save or export `distiller.student`.

    Source: Hinton, Vinyals, Dean 2015, arXiv 1503.02531; the default blend is that of the CRD
    benchmark, arXiv 1910.10699.

    Args:
        student: The model to train.
        teacher: A trained model. It takes the parts of the data's `x` that have the names of its inputs;
            where `x` has none, what the student takes. A subclassed teacher gets all of `x`.
        objectives: `Objective`s, or bare losses that read output against output with weight 1.
        temperature: The temperature of the soft targets, a number or a schedule of the step; only without
            `objectives`.
        alpha: Weight of the hard loss, in [0, 1]; only without `objectives`.
        teacher_preprocess: Makes the teacher's inputs of the data's `x`, of all of it: a function or layer
            that selects, resizes or normalizes. Like the teacher, it is not saved.
        student_inputs: What the student takes of an `x` that holds more: a key (`"image"`, or a position), or
            a tuple, list or dictionary of keys. Default: the parts that have the names of its inputs.
        name: Name of this model.

    Raises:
        ValueError: A tap does not exist, shapes of signals are incompatible, a loss would misread outputs, or
            the teacher has no weights. Raised before training where possible.

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
        objectives: Sequence[Objective | LossLike] | None = None,
        *,
        temperature: Scheduled = TEMPERATURE,
        alpha: float = ALPHA,
        teacher_preprocess: Preprocess | None = None,
        student_inputs: Keys = None,
        name: str = "distiller",
    ) -> None:
        model_checks.require_tensorflow()
        require_keras_model(student, "student")
        super().__init__(name=name, dtype=student.dtype_policy)
        model_checks.check_own_training(student)
        replicas.check_scope(student, strategy_of(self), "student")
        self.student = student
        self.objectives = self._terms(objectives, temperature, alpha)
        self.temperature = temperature if callable(temperature) else float(temperature)
        self.alpha, self._blend = float(alpha), objectives is None
        self.__dict__["student_inputs"] = check_keys(student_inputs)  # Keras would wrap a list
        self._hard_tracker = keras.metrics.Mean(name="student_loss")
        self._objective_trackers = [keras.metrics.Mean(name=objective.name) for objective in self.objectives]
        self.built = student.built
        self._set_teacher(teacher, teacher_preprocess)

    def _terms(
        self, objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
    ) -> list[Objective]:
        """The objectives that are trained on, from the arguments; the student is set."""
        return default_objectives(objectives, temperature, alpha)

    @property
    def output_names(self) -> list[str] | None:
        """The student's: losses, metrics and labels may be given by these names."""
        return getattr(self.student, "output_names", None)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics that are logged and reset, including the student's own."""
        found = super().metrics
        return [*found, *(one for one in own_metrics(self.student) if one not in found)]

    def fit(self, x: object = None, y: object = None, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; see there for the arguments.

        Raises:
            TypeError: A loss, metric or callback of tf_keras.
            ValueError: No data, NaN in arrays, or labels that are not valid classes, before the first step.
        """
        given = inspect.signature(super().fit).bind(x, y, *args, **kwargs).arguments
        self.require_compiled("fit")
        model_checks.check_callbacks(given.get("callbacks"), keras.callbacks.Callback)
        replicas.check_options(self)
        self._check_data(given)
        if strategy_of(self) is None:
            self._prepare_for(x, y)
        callbacks = put_first(given.get("callbacks"), x)
        end_epoch = keras.callbacks.LambdaCallback(on_epoch_end=self._start_fit({**given}))
        given["callbacks"] = add_callback(callbacks, end_epoch)
        with self._first_batch.intercepted(anew=self.teacher is None):  # each data set has its signals
            history = super().fit(**given)
        if history.epoch and not history.history:
            raise ValueError("The data set gave no batch, so nothing was trained.")
        return history

    def validate_first_batch(self, data: Tensors) -> None:
        batch = self.batch_of(data)
        if self.has_new_metrics:
            require_metric_labels(batch.labels)
        self._prepare(batch)
        self._check_batch(batch)
        if not self.run_eagerly:
            make_variables(self, data)

    @property
    def compiled_with_loss(self) -> bool:
        return self.compiled and compiled_loss(self) is not None

    def compute_loss(
        self,
        x: Tensors = None,
        y: Tensors = None,
        y_pred: Tensors = None,
        sample_weight: Tensors = None,
        training: bool = True,
    ) -> Tensor:
        """The student's own loss, for `evaluate`: the compiled loss and the student's regularization."""
        hard_loss = compiled_loss(self)
        found = [] if hard_loss is None else [hard_loss(y, y_pred, sample_weight)]
        found += self.additional_losses(self.student.losses)
        if len(found) == 1:
            return found[0]
        return keras.ops.sum(found) if found else keras.ops.zeros(())  # which `test_step` leaves out

    def test_step(self, data: Tensors) -> dict[str, Tensor]:
        """Evaluate the student alone."""
        self.require_compiled("test_step")
        logs = super().test_step(self.adapt_batch(data))
        has_loss = self.compiled_with_loss or bool(self.student.losses)
        require_figures(has_loss, bool(compiled_metrics(self)))
        of_training = [self._hard_tracker, *self._objective_trackers]
        return without(logs, of_training if has_loss else [*of_training, total_tracker(self)])

    def predict_step(self, data: Tensors) -> Tensors:
        return super().predict_step(batches.without_teacher_signals(data))

    def adapt_batch(self, batch: Tensors) -> Tensors:
        return batches.without_teacher_signals(batch)

    def check_compiled(self) -> None:
        given = {"loss": self.loss, **compiled_metrics(self)}
        model_checks.check_compile_arguments(given, keras.Model, "kd.Distiller")

    def export(self, filepath: str | Path, *args: Any, **kwargs: Any) -> Any:
        """Export the student as `keras.Model.export` does; see `kd.export` for a checked `.tflite` file."""
        return self.student.export(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return config_of(self, None if self._blend else self.objectives)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Distiller":
        return cls(**arguments_of(config, custom_objects))

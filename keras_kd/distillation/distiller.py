"""The Distiller: a Keras model whose train step lets a teacher's signals into a student."""

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.losses.loss import unscale_loss_for_distribution

from keras_kd import losses
from keras_kd.distillation import batch
from keras_kd.distillation.checks import (
    check_arrays,
    check_inputs,
    check_labels,
    check_loss,
    check_model,
    check_own_training,
    check_sharing,
    sample_weights,
    unmoved,
)
from keras_kd.distillation.first_batch import check_numbers
from keras_kd.distillation.full_state import put_first
from keras_kd.distillation.objectives import Objective, as_objectives
from keras_kd.distillation.replicas import ReplicatedModel, check_options, check_scope
from keras_kd.distillation.tracing import input_spec
from keras_kd.distillation.wiring import Wiring


class _Default(float):
    """A default that can be told from the same number given by the user."""


@keras.saving.register_keras_serializable("keras_kd")
class Distiller(ReplicatedModel):
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

    if TYPE_CHECKING:
        train_function: Any
        teacher: keras.Model | None
        teacher_preprocess: Callable[[Any], Any] | None

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None = None,
        objectives: Sequence[Any] | None = None,
        *,
        temperature: float | Callable[[Any], Any] = _Default(4.0),  # noqa: B008 (it is a float)
        alpha: float = _Default(0.1),
        teacher_preprocess: Callable[[Any], Any] | None = None,
        name: str = "distiller",
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"A Distiller trains on TensorFlow, and Keras runs on {keras.backend.backend()!r}. Set "
                'KERAS_BACKEND="tensorflow" before Keras is imported. The losses, projections, taps and '
                "objectives run here, in a train step of your own."
            )
        check_model(student, "student")
        super().__init__(name=name, dtype=student.dtype_policy)
        check_own_training(student)
        check_scope(student, self._distribute_strategy, "student")
        self.__dict__["_wiring"] = Wiring(student, self, None, teacher_preprocess, [])
        self.student = student
        self.temperature = temperature if callable(temperature) else float(temperature)
        self.alpha = float(alpha)
        self._blend = objectives is None
        if objectives is None:
            if not 0 <= alpha <= 1:
                raise ValueError(f"`alpha` is the hard loss's share, from 0 to 1. Received: alpha={alpha!r}.")
            objectives = [Objective(losses.SoftTargets(temperature), weight=1 - self.alpha)]
        elif not (isinstance(temperature, _Default) and isinstance(alpha, _Default)):
            raise ValueError(
                "`temperature` and `alpha` belong to the blend without objectives. With `objectives`, write "
                "kd.Objective(kd.losses.SoftTargets(temperature), weight=...) and compile(loss_weights=...)."
            )
        self.objectives = as_objectives(objectives)
        self._hard_tracker = keras.metrics.Mean(name="student_loss")
        self._objective_trackers = [keras.metrics.Mean(name=objective.name) for objective in self.objectives]
        self.built = student.built
        self.teacher = teacher

    # The teacher lives in an object that Keras cannot look into: a property would be found by
    # `dir()` and saved, an attribute would be tracked and trained.
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "teacher":
            self._set_teacher(value)
        elif name == "teacher_preprocess":
            self._wiring.preprocess = value
            self._set_teacher(self.teacher)
        elif (
            name in ("student", "temperature", "alpha", "objectives")
            and "_objective_trackers" in self.__dict__
        ):
            raise AttributeError(
                f"`{name}` is fixed when a Distiller is made. Make a new one, or give a schedule of the step."
            )
        else:
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in ("teacher", "teacher_preprocess") and "_wiring" in self.__dict__:
            return getattr(self._wiring, name.removeprefix("teacher_"))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def output_names(self) -> Any:
        """Of the student: losses, metrics and labels may be given by these names."""
        return getattr(self.student, "output_names", None)

    @property
    def metrics(self) -> list[Any]:
        """What is logged and reset, the student's own metrics included."""
        found = super().metrics
        return [*found, *(metric for metric in self.student._metrics if metric not in found)]

    def _set_teacher(self, teacher: keras.Model | None) -> None:
        if teacher is not None:
            check_model(teacher, "teacher")
            if teacher is self.student:
                raise ValueError(
                    "The teacher is the student, so it would be trained. Distil from a copy: "
                    "copy = keras.models.clone_model(model); copy.set_weights(model.get_weights())."
                )
            if not teacher.built:
                raise ValueError(
                    f"The teacher {teacher.name!r} has no weights yet, so it has nothing to teach. "
                    "Train it, load its weights, or call it once on data."
                )
            check_sharing(self.student, teacher)
        preprocess = self._wiring.preprocess
        self.__dict__["_wiring"] = Wiring(self.student, self, teacher, preprocess, self.objectives)
        self.train_function, self._looked = None, False  # it was traced with the old teacher
        spec = input_spec(self.student)
        if spec is None and teacher is not None and self.student.built and preprocess is None:
            spec = input_spec(teacher)  # a subclassed student does not tell; they see the same inputs
        if teacher is not None and spec is not None:
            self._wiring.prepare(spec)

    def build(self, input_shape: Any) -> None:
        """Nothing to do: the student builds itself when it is first called."""
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The student's outputs."""
        return self.student(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step: teacher forward, student forward, backward, update."""
        x, y, sample_weight, said = batch.unpack(data)
        with tf.init_scope():  # projections are made outside of the graph of this step
            self._prepare(data)
        told = self._wiring.teach(x, said)
        with tf.GradientTape() as tape:
            y_pred, seen = self._wiring.study(x)
            loss = self._hard_loss(y, y_pred, sample_weight)
            loss += self._distillation_loss(seen, told, (x, y), sample_weight)
            for added in self.losses:
                loss += self._aggregate_additional_loss(added)
            samples = batch.samples(x)
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
    def prepared(self) -> bool:
        """Whether the projections are there; some data tells the shapes for them only when it runs."""
        return all(objective.built or not objective.project for objective in self.objectives)

    def _prepare(self, data: Any) -> None:
        """Get ready for data like this, tensors or their specs."""
        x, y, _, said = batch.unpack(data)
        check_inputs(self.student, x)
        self._wiring.prepare(*(keras.tree.map_structure(batch.spec, part) for part in (x, y, said)))
        self.built = self.student.built

    def look_at(self, data: Any) -> None:
        """Refuse a first batch that would spoil the student, before it is trained on."""
        x, y, _, said = batch.unpack(data)
        self._prepare(data)
        if y is None and self._compile_metrics is not None and not self._compile_metrics.built:
            raise ValueError("compile(metrics=...) needs labels, and the data has none.")
        check_numbers(x, "The data", "Clean the data first.")
        whose = "The data's teacher signals" if self.teacher is None else f"The teacher {self.teacher.name!r}"
        self._wiring.look_at(said)
        for tap, value in self._wiring.teach(x, said).raw.items():
            check_numbers(value, f"{whose}: {tap!r}", "Check the teacher's weights and its preprocessing.")
        if self._compile_loss is not None:
            labels = np.asarray(y) if isinstance(y, tf.Tensor) else y
            check_labels(labels, self.student, self.loss)
            check_loss(self.loss, y, self.student)
        if not self.run_eagerly:
            self._make_variables(data)

    def _make_variables(self, data: Any) -> None:
        """Of metrics and the optimizer: if the first step made them, TensorFlow would trace it once more."""
        known = all(part is None or isinstance(part, tf.Tensor) for part in keras.tree.flatten(data))
        if known and self._compile_metrics is not None:
            self._symbolic_build(data_batch=data)
        elif not self.optimizer.built and self._distribute_strategy is None:
            self.optimizer.build(self.trainable_variables)

    def _distillation_loss(self, seen: Any, told: Any, data: tuple[Any, Any], sample_weight: Any) -> Any:
        total, step = 0.0, self.optimizer.iterations
        samples = batch.samples(data[0])
        for objective, tracker in zip(self.objectives, self._objective_trackers, strict=True):
            weights, counted = sample_weights(objective, sample_weight)
            value = self._wiring.compute(
                objective, seen, told, data, counted, sample_weight=weights, step=step, training=True
            )
            tracker.update_state(unscale_loss_for_distribution(value), sample_weight=samples)
            total += objective.weight_at(step) * value
        return total

    def _hard_loss(self, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        if self._compile_loss is None:
            return 0.0
        if y is None:
            raise ValueError(
                "compile(loss=...) needs labels, and the data has none. Leave `loss` out of `compile` to "
                "train on the objectives alone."
            )
        hard = self._compile_loss(y, y_pred, sample_weight)
        samples = batch.samples(y_pred)
        self._hard_tracker.update_state(unscale_loss_for_distribution(hard), sample_weight=samples)
        return self.alpha * hard if self._blend else hard

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
        logs = super().test_step(batch.untaught(data))
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
        return super().predict_step(batch.untaught(data))

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        super()._symbolic_build(iterator=iterator, data_batch=batch.untaught(data_batch))

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does; see there for the arguments.

        Raises:
            ValueError: No data, NaN in arrays, or labels that are no class, before the first step.
        """
        given = inspect.signature(keras.Model.fit).bind(self, x, y, *args, **kwargs).arguments
        arrays = {"x": x, "y": y, "sample_weight": given.get("sample_weight")}
        if isinstance(x, batch.Taught):
            inputs, _, _, said = batch.unpack((x,))
            arrays |= {"x": inputs, "Taught.signals": said}
        held_out = given.get("validation_data")
        if isinstance(held_out, tuple):
            arrays |= {f"validation_data[{i}]": part for i, part in enumerate(held_out)}
        check_arrays(arrays)
        if self.compiled and self._compile_loss is not None:
            check_labels(y, self.student, self.loss)
        check_options(self)
        specs = batch.specs_of(x, y)
        if specs is not None and self._distribute_strategy is None:
            self._prepare(specs)  # errors come now, and restored files find the projections
        if self.teacher is None:
            self._looked = False  # each data set may say something of another kind
        given["callbacks"] = put_first(given.get("callbacks"), x)
        with unmoved(self.teacher):
            history = super().fit(**{name: value for name, value in given.items() if name != "self"})
        if history.epoch and not history.history:
            raise ValueError("The data set gave no batch, so nothing was trained.")
        return history

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
            config["objectives"] = [
                deserialize(o, custom_objects=custom_objects) for o in config["objectives"]
            ]
        return cls(**config)

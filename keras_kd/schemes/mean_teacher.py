"""Mean teacher: a student that learns from the moving average of its own weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_kd import losses
from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.hinton import Default, default_objectives
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess
from keras_kd.parts import Keys
from keras_kd.schemes.moving_average import copy_of, move_average
from keras_kd.tensors import Number, Scheduled

TEMPERATURE, ALPHA = Default(1.0), Default(0.5)


@keras.saving.register_keras_serializable("keras_kd")
class MeanTeacher(Distiller):
    """Train a student whose teacher is the moving average of its own weights.

    After each step, every weight of `average` becomes `momentum * average + (1 - momentum) * student`, the
    statistics of BatchNorm too. Counters and other whole numbers are copied. The average answers as
    in inference. It is no teacher that you give, but is saved along with the student, and resumes: deploy
    `mean_teacher.average` or `mean_teacher.student`, whichever is better on your validation data. `call`,
    `evaluate` and `predict` use the student. All else is as for `kd.Distiller`.

    Samples without a label have any label and the sample weight 0: the compiled loss leaves them out, and
    still divides by all samples of the batch, as the authors' code does. (A loss with `ignore_class=-1` and
    labels of -1 divides by those with a label.) What the average says of them counts
    fully, because the default objective does not read sample weights; write your own with
    `use_sample_weight=False`. Give metrics to `compile(weighted_metrics=...)`.

    The weight of an objective may grow over the steps, and
    `kd.losses.ConfidenceFiltered("hard_targets", threshold=0.95)` makes pseudo-labels of what the average is
    sure of, as FixMatch does. To show the two models different views, let `x` hold both:
    `student_inputs="strong", teacher_preprocess=lambda x: x["weak"]`.

    Source: Tarvainen, Valpola 2017, "Mean teachers are better role models: Weight-averaged consistency
    targets improve semi-supervised deep learning results", arXiv 1703.01780. The authors' code averages
    trained weights only, runs the teacher with dropout, and compares probabilities by their squared
    difference.

    Args:
        student: The model to train, which has its weights.
        objectives: As for `kd.Distiller`; taps of the teacher are those of the average.
        momentum: The share of the average that remains in a step, at least 0 and below 1: with a number, at
            most `1 - 1 / (step + 1)`, so that it is the plain mean at first, as in the authors' code. Or a
            function of the step, counted from 1.
        temperature: The temperature of the soft targets; only without `objectives`.
        alpha: Weight of the hard loss, in [0, 1]; only without `objectives`.
        teacher_preprocess: Makes the average's inputs of the data's `x`.
        student_inputs: What the student takes of an `x` that holds more.
        name: Name of this model.

    Raises:
        ValueError: A student that cannot be copied; a momentum outside its range; otherwise as for
            `kd.Distiller`.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> mean_teacher = kd.MeanTeacher(student, momentum=0.99)
        >>> hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> mean_teacher.compile("adam", loss=hard, weighted_metrics=["accuracy"])
        >>> x, y = np.random.rand(32, 4), np.random.randint(0, 3, 32)
        >>> labelled = np.arange(32) < 8
        >>> history = mean_teacher.fit(x, np.where(labelled, y, 0), sample_weight=1.0 * labelled, verbose=0)
        >>> sorted(history.history)
        ['accuracy', 'loss', 'soft_targets', 'student_loss']
        >>> mean_teacher.average.predict(x, verbose=0).shape
        (32, 3)
    """

    def __init__(
        self,
        student: keras.Model,
        objectives: Sequence[Objective | LossLike] | None = None,
        *,
        momentum: Scheduled = 0.999,
        temperature: Scheduled = TEMPERATURE,
        alpha: float = ALPHA,
        teacher_preprocess: Preprocess | None = None,
        student_inputs: Keys = None,
        name: str = "mean_teacher",
    ) -> None:
        average = copy_of(student, f"{student.name}_average")
        super().__init__(
            student,
            average,
            objectives,
            temperature=temperature,
            alpha=alpha,
            teacher_preprocess=teacher_preprocess,
            student_inputs=student_inputs,
            name=name,
        )
        self.average = average
        self.momentum = _check_momentum(momentum)

    def _terms(
        self, objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
    ) -> list[Objective]:
        found = default_objectives(objectives, temperature, alpha)
        if objectives is not None:
            return found
        soft = losses.SoftTargets(temperature)
        return [Objective(soft, weight=found[0].weight, use_sample_weight=False)]

    def _set_teacher(self, teacher: keras.Model | None, preprocess: Preprocess | None) -> None:
        average = self.__dict__.get("average")
        if average is not None and teacher is not average:
            raise ValueError("The teacher of a kd.MeanTeacher is its average. For another, use kd.Distiller.")
        super()._set_teacher(teacher, preprocess)

    def _end_step(self) -> None:
        move_average(self.average, self.student, self._momentum_at(self.optimizer.iterations))

    def _momentum_at(self, step: keras.Variable) -> Number:
        if callable(self.momentum):
            return self.momentum(step)
        count = ops.cast(step, "float32")
        return ops.minimum(1 - 1 / (count + 1), self.momentum)

    def get_config(self) -> dict[str, Any]:
        scheduled = callable(self.momentum)
        momentum = keras.saving.serialize_keras_object(self.momentum) if scheduled else self.momentum
        return {**super().get_config(), "momentum": momentum}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "MeanTeacher":
        config = dict(config)
        if isinstance(config["momentum"], dict):
            config["momentum"] = keras.saving.deserialize_keras_object(config["momentum"], custom_objects)
        return super().from_config(config, custom_objects)


def _check_momentum(momentum: Scheduled) -> Scheduled:
    if callable(momentum):
        return momentum
    if not 0 <= momentum < 1:
        raise ValueError(
            "`momentum` is the share of the moving average that remains in a step, at least 0 and below 1. "
            f"Received: {momentum!r}."
        )
    return float(momentum)

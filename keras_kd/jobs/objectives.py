"""What the student of the main job learns from: the teacher's outputs, and what the user adds."""

import inspect
from collections.abc import Sequence

import keras

from keras_kd import losses
from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.objectives import Objective
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.objective_specs import ObjectiveSpec, check_objectives, parse_objective
from keras_kd.jobs.tasks import Task
from keras_kd.loss_names import short_name


def make_distiller(
    student: keras.Model,
    teacher: keras.Model,
    tasks: Sequence[Task],
    hyperparameters: Hyperparameters,
    *,
    use_sample_weight: bool = True,
) -> Distiller:
    """The Distiller of the main job; a feature of another width than the teacher's gets a projection.

    Raises:
        ValueError: A loss or a tap that does not exist, signals that a loss cannot compare, or two objectives
            that are equal.
    """
    check_objectives(hyperparameters.objectives)  # the Distiller would ask for names, which they cannot have
    specs = [parse_objective(text) for text in hyperparameters.objectives]
    soft = [_soft(task, hyperparameters, use_sample_weight) for task in tasks]
    projected: set[int] = set()
    while True:
        features = [_feature(spec, i in projected, use_sample_weight) for i, spec in enumerate(specs)]
        try:
            return Distiller(student, teacher, objectives=[*soft, *features])
        except ValueError as error:
            named = [i for i, feature in enumerate(features) if repr(feature.name) in str(error)]
            if not named or named[0] in projected or "project=True" not in str(error):
                raise
            projected.add(named[0])


def _soft(task: Task, hyperparameters: Hyperparameters, use_sample_weight: bool) -> Objective:
    loss = _soft_loss(task, hyperparameters)
    needs_labels = loss.reads_labels and loss.teacher_signals[0] > 1
    if needs_labels and not use_sample_weight:
        raise ValueError(
            f"{type(loss).__name__} reads the label of every sample, and few labels are left: choose another "
            "loss=, or keep all labels."
        )
    if needs_labels and task.name is not None:
        raise ValueError(f"{type(loss).__name__} reads labels, and is for models with one output.")
    return Objective(
        loss,
        student=task.tap,
        teacher=(task.tap, "labels") if needs_labels else task.tap,
        weight=1 - hyperparameters.alpha,
        use_sample_weight=use_sample_weight,
    )


def _soft_loss(task: Task, hyperparameters: Hyperparameters) -> losses.SignalLoss:
    if hyperparameters.loss is None:
        return task.soft_loss(hyperparameters.temperature)
    found = losses.get(short_name(hyperparameters.loss))
    if "temperature" in inspect.signature(type(found)).parameters:
        return type(found).from_config({**found.get_config(), "temperature": hyperparameters.temperature})
    return found


def _feature(spec: ObjectiveSpec, project: bool, use_sample_weight: bool) -> Objective:
    return Objective(
        short_name(spec.loss),
        student=spec.student,
        teacher=spec.teacher,
        weight=spec.weight,
        project=project or None,
        use_sample_weight=use_sample_weight,
    )

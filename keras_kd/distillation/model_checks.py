"""Checks of models, and of the losses, metrics and callbacks that train them, before training starts."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from keras_kd.legacy import comes_from, is_model, is_tf_keras
from keras_kd.paths import layers_by_path


def require_tensorflow() -> None:
    """Raise a `ValueError` unless Keras runs on TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"A Distiller trains on TensorFlow, and Keras runs on {keras.backend.backend()!r}. Set "
            'KERAS_BACKEND="tensorflow" before Keras is imported. The losses, projections, taps and '
            "objectives run here, in a train step of your own."
        )


def check_teacher(student: keras.Model, teacher: keras.Model) -> None:
    """Raise an error unless a model can be a teacher; tf_keras models can, too."""
    if isinstance(teacher, (list, tuple)):
        raise TypeError(_one_of_several(teacher))
    if not is_model(teacher):
        raise TypeError(
            f"The teacher must be a keras.Model. Received: {type(teacher).__module__}."
            f"{type(teacher).__name__}. kd.as_teacher(...) makes one of files, estimators and functions; "
            "kd.precompute(...) takes them as they are, and asks once for each sample."
        )
    if teacher is student:
        raise ValueError(
            "The teacher is the student, so it would be trained. Distill from a copy: "
            "copy = keras.models.clone_model(model); copy.set_weights(model.get_weights())."
        )
    if not teacher.built:
        raise ValueError(
            f"The teacher {teacher.name!r} has no weights yet, so it has nothing to teach. "
            "Train it, load its weights, or call it once on data."
        )
    check_sharing(student, teacher)


def _one_of_several(teachers: Sequence[keras.Model]) -> str:
    return (
        f"A Distiller takes one teacher. Received: {len(teachers)} of them. Make one of them that averages "
        "their probabilities: kd.ensemble(teachers). An objective can read a single one by its name: "
        "kd.Objective(kd.losses.SoftTargets(), teacher='NAME', name='of_NAME')."
    )


def check_callbacks(callbacks: object, kind: type) -> None:
    """Raise a `TypeError` for callbacks of the other Keras: they would do nothing, or fail midway."""
    ours, theirs = _libraries(kind)
    for callback in keras.tree.flatten(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]:
        if isinstance(callback, kind) or not comes_from(callback, theirs):
            continue
        raise TypeError(
            f"This Distiller trains a model of {_TITLES[ours]}, and the callback "
            f"{type(callback).__module__}.{type(callback).__name__} is one of {_TITLES[theirs]}. Give one of "
            f"{_TITLES[ours]}."
        )


def check_compile_arguments(given: dict[str, Any], kind: type, what: str) -> None:
    """Raise a `TypeError` for losses, metrics and optimizers of the other Keras.

    Some would fail midway, and a loss would ignore the sample weights.

    Args:
        given: What `compile` was given, by argument.
        kind: A class of the Keras that trains.
        what: What trains, for the message.
    """
    ours, theirs = _libraries(kind)
    for name in _HOMES.keys() & given.keys():
        for value in keras.tree.flatten(given[name]):
            if not comes_from(value, theirs):
                continue
            called = getattr(value, "__name__", type(value).__name__)
            advice = f"Give its name, or the one of {ours}.{_HOMES[name]}."
            if comes_from(value, "keras_kd"):
                advice = f"Give it to `objectives`: [kd.Objective(kd.losses.{called}(...))]."
            raise TypeError(
                f"compile({name}=...) of {what} takes what {ours}.Model.compile takes, and this {called} is "
                f"of {_TITLES[theirs]}. {advice}"
            )


_HOMES = {"optimizer": "optimizers", "loss": "losses", "metrics": "metrics", "weighted_metrics": "metrics"}
_TITLES = {"keras": "Keras 3", "tf_keras": "tf_keras"}


def _libraries(kind: type) -> tuple[str, str]:
    """The Keras that a class comes from, and the other one."""
    return ("tf_keras", "keras") if comes_from(kind, "tf_keras") else ("keras", "tf_keras")


def check_sharing(student: keras.Model, teacher: keras.Model) -> None:
    """Warn if the student trains weights that it shares with its teacher."""
    of_teacher = {id(weight) for weight in teacher.weights}
    if is_tf_keras(student) and not student.built:
        return  # tf_keras raises an error about weights that are not there yet
    names = {id(w): w.name if is_tf_keras(student) else w.path for w in student.trainable_weights}
    shared = [name for key, name in names.items() if key in of_teacher]
    if shared:
        warnings.warn(
            f"The student trains {len(shared)} weights that the teacher shares ({shared[0]!r}, ...), so "
            "the teacher changes while it teaches. If that is not meant, freeze these layers or copy them.",
            stacklevel=4,
        )


def check_own_training(student: keras.Model) -> None:
    """Warn if a student has its own training logic, which a Distiller does not run."""
    for method in ("train_step", "compute_loss"):
        own = getattr(type(student), method)
        if not any(comes_from(own, library) for library in ("keras", "tf_keras", "keras_kd")):
            warnings.warn(
                f"The student's own {method!r} is not used: a Distiller trains it with the compiled loss and "
                "the objectives. What it adds can be an `add_loss`, or an objective.",
                stacklevel=3,
            )


def check_augmentation(student: keras.Model) -> None:
    """Warn if the student augments its inputs itself: the teacher then sees other images than the student."""
    random = _random_transformations()
    found = [path for path, layer in layers_by_path(student).items() if isinstance(layer, random)]
    if found:
        names = ", ".join(map(repr, found[:3])) + (", ..." if len(found) > 3 else "")
        warnings.warn(
            f"The student {student.name!r} augments its inputs ({names}), and the teacher sees the plain "
            "ones, so it teaches what it says of other inputs. Take these layers out of the student and "
            "augment the data, for both: data.map(lambda x, y: (augment(x, training=True), y)).",
            stacklevel=5,
        )


def _random_transformations() -> tuple[type[Any], ...]:
    """The layers of Keras, and of tf_keras if it is loaded, that transform their inputs at random."""
    others = "RandAugment", "AugMix", "MixUp", "CutMix"
    homes = [library.layers for library in (keras, sys.modules.get("tf_keras")) if library]
    found = [
        getattr(home, name)
        for home in homes
        for name in dir(home)
        if name.startswith("Random") or name in others
    ]
    return tuple(kind for kind in found if isinstance(kind, type))

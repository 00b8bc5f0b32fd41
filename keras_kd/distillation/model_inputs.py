"""Which parts of the data each model takes: `x` may hold more than the student reads."""

import re
from typing import TypeGuard

import keras
import tensorflow as tf

from keras_kd.keras_internals import runs_as_wired
from keras_kd.legacy import is_tf_keras
from keras_kd.messages import did_you_mean, one_line
from keras_kd.parts import Keys, parts, parts_by_key, take
from keras_kd.signals.batches import describe
from keras_kd.signals.tracing import symbolic_inputs, trace
from keras_kd.tensors import Tensor, Tensors, TensorSpecs

MADE_BY_KERAS = re.compile(r"input_\d+|(input_layer|keras_tensor)(_\d+)?")


class InputsError(ValueError):
    """A teacher cannot take what it is given."""


def check_keys(keys: Keys) -> Keys:
    """Keys as a Distiller keeps them.

    Raises:
        TypeError: Something else than names and positions.
    """
    for key in [] if keys is None else keras.tree.flatten(keys):
        if not isinstance(key, (str, int)):
            raise TypeError(
                "`student_inputs` is the key of `x` that the student takes, such as 'image', or a tuple, "
                f"list or dictionary of keys. Received: {keys!r}."
            )
    return keys


def take_inputs(model: keras.Model, x: Tensors, keys: Keys = None) -> Tensors:
    """The part of the data's `x` that a model takes.

    Args:
        model: A functional model takes the parts of a dictionary that have the names of its inputs, if
            `x` holds them all. Any other model takes all of `x`, as in Keras.
        x: The data's inputs, as tensors or specs.
        keys: The parts that it takes, in the structure in which it takes them.

    Raises:
        ValueError: `x` has no part with one of the keys.
    """
    if keys is not None:
        return _take_keys(model, x, keys)
    names = _input_keys(model)
    if not _holds(x, names) or (isinstance(names, dict) and names.keys() == x.keys()):
        return x
    return keras.tree.map_structure(x.__getitem__, names)


def require_student_inputs(student: keras.Model, inputs: Tensors) -> None:
    """Raise a `ValueError` if a dictionary lacks an input of the student.

    Args:
        student: A student; one of tf_keras takes parts of other names in their order, and a Sequential model
            that was built on data may take any.
        inputs: What it takes of the data.
    """
    keys = None if is_tf_keras(student) else _input_keys(student)
    if keys is None or not isinstance(inputs, dict):
        return
    missing = [key for key in keras.tree.flatten(keys) if key not in inputs]
    named = not missing or not MADE_BY_KERAS.fullmatch(str(missing[0]))
    if missing and (named or not isinstance(student, keras.Sequential)):
        raise ValueError(
            f"The student {student.name!r} takes {missing[0]!r}, and `x` holds {list(inputs)}."
            f"{did_you_mean(missing[0], inputs)} `kd.Distiller(student_inputs={next(iter(inputs))!r})` would "
            "say that the student takes that part of `x`."
        )


def take_teacher_inputs(teacher: keras.Model, x: Tensors, student_inputs: Tensors) -> Tensors:
    """The part of `x` that a teacher takes: by the names of its inputs, or else what the student takes.

    A subclassed teacher takes all of `x`, as in Keras.
    """
    if symbolic_inputs(teacher) is None or _holds(x, _input_keys(teacher)):
        return take_inputs(teacher, x)
    return student_inputs


def awaits_data(teacher: keras.Model, student: keras.Model) -> bool:
    """Whether the inputs of a teacher that cannot take the student's may come from other parts of the data.

    So they may if nobody knows its inputs, or if they have other names than the student's.

    Args:
        teacher: A teacher.
        student: A student.
    """
    known = named_specs(student)
    return symbolic_inputs(teacher) is None or any(name not in known for name in _given_names(teacher))


def can_run(model: keras.Model, spec: TensorSpecs) -> bool:
    """Whether a model that tells nothing of its inputs takes inputs like these."""
    try:
        trace(model, spec)
    except Exception:  # of the user's own code
        return False
    return True


def explain_misfit(
    teacher: keras.Model, inputs: Tensors, x: Tensors, preprocessed: bool, error: BaseException
) -> InputsError:
    """The error about a teacher that failed on its inputs.

    Args:
        teacher: The teacher.
        inputs: What it was given.
        x: The data's inputs.
        preprocessed: Whether a `teacher_preprocess` made the teacher's of them.
        error: What the teacher raised.
    """
    what = "what `teacher_preprocess` returns" if preprocessed else "the student's inputs"
    text = (
        f"The teacher {teacher.name!r} cannot take {what} ({describe(inputs)}): "
        f"{one_line(error).rstrip('.')}."
    )
    held = list(x) if isinstance(x, dict) else None
    missing = [name for name in _given_names(teacher) if held is not None and name not in held]
    if held is not None and missing and not preprocessed:
        text += (
            f" Its input {missing[0]!r} is not in `x`, which holds {held}.{did_you_mean(missing[0], held)}"
        )
    advice = "" if preprocessed else " Give a `teacher_preprocess` that selects, resizes or converts `x`."
    return InputsError(text + advice)


def have_same_parts(one: Tensors, other: Tensors) -> bool:
    """Whether the parts of two structures have the same paths."""
    return parts(one).keys() == parts(other).keys()


def named_specs(model: keras.Model) -> dict[str, tf.TensorSpec]:
    """The specs of a functional model's inputs, by their names; empty if its inputs are not known."""
    symbols = [symbol for symbol in keras.tree.flatten(symbolic_inputs(model)) if symbol is not None]
    return {symbol.name: tf.TensorSpec(symbol.shape, symbol.dtype) for symbol in symbols}


def _given_names(model: keras.Model) -> list[str]:
    """The names that a user gave to a model's inputs."""
    return [name for name in named_specs(model) if not MADE_BY_KERAS.fullmatch(name)]


def _input_keys(model: keras.Model) -> Keys:
    """The keys by which a functional model takes parts of a dictionary; `None` if it takes none by name."""
    symbols = symbolic_inputs(model)
    if symbols is None or (isinstance(model, keras.Model) and not runs_as_wired(model)):
        return None
    if isinstance(symbols, dict):
        return None if any(map(keras.tree.is_nested, symbols.values())) else {key: key for key in symbols}
    if keras.tree.is_nested(symbols) and any(map(keras.tree.is_nested, symbols)):
        return None
    return keras.tree.map_structure(lambda symbol: symbol.name, symbols)


def _holds(x: Tensors, keys: Keys) -> TypeGuard[dict[str, Tensor]]:
    return isinstance(x, dict) and keys is not None and x.keys() >= set(keras.tree.flatten(keys))


def _take_keys(model: keras.Model, x: Tensors, keys: Keys) -> Tensors:
    if not keras.tree.is_nested(x):
        return x  # what the student takes, without the rest
    try:
        return take(x, keys)
    except KeyError as error:
        if keras.tree.is_nested(keys) and have_same_parts(x, keys):
            return x
        (missing,), named = error.args, parts_by_key(x)
        raise ValueError(
            f"The student {model.name!r} takes {missing!r} of the data (`student_inputs`), and `x` holds "
            f"{list(named)}.{did_you_mean(missing, named)}"
        ) from None

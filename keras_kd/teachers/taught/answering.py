"""What labels: a function from the inputs of a batch to the teacher's signals, all in NumPy."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from keras_kd.activations import activation_of
from keras_kd.finite import NotFinite
from keras_kd.keras_internals import mask_of
from keras_kd.legacy import all_layers_of, as_tf_keras_runs, is_tf_keras
from keras_kd.messages import did_you_mean, one_line
from keras_kd.signals.batches import describe
from keras_kd.signals.taps import Taps
from keras_kd.teachers.outputs import WrongAnswer
from keras_kd.tensors import Shape, Tensors

# The seam between what computes and what stores: inputs `(samples, ...)` -> {tap: (samples, ...)}, and with
# each signal that has one its padding mask, under `mask_name(tap)`.
Answer: TypeAlias = Callable[[Any], dict[str, np.ndarray]]


@runtime_checkable
class AnswersInNumpy(Protocol):
    """A teacher that is no Keras model, such as a file that another framework runs."""

    def answer(self, batch: Any, /) -> dict[str, np.ndarray]:
        """The signals of a batch of inputs."""


def mask_name(tap: str) -> str:
    """Under which name an `Answer` holds the padding mask of a signal."""
    return f"mask of {tap}"


class ModelAnswer:
    """The answers of a Keras model, from one pass that reads all taps.

    Args:
        teacher: The model.
        taps: The names of its signals.
        x: The specs of a batch of the data's inputs.
        preprocess: Makes the teacher's inputs of the data's, or `None`.

    Attributes:
        teacher: The model.
        spec: The specs of its inputs, with a free batch size.
        outputs: The shape, with a free batch size, and dtype of each signal and of each mask.
        shapes: The shape of each signal of one sample, `None` where it varies.
        activations: `"softmax"` or `"sigmoid"` of each signal that is one's output, else `None`.

    Raises:
        ValueError: A tap does not exist or names several tensors; the teacher cannot take the inputs, or
            carries a state from batch to batch.
    """

    def __init__(
        self, teacher: keras.Model, taps: Iterable[str], x: Tensors, preprocess: Callable[..., Any] | None
    ) -> None:
        self.teacher, self._preprocess = teacher, preprocess
        _require_stateless(teacher)
        self.shapes: dict[str, Shape] = {}
        self.activations: dict[str, str | None] = {}
        self.spec = tf.nest.map_structure(lambda spec: tf.TensorSpec([None, *spec.shape[1:]], spec.dtype), x)
        if not teacher.built:
            weights = len(teacher.weights)
            tf.function(self._run, autograph=False).get_concrete_function(self.spec)
            if len(teacher.weights) > weights:
                raise ValueError(
                    f"The teacher {teacher.name!r} had no weights yet, so it has nothing to teach. Train it, "
                    "load its weights, or call it once on data and load them."
                )
        self._taps = Taps(teacher, taps)
        self._function = tf.function(self.signals, input_signature=[self.spec], autograph=False)
        traced = self._function.get_concrete_function().structured_outputs
        self.outputs = {
            name: (tuple(tensor.shape), str(tensor.dtype.name)) for name, tensor in traced.items()
        }

    def __call__(self, x: Tensors) -> dict[str, np.ndarray]:
        """The signals of a batch, and their masks.

        Raises:
            NotFinite: A part of the teacher that runs on the host says so.
        """
        try:
            return {name: np.asarray(tensor) for name, tensor in self._function(x).items()}
        except tf.errors.OpError as error:
            told = re.search(r"NotFinite: (.* for sample (\d+) of the batch\.)", str(error))
            if told is None:
                raise
            raise NotFinite(told[1], int(told[2])) from None

    def _run(self, x: Tensors) -> Any:
        try:
            with as_tf_keras_runs(self.teacher):
                return self.teacher(self._inputs(x), training=False)
        except (ValueError, TypeError, LookupError, tf.errors.InvalidArgumentError) as error:
            what = (
                "what `teacher_preprocess` makes of the inputs" if self._preprocess else "the data's inputs"
            )
            raise ValueError(
                f"The teacher {self.teacher.name!r} cannot take {what} ({describe(x)}): "
                f"{one_line(error).rstrip('.')}. Give a `teacher_preprocess` that selects, resizes or "
                "converts `x`."
            ) from error

    def _inputs(self, x: Tensors) -> Tensors:
        if self._preprocess is not None:
            return self._preprocess(tf.nest.map_structure(lambda part: part, x))
        names = getattr(self.teacher, "input_names", None) or [
            tensor.name for tensor in keras.tree.flatten(getattr(self.teacher, "inputs", None) or [])
        ]
        if isinstance(x, dict) and names and set(names) < set(x):
            taken = {name: x[name] for name in names}
            return taken if isinstance(self.teacher.input, dict) or len(names) > 1 else taken[names[0]]
        return x

    def signals(self, x: Tensors) -> dict[str, tf.Tensor]:
        """The signals of a batch as tensors, in a graph, and their masks."""
        with self._taps.record() as recording:
            recording.inputs = self._inputs(x)
            outputs = self._run(x)
        found: dict[str, tf.Tensor] = {}
        for tap, tensor in self._taps.signals(outputs, recording).items():
            self.shapes[tap] = tuple(tensor.shape[1:])
            self.activations[tap] = activation_of(tensor)
            found[tap], mask = tf.identity(tensor), mask_of(tensor)
            if mask is not None:
                found[mask_name(tap)] = tf.identity(mask)
        return found


class HostAnswer:
    """The answers of a teacher that is no Keras model.

    Args:
        teacher: The teacher.
        taps: The names of the signals that are stored.
        preprocess: Makes the teacher's inputs of the data's, or `None`.
    """

    shapes: dict[str, Shape] | None = None  # unknown before it answers
    activations: dict[str, str | None] | None = None

    def __init__(
        self, teacher: AnswersInNumpy, taps: Sequence[str], preprocess: Callable[..., Any] | None
    ) -> None:
        self._teacher, self._taps, self._preprocess = teacher, taps, preprocess
        self._has_answered = False

    def __call__(self, x: Tensors) -> dict[str, np.ndarray]:
        """The signals of a batch.

        Raises:
            ValueError: One is not among the answers; the teacher cannot take the inputs.
        """
        if self._preprocess is not None:
            x = tf.nest.map_structure(np.asarray, self._preprocess(x))
        found = {name: np.asarray(values) for name, values in self._ask(x).items()}
        missing = next((tap for tap in self._taps if tap not in found), None)
        if missing is not None:
            raise ValueError(
                f"The teacher has no signal {missing!r}; it answers with {list(found)}."
                f"{did_you_mean(missing, found)}"
            )
        wanted = {*self._taps, *map(mask_name, self._taps)}
        return {name: values for name, values in found.items() if name in wanted}

    def _ask(self, x: Tensors) -> dict[str, np.ndarray]:
        try:
            answers = self._teacher.answer(x)
        except (NotFinite, WrongAnswer):
            raise
        except Exception as error:  # of whatever answers
            if self._has_answered:  # so it takes such inputs, and the error is its own
                raise
            name = getattr(self._teacher, "name", type(self._teacher).__name__)
            made = "what `teacher_preprocess` makes of " if self._preprocess else ""
            raise ValueError(
                f"The teacher {name!r} fails on {made}the data's inputs ({describe(x)}): "
                f"{type(error).__name__}: {one_line(error).rstrip('.')}. If it takes others, give a "
                "`teacher_preprocess` that selects, resizes or converts `x`."
            ) from error
        if not isinstance(answers, Mapping):
            raise TypeError(
                "A teacher's `answer` returns a dictionary of arrays by signal, such as {'output': array}. "
                f"Received: {type(answers).__name__}."
            )
        self._has_answered = True
        return dict(answers)


def make_answer(
    teacher: object, taps: Sequence[str], x: Tensors, preprocess: Callable[..., Any] | None
) -> ModelAnswer | HostAnswer:
    """The function that labels batches.

    Raises:
        TypeError: The teacher is neither a Keras model nor has a method `answer`.
        ValueError: As `ModelAnswer`.
    """
    if isinstance(teacher, AnswersInNumpy):
        return HostAnswer(teacher, taps, preprocess)
    if isinstance(teacher, keras.Model) or is_tf_keras(teacher):
        return ModelAnswer(teacher, taps, x, preprocess)
    raise TypeError(
        "The teacher is a Keras model, or an object with answer(batch) -> {signal: array}. Received: "
        f"{type(teacher).__name__}."
    )


def _require_stateless(teacher: Any) -> None:
    for layer in all_layers_of(teacher):
        if getattr(layer, "stateful", False):
            raise ValueError(
                f"Layer {layer.name!r} of the teacher {teacher.name!r} is stateful, so its answers depend on "
                "the samples that came before. Make it with stateful=False."
            )

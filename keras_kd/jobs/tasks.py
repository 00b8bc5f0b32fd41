"""What the outputs of two models are for, as their labels say: how they are trained, taught and scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import keras
import numpy as np

from keras_kd import keras_internals
from keras_kd.losses import BinarySoftTargets, Elementwise, SignalLoss, SoftTargets
from keras_kd.parts import parts
from keras_kd.signals.tracing import output_activations

Kind: TypeAlias = Literal["classes", "one-hot", "answers", "numbers"]
Labels: TypeAlias = np.ndarray | Mapping[str, np.ndarray]

LABEL_LOSS = "label_loss"

_WORDS: dict[Kind, str] = {
    "classes": "class numbers",
    "one-hot": "one-hot classes",
    "answers": "0 or 1 for each output",
    "numbers": "numbers to predict",
}


@dataclass(frozen=True)
class Task:
    """What one output is for.

    Args:
        kind: What its labels are: `"classes"`, their numbers; `"one-hot"`, a row with a 1 for the class;
            `"answers"`, a 0 or 1 for every unit; `"numbers"`, what is to be predicted.
        tap: The tap of the output, `"output"` if there is no other.
        name: What Keras calls it, among several.

    Examples:
        >>> import numpy as np
        >>> from keras_kd.jobs.tasks import Task
        >>> (Task("numbers").scores(np.array([[1.0], [3.0]]), np.array([1.0, 2.0]), None) + 0).tolist()
        [0.0, -1.0]
    """

    kind: Kind
    tap: str = "output"
    name: str | None = None

    @property
    def measure(self) -> str:
        """What `scores` are: accuracies, or errors with a minus."""
        return "mean absolute error" if self.kind == "numbers" else "accuracy"

    @property
    def words(self) -> str:
        """What the labels are, in words."""
        return _WORDS[self.kind]

    def figure(self, score: float) -> str:
        """A mean of scores as it is read: a percentage, or an error."""
        return f"{-score:.4g}" if self.kind == "numbers" else f"{100 * score:.2f} %"

    def figures(self, *scores: float) -> list[str]:
        """Mean scores as they are read, with as many digits as tell errors apart that are not equal."""
        if self.kind == "numbers":
            for digits in range(4, 10):
                texts = [f"{-score:.{digits}g}" for score in scores]
                if len(set(texts)) == len(set(scores)):
                    return texts
        return [self.figure(score) for score in scores]

    def hard_loss(self, activation: str | None) -> keras.losses.Loss:
        """The loss against the labels, of a model that ends in this activation."""
        if self.kind == "numbers":
            return keras.losses.MeanSquaredError()
        if self.kind == "answers":
            return keras.losses.BinaryCrossentropy(from_logits=activation != "sigmoid")
        from_logits = activation is None
        if self.kind == "one-hot":
            return keras.losses.CategoricalCrossentropy(from_logits=from_logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)

    def soft_loss(self, temperature: float) -> SignalLoss:
        """The loss against the outputs of a teacher."""
        if self.kind == "numbers":
            return Elementwise("mse")
        return BinarySoftTargets(temperature) if self.kind == "answers" else SoftTargets(temperature)

    def metric(self, activation: str | None) -> keras.metrics.Metric:
        """What is shown while training."""
        if self.kind == "numbers":
            return keras.metrics.MeanAbsoluteError(name="mean_absolute_error")
        if self.kind == "answers":
            return keras.metrics.BinaryAccuracy(name="accuracy", threshold=_threshold(activation))
        if self.kind == "one-hot":
            return keras.metrics.CategoricalAccuracy(name="accuracy")
        return keras.metrics.SparseCategoricalAccuracy(name="accuracy")

    def metrics(self, activation: str | None) -> list[keras.metrics.Metric]:
        """What is recorded while training: `metric`, and the loss against the labels without its weight."""
        loss = self.hard_loss(activation)
        # An object of Keras, which a file can name; a method of it cannot be loaded again.
        of_each = type(loss).from_config({**loss.get_config(), "reduction": None})
        return [self.metric(activation), keras.metrics.MeanMetricWrapper(of_each, name=LABEL_LOSS)]

    def scores(self, outputs: np.ndarray, labels: np.ndarray, activation: str | None) -> np.ndarray:
        """How right each sample is, higher is better: the share of right answers, or the error with a minus.

        Args:
            outputs: What the model gave, `(samples, ...)`.
            labels: What is right.
            activation: What the model ends in.

        Returns:
            `(samples,)` float64.
        """
        outputs = np.asarray(outputs, "float64")
        if self.kind in ("classes", "one-hot"):
            truth = labels.argmax(-1) if self.kind == "one-hot" else labels.reshape(outputs.shape[:-1])
            right = outputs.argmax(-1) == truth
        else:
            truth = labels.reshape(outputs.shape)
            right = (
                -np.abs(outputs - truth)
                if self.kind == "numbers"
                else (outputs > _threshold(activation)) == (truth > 0)
            )
        return right.reshape(len(outputs), -1).mean(-1, dtype="float64")


def _threshold(activation: str | None) -> float:
    return 0.5 if activation == "sigmoid" else 0.0


def find_tasks(model: keras.Model, labels: Labels) -> tuple[Task, ...]:
    """The task of each output of a functional or sequential model, in the order in which it returns them.

    Args:
        model: The model.
        labels: The training labels: an array, or one for each output by Keras's name for it.

    Raises:
        ValueError: Labels that fit no output, or outputs without labels.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_kd.jobs.tasks import find_tasks
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> find_tasks(model, np.array([0, 2, 1]))[0].words
        'class numbers'
    """
    outputs = find_outputs(model)
    of_each = _by_name(labels, [output.name for output in outputs])
    activations = output_activations(model, [output.tap for output in outputs])
    return tuple(
        Task(_kind(of_each[name], shape, activations[tap], name), tap, name) for tap, name, shape in outputs
    )


class Output(NamedTuple):
    """An output of a model: its tap, the name that `fit` takes, `None` for the only one, and its shape."""

    tap: str
    name: str | None
    shape: tuple[int | None, ...]


def find_outputs(model: keras.Model) -> list[Output]:
    """The outputs of a functional or sequential model, in the order in which it returns them.

    Raises:
        ValueError: It is another model, or was not built.
    """
    function = keras_internals.functional_of(model)
    if function is None:
        raise ValueError(f"Expected a built functional or sequential model. {model.name!r} is none.")
    structure = keras_internals.output_structure(function)
    found, layers = parts(structure), function.output_names
    if list(found) == [""]:
        return [Output("output", None, tuple(found[""].shape))]
    names = list(found) if isinstance(structure, dict) else layers  # `fit` takes the keys of a dict
    return [
        Output(f"output/{path}", name, tuple(tensor.shape))
        for (path, tensor), name in zip(found.items(), names, strict=True)
    ]


def _by_name(labels: Labels, names: list[str | None]) -> dict[str | None, np.ndarray]:
    if names == [None]:
        array = next(iter(labels.values())) if isinstance(labels, Mapping) and len(labels) == 1 else labels
        if isinstance(array, Mapping):
            raise ValueError(f"The model has one output, but the data has labels for {', '.join(array)}.")
        return {None: array}
    if not isinstance(labels, Mapping) or set(labels) != set(names):
        found = f"those of {', '.join(labels)}" if isinstance(labels, Mapping) else "one array"
        expected = ", ".join(map(str, names))
        raise ValueError(f"Expected labels for each output of the model ({expected}). Received {found}.")
    return {name: labels[name] for name in names if name is not None}


def _kind(
    labels: np.ndarray, output: tuple[int | None, ...], activation: str | None, name: str | None
) -> Kind:
    """What labels are, beside an output of that shape."""
    of_output = f" of the output {name!r}" if name else ""
    sizes, units = output[1:], output[-1]
    are_binary = bool(np.isin(labels, (0, 1)).all())
    single = units == 1 and labels.shape[1:] in (sizes, sizes[:-1])
    if single or labels.shape[1:] == sizes:
        telling = labels.dtype.kind in "biu" or activation == "sigmoid"
        if not single and _are_one_hot(labels) and activation != "sigmoid":
            return "one-hot"
        return "answers" if are_binary and (telling or not single) else "numbers"
    if labels.shape[1:] in (sizes[:-1], (*sizes[:-1], 1)) and labels.dtype.kind in "iu":
        highest = int(labels.max())
        if units is not None and highest >= units:
            raise ValueError(
                f"The labels{of_output} are class numbers up to {highest}, so the models need one score per "
                f"class, {highest + 1} units. The output has the shape {output}."
            )
        return "classes"
    raise ValueError(
        f"The labels{of_output} have the shape {labels.shape[1:]} each, of type {labels.dtype}, and the "
        f"output {sizes}. Expected class numbers (integers of shape {sizes[:-1]}), or arrays of the output's "
        "shape: one-hot rows, 0 or 1 for each unit, or numbers to predict."
    )


def _are_one_hot(labels: np.ndarray) -> bool:
    return bool((labels >= 0).all() and np.allclose(labels.sum(-1), 1, atol=1e-3))

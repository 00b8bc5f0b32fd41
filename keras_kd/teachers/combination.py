"""The layers that combine one output of all members, chosen by what the members end in."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np

from keras_kd.messages import did_you_mean
from keras_kd.parts import parts
from keras_kd.signals.tracing import output_activations
from keras_kd.teachers.averaging import AVERAGES, Answer, Answers, Averaging, Disagreement
from keras_kd.teachers.class_maps import Classes, class_matrix, widened
from keras_kd.teachers.outcomes import ACTIVATIONS
from keras_kd.tensors import Tensors

LAYERS = ("answers", "average", "disagreement", "mean")  # taken names: "average", of several "average_NAME"


def activations_of(inputs: Tensors, outputs: Tensors) -> dict[str, str | None]:
    """What each output comes from, `"softmax"`, `"sigmoid"` or `None`, by its path.

    Args:
        inputs: Symbolic inputs.
        outputs: What a member answers on them.
    """
    taps = {path: f"output/{path}" if path else "output" for path in parts(outputs)}
    found = output_activations(keras.Model(inputs, outputs), taps.values())
    return {path: found[tap] for path, tap in taps.items()}


def require_same_structure(answers: Mapping[str, Tensors]) -> list[str]:
    """The paths of the outputs.

    Raises:
        ValueError: Members have different outputs, or the name of a layer of the ensemble.
    """
    (first, paths), *others = ((name, list(parts(answer))) for name, answer in answers.items())
    for name, found in others:
        if found != paths:
            raise ValueError(
                f"Member {first!r} has the outputs {paths}, and {name!r} has {found}. Members answer in one "
                "structure: make a keras.Model of each that returns the outputs that they share."
            )
    ours = [f"{layer}_{_suffix(path)}" if path else layer for layer in LAYERS for path in paths]
    taken = [name for name in answers if name in ours]
    if taken:
        raise ValueError(f"{taken[0]!r} is a layer of the ensemble itself. Choose another of its `names`.")
    return paths


class Stated(NamedTuple):
    """What the user says of an output."""

    average: str
    activation: str | None

    @classmethod
    def by_output(
        cls,
        paths: Sequence[str],
        average: str | Mapping[str, str],
        activation: str | Mapping[str, str] | None,
    ) -> "dict[str, Stated]":
        """The same for all outputs, or by their paths.

        Raises:
            ValueError: An output or a word that does not exist; an activation of numbers.
        """
        averages = _by_path(average, paths, "average", AVERAGES)
        activations = _by_path(activation, paths, "activation", ACTIVATIONS)
        return {path: cls(averages[path] or AVERAGES[0], activations[path]) for path in paths}


def _by_path(
    given: str | Mapping[str, str] | None, paths: Sequence[str], argument: str, words: Sequence[str]
) -> dict[str, str | None]:
    found = dict(given) if isinstance(given, Mapping) else dict.fromkeys(paths, given)
    unknown = [path for path in found if path not in paths]
    if unknown:
        hint = did_you_mean(unknown[0], paths)
        raise ValueError(f"`{argument}` names the output {unknown[0]!r}, and there are {list(paths)}.{hint}")
    for word in found.values():
        if word is not None and word not in words:
            allowed = ", ".join(map(repr, words))
            hint = did_you_mean(str(word), words)
            raise ValueError(f"`{argument}` is one of {allowed}. Received: {word!r}.{hint}")
    return {path: found.get(path) for path in paths}


class Combination:
    """How the answers of members become one.

    Args:
        stated: What the user says of each output, by path.
        weights: The weights of members, or how they are found.
        classes: Which classes members know, by name.
        undo: What each output of each member comes from, by name and path.
    """

    def __init__(
        self,
        stated: Mapping[str, Stated],
        weights: list[float] | str,
        classes: Mapping[str, Classes],
        undo: Mapping[str, Mapping[str, str | None]],
    ) -> None:
        self._stated, self._weights, self._classes, self._undo = stated, weights, classes, undo
        if len(stated) > 1 and any(known is not None for known in classes.values()):
            raise ValueError("`classes` is for members with one output.")

    def mean(self, path: str, answers: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor:
        """The symbolic mean of one output of all members."""
        suffix, stated = f"_{_suffix(path)}" if path else "", self._stated[path]
        undo = {name: self._undo[name][path] for name in answers}
        activation = None if stated.average == "values" else _activation(stated, undo, answers)
        self._check_numbers(stated, undo)
        matrices = self._matrices(activation, answers)
        stacked = Answers(list(undo.values()), activation, matrices, name=f"answers{suffix}")(
            list(answers.values())
        )
        averaging = Averaging(stated.average, self._weights, activation, name=f"average{suffix}")
        mean, weights = averaging(stacked)
        spread = Disagreement(activation, name=f"disagreement{suffix}")([stacked, weights, mean])
        return Answer(name=f"mean{suffix}")([mean, spread])

    def _check_numbers(self, stated: Stated, undo: Mapping[str, str | None]) -> None:
        if stated.average != "values":
            return
        if self._weights in ("confidence", "entropy"):
            raise ValueError(
                f"weights={self._weights!r} are found from probabilities; average='values' is for numbers."
            )
        if stated.activation is not None or any(known is not None for known in self._classes.values()):
            raise ValueError(
                "`activation` and `classes` are for classes, and average='values' is for numbers."
            )

    def _matrices(
        self, activation: str | None, answers: Mapping[str, keras.KerasTensor]
    ) -> list[np.ndarray | None] | None:
        units = {name: _units(name, answer) for name, answer in answers.items()}
        if all(known is None for known in self._classes.values()):
            if activation is None and len(set(units.values())) > 1:
                raise ValueError(f"Members answer with different numbers of values: {units}.")
            widened(dict.fromkeys(units), units)  # raises if their numbers of classes differ
            return None
        made = {name: class_matrix(known, units[name], name) for name, known in self._classes.items()}
        found = widened(made, units)
        if activation == "sigmoid":
            _require_labels(made)
        return found


def _require_labels(matrices: Mapping[str, np.ndarray | None]) -> None:
    for name, matrix in matrices.items():
        if matrix is not None and not (np.isin(matrix, (0, 1)).all() and (matrix.sum(1) == 1).all()):
            raise ValueError(
                f"`classes` of {name!r} is a matrix that shares classes out, and its labels are sigmoids, "
                "each by itself. Give the labels that it knows, such as [0, 2]."
            )


def _activation(
    stated: Stated, undo: Mapping[str, str | None], answers: Mapping[str, keras.KerasTensor]
) -> str:
    """What probabilities are computed with."""
    known = {name: activation for name, activation in undo.items() if activation is not None}
    if len(set(known.values()) | ({stated.activation} - {None})) > 1:
        raise ValueError(
            f"Members end in different activations: {known}"
            + (f", and activation={stated.activation!r}" if stated.activation else "")
            + ". Average those that end in the same one."
        )
    if stated.activation or known:
        return stated.activation or next(iter(known.values()))
    name, answer = next(iter(answers.items()))
    if answer.shape[-1] == 1:
        raise ValueError(
            f"Member {name!r} answers with one number: say what it is. average='values' is for numbers to "
            "predict, and activation='sigmoid' for the logit of a probability."
        )
    return "softmax"


def _units(name: str, answer: keras.KerasTensor) -> int:
    if len(answer.shape) < 2 or answer.shape[-1] is None:
        raise ValueError(
            f"Member {name!r} answers with shape {tuple(answer.shape)}. Members answer with (batch, ..., "
            "classes), and the number of classes is fixed."
        )
    return int(answer.shape[-1])


def _suffix(path: str) -> str:
    return path.replace("/", "_")

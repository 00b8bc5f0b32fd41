"""The engine that labels: the one that is named, or the fastest on the first batches."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from keras_kd.messages import did_you_mean
from keras_kd.teachers.taught.answering import Answer, HostAnswer, ModelAnswer
from keras_kd.teachers.taught.engines.agreement import Agreement, compare
from keras_kd.teachers.taught.engines.exported import CannotServe, lite_answer, onnx_answer
from keras_kd.tensors import Tensors

TENSORFLOW, AUTO, RAY = "tensorflow", "auto", "ray"
# Name -> what exports a teacher and answers for it.
EXPORTED: Mapping[str, Callable[[ModelAnswer, Tensors], Answer]] = {
    "litert": lite_answer,
    "onnxruntime": onnx_answer,
}
ENGINES = (TENSORFLOW, AUTO, *EXPORTED, RAY)
_BATCHES, _ROUNDS = 3, 3

Seen: TypeAlias = list[tuple[Tensors, dict[str, np.ndarray]]]  # batches, and TensorFlow's answers


def check_engine(engine: str) -> None:
    """Raise a `ValueError` unless there is an engine of this name."""
    if engine not in ENGINES:
        raise ValueError(
            f"`engine` is one of {', '.join(map(repr, ENGINES))}. Received: {engine!r}."
            f"{did_you_mean(str(engine), ENGINES)}"
        )


class Engine:
    """Answers as TensorFlow does at first, and then by the engine that is named or found to be the fastest.

    Nothing is exported before there is something to label.

    Args:
        name: One of `ENGINES`.
        answer: TensorFlow's answers, or those of a teacher that computes them itself.

    Attributes:
        record: What a manifest says of it: the name, and what was measured.
        is_used: Whether it has labelled anything.

    Raises:
        ValueError: There is no such engine, or the teacher computes its answers itself.
    """

    def __init__(self, name: str, answer: ModelAnswer | HostAnswer) -> None:
        check_engine(name)
        self._name, self._answer = name, answer
        self._chosen: Answer | None = None
        self.record: dict[str, Any] = {"name": name if name in EXPORTED else TENSORFLOW}
        self.is_used = False
        if isinstance(answer, HostAnswer):
            if name in EXPORTED:
                raise ValueError(
                    f"The teacher computes its answers itself, so no engine can: leave out engine={name!r}."
                )
            self.record, self._chosen = {"name": "the teacher's own"}, answer
        elif name not in EXPORTED and name != AUTO:
            self._chosen = answer
        self._seen: Seen = []

    def __call__(self, x: Tensors) -> dict[str, np.ndarray]:
        """The signals of a batch.

        Raises:
            CannotServe: The engine that is named cannot run the teacher, or differs from TensorFlow.
        """
        self.is_used = True
        if self._chosen is not None:
            return self._chosen(x)
        found = self._answer(x)
        self._seen.append((x, found))
        if self._name in EXPORTED or len(self._seen) == _BATCHES:
            self._choose()
        return found

    def ask(self, x: Tensors) -> dict[str, np.ndarray]:
        """What TensorFlow, or the teacher itself, answers to a batch, whatever engine labels."""
        return self._answer(x)

    def _choose(self) -> None:
        assert isinstance(self._answer, ModelAnswer)
        names = list(EXPORTED) if self._name == AUTO else [self._name]
        able, agreements, refused = _able(names, self._answer, self._seen)
        if self._name != AUTO and refused:
            raise CannotServe(f"engine={self._name!r}: {refused[self._name]}.")
        rates = measure(able, [x for x, _ in self._seen]) if self._name == AUTO else {}
        name = max(rates, key=rates.__getitem__) if rates else self._name
        self._chosen, self._seen = able[name], []
        self.record = {
            "name": name,
            "samples per second": {each: round(rate, 1) for each, rate in rates.items()},
            "agreement": {each: str(agreement) for each, agreement in agreements.items()},
            "refused": refused,
        }


def measure(answers: Mapping[str, Answer], batches: list[Tensors], rounds: int = _ROUNDS) -> dict[str, float]:
    """Samples a second of each, by turns, in the fastest of some rounds.

    Args:
        answers: What answers, by name; each has run once.
        batches: What it answers.
        rounds: How often.
    """
    best = dict.fromkeys(answers, float("inf"))
    samples = sum(len(tf.nest.flatten(x)[0]) for x in batches)
    for _ in range(rounds):
        for name, answer in answers.items():
            start = time.perf_counter()
            for x in batches:
                answer(x)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: samples / seconds for name, seconds in best.items()}


def _able(
    names: list[str], answer: ModelAnswer, seen: Seen
) -> tuple[dict[str, Answer], dict[str, Agreement], dict[str, str]]:
    """The engines that agree with TensorFlow, how nearly, and why others do not serve."""
    able: dict[str, Answer] = {TENSORFLOW: answer}
    agreements: dict[str, Agreement] = {}
    refused: dict[str, str] = {}
    for name in names:
        try:
            engine = EXPORTED[name](answer, seen[0][0])
            each = [compare(told, engine(x), answer.activations) for x, told in seen]
        except CannotServe as error:
            refused[name] = str(error).rstrip(".")
            continue
        worst = Agreement(max(one.divergence for one in each), max(one.distance for one in each))
        agreements[name] = worst
        if worst.is_near:
            able[name] = engine
        else:
            refused[name] = f"its answers differ from TensorFlow's: {worst}"
    return able, agreements, refused

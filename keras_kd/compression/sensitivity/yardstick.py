"""What a model is worth: the score of one of its outputs, on data that stays in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import keras
import numpy as np

from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.scores import Scores
from keras_kd.deployment.source.serving import make_serving
from keras_kd.tensors import Tensor, Tensors

Outputs: TypeAlias = dict[str, np.ndarray]
Run: TypeAlias = Callable[[Tensors], Outputs]

ACCURACY, AGREEMENT = "accuracy", "agreement"
_ORIGINAL, _CHANGED = "original", "changed"


class Batch(NamedTuple):
    """One batch of data.

    Attributes:
        x: The inputs.
        labels: The labels of the output.
        original: What the original model gives for it, where there are no labels.
    """

    x: Tensors
    labels: Tensor | None
    original: np.ndarray | None


def runner_of(model: keras.Model) -> Run:
    """A function from inputs to outputs by name, compiled once; it reads the weights of the time."""
    served = make_serving(model)
    run = served.runner()
    return lambda x: run(served.arrays(x))


@dataclass(frozen=True)
class Yardstick:
    """How models with the same outputs are scored.

    Args:
        score: `"accuracy"`, `"agreement"` with the original, or the name of the metric.
        output: The name of the output.
        place: Which of the outputs it is: in a model made from this one, it may have another name.
        outputs: How many outputs there are.
        metric: What is measured.
        evidence: What is known of the output.
        batches: The data.
    """

    score: str
    output: str
    place: int
    outputs: int
    metric: MetricLike | None
    evidence: Evidence
    batches: Sequence[Batch]

    @property
    def inputs(self) -> list[Tensors]:
        """The inputs, batch by batch."""
        return [batch.x for batch in self.batches]

    @property
    def samples(self) -> int:
        """How many rows of data there are."""
        return sum(len(keras.tree.flatten(x)[0]) for x in self.inputs)

    def measure(self, run: Run) -> float:
        """The score of a model, given the function that runs it."""
        scores = Scores(self.metric, {_CHANGED: self.evidence, _ORIGINAL: self.evidence})
        for x, labels, original in self.batches:
            outputs = {_CHANGED: list(run(x).values())[self.place]}
            if original is None:
                scores.add(labels, outputs, None)
            else:
                scores.add(None, {**outputs, _ORIGINAL: original}, _ORIGINAL)
        value = scores.accuracy(_CHANGED).agreement if self.score == AGREEMENT else scores.value(_CHANGED)
        assert value is not None, "the original has such a score"
        return value

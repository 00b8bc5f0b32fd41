"""What `verify` counts of one output."""

from __future__ import annotations

import numpy as np

from keras_kd.deployment.comparison import LITTLE_LEFT, NOTHING_LEFT
from keras_kd.deployment.saturation import Saturation
from keras_kd.deployment.scoring.accuracy import Differences
from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.scores import Scores
from keras_kd.deployment.spread import Spread
from keras_kd.deployment.unusable import Unusable
from keras_kd.deployment.verified import OutputVerification
from keras_kd.tensors import Tensor

_KERAS, _FILE = "Keras", "file"  # the two models that are compared
# Fewer answers that agree than this are no evidence that a file was made from a model.
_UNRELATED = 0.7
_GUESS = "It looks like the file of another model, or of another training of this one: export it anew"


class OutputTally:
    """Running figures of one output of a model and of its file.

    Args:
        name: the output.
        metric: what to measure besides the accuracy.
        evidence: what is known of its values.
        limits: the smallest and largest value that the file can give, if it has integers there.
    """

    def __init__(
        self,
        name: str,
        metric: MetricLike | None,
        evidence: Evidence,
        limits: tuple[float, float] | None = None,
    ) -> None:
        self.name = name
        self.differences = Differences()
        self.saturation = Saturation(limits)
        self.spread = Spread()
        self.unusable = {_KERAS: Unusable(), _FILE: Unusable()}
        self.scores = Scores(metric, {_KERAS: evidence, _FILE: evidence})

    def add(self, wanted: np.ndarray, received: np.ndarray, labels: Tensor | None, missing: str) -> None:
        """Count what both gave for the same samples."""
        self.differences.add(received, wanted)
        self.saturation.add(wanted)
        self.unusable[_FILE].add([received], [wanted])
        self.unusable[_KERAS].add([wanted], [received])
        if np.issubdtype(received.dtype, np.floating):
            self.spread.add(wanted, received)
        self.scores.add(labels, {_KERAS: wanted, _FILE: received}, reference=_KERAS, missing=missing)

    def result(self) -> OutputVerification:
        """The figures."""
        loss = self.spread.loss()
        return OutputVerification(
            name=self.name,
            max_error=self.differences.largest,
            mean_error=self.differences.mean,
            agreement=self.scores.accuracy(_FILE).agreement,
            keras_accuracy=self.scores.accuracy(_KERAS).accuracy,
            file_accuracy=self.scores.accuracy(_FILE).accuracy,
            relative_error=loss.error if loss else None,
            metric=self.scores.metric_name,
            keras_metric=self.scores.value(_KERAS),
            file_metric=self.scores.value(_FILE),
        )

    def notes(self, off_range: bool, cut_off: bool, told: bool) -> list[str]:
        """What was not measured and why, and what seems to be wrong.

        Args:
            off_range: Whether inputs are on another scale than the calibrated one, which explains errors.
            cut_off: Whether inputs leave it, which explains outputs that end.
            told: Whether the file tells which model it was made from, so that nobody has to guess.
        """
        why = self.scores.why
        missing = "accuracy" if self.scores.task.kind else "agreement and no accuracy"
        notes = [*self._about_unusable(), *([f"no {missing}: {why}"] if why else [])]
        notes += dict.fromkeys(filter(None, map(self.scores.note, (_KERAS, _FILE))))
        ends = [] if cut_off else self.saturation.notes()
        notes += ends
        loss, agreement = self.spread.loss(), self.scores.accuracy(_FILE).agreement
        if loss is None or loss.error <= LITTLE_LEFT or off_range:
            return notes
        agrees = "" if agreement is None else f", and {agreement:.0%} of the answers agree"
        errors = f"the errors are {loss.error:.0%} of the spread of Keras's outputs{agrees}"
        if not ends and loss.noise >= NOTHING_LEFT and (agreement is None or agreement < _UNRELATED):
            guess = "" if told else f". {_GUESS}"
            return [*notes, f"the file's values have nothing to do with the model's: {errors}{guess}"]
        return [*notes, f"the file lost much of what the model tells apart: {errors}"]

    def _about_unusable(self) -> list[str]:
        """Say which of the two gives NaN or infinity, where they differ or neither is an answer."""
        file, theirs = (str(self.unusable[name]) for name in (_FILE, _KERAS))
        if not file:
            return [f"Keras gives {theirs}, and the file does not"] if theirs else []
        also = f"Keras gives {theirs}" if theirs else "Keras for none"
        return [f"the file gives {file}, and {also}"]

"""The error of a model on each sample, and how far the mean of them is known."""

import keras
import numpy as np

from keras_kd.reports.paired_test import compare_scores

# Of what is a mean over samples, the error of one: name of the metric -> function.
_OF_A_SAMPLE = {
    "mean_absolute_error": keras.losses.mean_absolute_error,
    "mean_squared_error": keras.losses.mean_squared_error,
    "mean_absolute_percentage_error": keras.losses.mean_absolute_percentage_error,
    "mean_squared_logarithmic_error": keras.losses.mean_squared_logarithmic_error,
}


class Errors:
    """The errors of one model on all samples.

    Args:
        metric: What is measured; without one of the known errors, nothing is counted.
    """

    def __init__(self, metric: str | None) -> None:
        self._function = _OF_A_SAMPLE.get(metric or "")
        self._batches: list[np.ndarray] = []

    def add(self, labels: np.ndarray, outputs: np.ndarray) -> None:
        """Count one batch."""
        if self._function is None:
            return
        if labels.size != outputs.size:  # labels that a metric of one's own reads otherwise
            self._function = None
            return
        pairs = [np.reshape(each, (len(outputs), -1)) for each in (labels, outputs)]
        self._batches.append(keras.ops.convert_to_numpy(self._function(*pairs)))

    def interval(self, mean: float) -> tuple[float, float] | None:
        """The interval of the mean at 95 % (t), or `None` if that is not the mean of what was counted.

        Args:
            mean: The value of the metric.
        """
        errors = np.concatenate([np.zeros(0), *self._batches]).astype("float64")
        if self._function is None or len(errors) < 2 or not np.isclose(errors.mean(), mean, rtol=1e-3):
            return None
        found = compare_scores(errors, np.zeros_like(errors))
        return max(0.0, found.low), found.high

"""What is left of a model's outputs once only an input is rounded to the integers that it has in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.spread import Spread


@dataclass(frozen=True)
class RoundedInput:
    """One input in integers, and Keras's outputs for that.

    Args:
        name: the input.
        low: the value of the smallest integer.
        high: that of the largest.
        steps: how many lie between.
        outputs: by name.
    """

    name: str
    low: float
    high: float
    steps: int
    outputs: Mapping[str, np.ndarray]

    def __str__(self) -> str:
        return (
            f"input {self.name!r}, all of whose values share {self.steps + 1} integers from {self.low:.4g} "
            f"to {self.high:.4g}: rounded to them, it costs Keras as much. If its features have different "
            "ranges, normalize them outside of the file, or give each range an input of its own"
        )


def rounded_inputs(
    served: Serving, compared: dict[str, np.ndarray], samples: Mapping[str, np.ndarray], steps: int
) -> Iterator[RoundedInput]:
    """Run the model with each float input rounded, one at a time.

    Args:
        served: The model.
        compared: The samples to run it on.
        samples: Those that give each input its range.
        steps: How many steps the integers have; 0 if the file takes the inputs as they are.
    """
    for name, array in compared.items() if steps else ():
        if np.issubdtype(array.dtype, np.floating) and samples[name].size:
            low, high = min(float(samples[name].min()), 0.0), max(float(samples[name].max()), 0.0)
            outputs = served.predict({**compared, name: rounded(array, low, high, steps)})
            yield RoundedInput(name, low, high, steps, outputs)


def rounded(array: np.ndarray, low: float, high: float, steps: int) -> np.ndarray:
    """Values rounded to one of the integers between two ends, and back to floats.

    Examples:
        >>> rounded(np.array([0.2, 0.6, 7.0]), 0.0, 2.0, 2).tolist()
        [0.0, 1.0, 2.0]
    """
    step = (high - low) / steps
    if not step:
        return array
    numbers = np.round((array.astype("float64") - low) / step).clip(0, steps)
    return (low + numbers * step).astype(array.dtype)


def coarse_input(
    candidates: Iterable[RoundedInput],
    output: str,
    wanted: np.ndarray,
    step: float,
    little: float,
    channels: np.ndarray | None = None,
) -> str:
    """Name the first input that costs Keras itself most of an output once it is in integers.

    Args:
        candidates: The inputs.
        output: The output.
        wanted: What Keras gives for the inputs as they are, `(samples, positions, channels)`.
        step: The rounding step of the output, as a fraction of the largest value.
        little: What the output may lose, as a fraction of its spread.
        channels: Which channels it is about; by default all of them together.
    """
    for candidate in candidates:
        spread = Spread(step)
        spread.add(wanted, candidate.outputs[output].reshape(wanted.shape))
        loss = spread.loss()
        if loss is None:
            continue
        if (loss.error if channels is None else np.nanmax(loss.channels[channels], initial=0)) > little:
            return f"The cause is {candidate}"
    return ""

"""Whether one model is better than another, from what both score on the same samples."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import stats

Outcome: TypeAlias = Literal["better", "inconclusive", "worse"]

LEVEL = 0.05


@dataclass(frozen=True)
class PairedTest:
    """The mean difference of two models' scores, and whether it could be chance.

    Args:
        difference: The mean of the first model's scores minus the mean of the second's.
        low: The lower end of its interval at 95 %.
        high: The upper end.
        p: How likely a difference at least as large is between models that are equally good.
        method: The name of the test.
    """

    difference: float
    low: float
    high: float
    p: float
    method: str

    @property
    def outcome(self) -> Outcome:
        """What the first model is, if chance alone exceeds such a difference in at most one case of 20."""
        if self.p > LEVEL or self.difference == 0:
            return "inconclusive"
        return "better" if self.difference > 0 else "worse"


def compare_scores(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Test whether two models differ, from their scores on the same samples.

    One seed each, right or wrong: McNemar's test, in its exact form, which looks at the samples on which just
    one model is right (McNemar 1947, doi:10.1007/BF02295996); its interval is the score interval for paired
    shares, method 10 of Newcombe (1998, Statistics in Medicine 17, pages 2635-2650). Other scores: a paired
    t-test over samples. Several seeds: both the samples and the seeds are drawn at random, so the variance of
    the difference is that over samples plus that of seeds, a sum that errs on the safe side (Owen 2007,
    doi:10.1214/07-AOAS122), with the degrees of freedom of Welch and Satterthwaite.

    Args:
        first: Scores of the first model, higher is better: 1 and 0 for right and wrong, or any numbers.
            `(samples,)`, or `(seeds, samples)` for trainings that share nothing but the samples.
        second: Those of the second, of the same shape. The seeds go in pairs.

    Raises:
        ValueError: Scores of different shapes, or fewer than two samples.

    Examples:
        >>> right = np.repeat([1, 0], [900, 100])
        >>> worse = np.roll(right, 0) * (np.arange(1000) % 30 != 0)
        >>> test = compare_scores(right, worse)
        >>> print(f"{100 * test.difference:.1f} points, {test.outcome}")
        3.0 points, better
    """
    gains = np.atleast_2d(np.asarray(first, "float64") - np.asarray(second, "float64"))
    if np.shape(first) != np.shape(second) or gains.ndim != 2 or gains.shape[1] < 2:
        raise ValueError(
            "Scores must have the shape (samples,) or (seeds, samples), the same for both models, with at "
            f"least two samples. Received: {np.shape(first)} and {np.shape(second)}."
        )
    if len(gains) > 1:
        return _over_seeds(gains)
    if np.isin([first, second], (0, 1)).all():
        return _mcnemar(*(np.atleast_2d(np.asarray(each, "float64"))[0] for each in (first, second)))
    return _interval(gains.mean(), gains.var(ddof=1) / gains.size, gains.size - 1, "paired t-test")


def _mcnemar(first: np.ndarray, second: np.ndarray) -> PairedTest:
    gains = first - second
    won, differing = int((gains > 0).sum()), int((gains != 0).sum())
    p = float(stats.binomtest(won, differing).pvalue) if differing else 1.0
    low, high = _newcombe(first, second)
    if p > LEVEL:  # the exact test is the stricter one where few samples differ
        low, high = min(low, 0.0), max(high, 0.0)
    return PairedTest(float(gains.mean()), low, high, p, "exact McNemar test")


def _newcombe(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """The interval of a difference of two shares of the same samples: method 10 of Newcombe (1998)."""
    samples, difference = len(first), float((first - second).mean())
    ends = [_wilson(int(each.sum()), samples) for each in (first, second)]
    (one, one_low, one_high), (other, other_low, other_high) = ends
    together = samples * float(((first == 1) & (second == 1)).sum()) - first.sum() * second.sum()
    corrected = max(together - samples**2 / 2 / samples, 0.0) if together > 0 else together
    spread = samples**2 * np.sqrt(one * (1 - one) * other * (1 - other))
    correlation = float(corrected / spread) if spread else 0.0
    below = _reach(one - one_low, other_high - other, correlation)
    above = _reach(one_high - one, other - other_low, correlation)
    return max(difference - below, -1.0), min(difference + above, 1.0)


def _wilson(right: int, samples: int) -> tuple[float, float, float]:
    """A share, and its interval by Wilson."""
    interval = stats.binomtest(right, samples).proportion_ci(1 - LEVEL, method="wilson")
    return right / samples, float(interval.low), float(interval.high)


def _reach(first: float, second: float, correlation: float) -> float:
    return float(np.sqrt(max(first**2 - 2 * correlation * first * second + second**2, 0.0)))


def _over_seeds(gains: np.ndarray) -> PairedTest:
    seeds, samples = gains.shape
    over_samples = gains.mean(0).var(ddof=1) / samples
    over_seeds = gains.mean(1).var(ddof=1) / seeds
    variance = over_samples + over_seeds
    each = over_samples**2 / (samples - 1) + over_seeds**2 / (seeds - 1)
    freedom = variance**2 / each if each > 0 else samples - 1
    return _interval(gains.mean(), variance, freedom, f"t-test over samples and {seeds} seeds")


def _interval(difference: float, variance: float, freedom: float, method: str) -> PairedTest:
    """Student's t for a difference of this variance."""
    mean, error = float(difference), float(np.sqrt(variance))
    if error == 0:  # the same everywhere
        return PairedTest(mean, mean, mean, float(mean == 0), method)
    reach = float(stats.t.ppf(1 - LEVEL / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return PairedTest(mean, mean - reach, mean + reach, p, method)

"""A series with an anomaly, anomalies that are put into one, and how well alarms find them."""

import numpy as np

from parts.packages import package

FILES = "aeon/datasets/data/KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_{}.csv"
NEAR = 50  # alarms and anomalies that are this many steps apart belong together


def read_pressure():
    """Blood pressure, `(1200,)` without anomalies and `(6301,)` after it, and where that one has some."""
    parts = [package("aeon", "1.4.0") / FILES.format(part) for part in ("TRAIN", "TEST")]
    train, test = (np.genfromtxt(part, delimiter=",", skip_header=1)[:, 1:] for part in parts)
    mean, deviation = train[:, 0].mean(), train[:, 0].std()
    rest = test[len(train) :]  # the second file begins with the first
    x, x_rest = (((values[:, 0] - mean) / deviation).astype("float32") for values in (train, rest))
    return x, x_rest, rest[:, 1].astype(bool)


def generated_pressure(random):
    """A noisy oscillation instead, with a burst of noise."""
    x = np.arange(2400, dtype="float32")
    x = np.sin(x / 8) + 0.5 * np.sin(x / 4 + 1) + random.normal(0, 0.03, len(x))
    anomalous = np.zeros(1200, bool)
    anomalous[700:712] = True
    x[1900:1912] += random.normal(0, 0.5, 12)
    return x[:1200].astype("float32"), x[1200:].astype("float32"), anomalous


def with_anomalies(x, random, every=150):
    """The series with five kinds of anomalies in turn, one in each so many steps, and where they are."""
    x, anomalous = x.copy(), np.zeros(len(x), bool)
    for number, start in enumerate(range(every, len(x) - every, every)):
        start += int(random.integers(every // 3))
        length = int(random.integers(8, 25))
        rows, size = slice(start, start + length), random.uniform(0.1, 0.6)
        kind = number % 5
        if kind == 0:
            x[rows] += random.normal(0, size / 2, length)
        elif kind == 1:
            rows = slice(start, start + 1)
            x[rows] += random.choice([-1, 1]) * size
        elif kind == 2:
            x[rows] = x[start]
        elif kind == 3:
            x[rows] += random.choice([-1, 1]) * size * np.hanning(length + 2)[1:-1]
        else:
            x[rows] = x[start : start + length][::-1]
        anomalous[rows] = True
    return x, anomalous


def stretches(flags):
    """First and last step of each group of steps that are flagged, near ones as one."""
    found = np.flatnonzero(flags)
    if not len(found):
        return []
    groups = np.split(found, np.flatnonzero(np.diff(found) > NEAR // 2) + 1)
    return [(group[0], group[-1]) for group in groups]


def found_of(anomalous, alarms):
    """Precision, recall and F1 of stretches of alarms: each is right if it is near an anomaly."""
    true, alarmed = stretches(anomalous), stretches(alarms)

    def near(one, others):
        return any(one[0] - NEAR <= other[1] and other[0] <= one[1] + NEAR for other in others)

    precision = np.mean([near(one, true) for one in alarmed]) if alarmed else 0.0
    recall = np.mean([near(one, alarmed) for one in true])
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def f1(anomalous, scores):
    """Of the scores of a detector, in the order of the series, which raise an alarm above one."""
    return found_of(np.ravel(anomalous) > 0, np.ravel(scores) > 1)[2]


def windows(x, length):
    """Each stretch of so many steps: `(count, length, 1)`."""
    return np.lib.stride_tricks.sliding_window_view(x, length)[..., None]

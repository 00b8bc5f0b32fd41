"""Anomalies: large forecasters teach a tiny one that watches a stream, one step at a time.

Run: python examples/tasks/anomalies.py [--short] [--seeds N] [--out FOLDER]

A forecaster learns what comes next in a series without anomalies; where it errs, something is wrong. The
student has 431 parameters and learns from the forecasts of three larger ones as well (soft targets, Hinton et
al. 2015, arXiv 1503.02531, for numbers). The series is the blood pressure "InternalBleeding16" of the archive
of Wu and Keogh (2021, arXiv 2009.13807), who found that one line of code solves most such benchmarks: it
stands beside. In a second row, anomalies of five kinds are put into the series. All thresholds are chosen
with anomalies put into the part without any. In short form, the series is generated.
"""

from functools import partial

import keras
import numpy as np
from keras import layers
from parts.rows import Row, Trial, main
from parts.series import f1, found_of, generated_pressure, read_pressure, windows, with_anomalies

import keras_kd as kd

LENGTH = 32  # steps that a forecast reads
TEACHER, STUDENT = (48, 64, 64), (4, 6, 8)
MEMBERS, TEACHERS_STEPS, STEPS, RATE = 3, 1500, 3000, 3e-3
SHARE = 0.3  # of the loss that is about what really came
COPIES, NOISE = 8, 0.02
FACTORS = np.geomspace(0.3, 6, 60)  # thresholds, in parts of the largest error without anomalies


def forecaster(widths):
    x = past = keras.Input((LENGTH, 1), name="past")
    for width in widths:
        x = layers.Conv1D(width, 5, 2, "same", activation="relu")(x)
    last = layers.Flatten()(past[:, -1:])
    return keras.Model(past, layers.Add()([last, layers.Dense(1)(layers.Flatten()(x))]))


def detector(model, threshold):
    """Reads what came, too, and answers with the error of the forecast, in thresholds."""
    steps = keras.Input((LENGTH + 1, 1), name="steps")
    error = layers.Subtract()([layers.Flatten()(steps[:, -1:]), model(steps[:, :-1])])
    return keras.Model(steps, layers.Rescaling(1 / threshold)(keras.ops.abs(error)))


def augmented(x, copies, random):
    """Windows and what comes next, also larger, smaller, higher, lower and noisy."""
    w = windows(x, LENGTH + 1)
    found = [w]
    for _ in range(copies):
        size, shift = random.uniform(0.8, 1.25, (len(w), 1, 1)), random.normal(0, 0.2, (len(w), 1, 1))
        found.append(size * w + shift)
    w = np.concatenate(found).astype("float32")
    noisy = w[:, :-1] + random.normal(0, NOISE, (len(w), LENGTH, 1)).astype("float32")
    return w[:, :-1], noisy, w[:, -1]


def fit(model, x, y, steps, rate, share=1.0):
    rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(rate), "mse", loss_weights=share)
    model.fit(x, y, batch_size=64, epochs=max(1, round(steps * 64 / len(y))), verbose=0)
    return model


def teach(x, y, number, steps):
    keras.utils.set_random_seed(number)
    return fit(forecaster(TEACHER), x, y, steps, 2e-3)


def errors(forecast, x):
    """How far the series is from the forecast at each step; nothing is known of the first ones."""
    w = windows(x, LENGTH + 1)
    return np.abs(w[:, -1, 0] - np.ravel(forecast(w[:, :-1])))


def one_line(w):
    return 2 * w[:, -1] - w[:, -2]  # the threshold is then one of abs(diff(diff(x)))


def threshold_of(forecast, x, made):
    """That which finds the most of anomalies that are put into a series without any."""
    largest, found = errors(forecast, x).max(), errors(forecast, made[0])
    values = [found_of(made[1][LENGTH:], found > factor * largest)[2] for factor in FACTORS]
    best = np.flatnonzero(np.array(values) == max(values))
    return largest * FACTORS[best[len(best) // 2]]  # the middle of the best ones


def compare(seed, place, put):
    random = np.random.default_rng(0)
    x, x_test, anomalous = generated_pressure(random) if place.short else read_pressure()
    if put:  # where no anomaly was before
        keep = ~np.convolve(anomalous, np.ones(401), "same").astype(bool)
        x_test, anomalous = with_anomalies(x_test[keep], random)
    made = with_anomalies(x, random, 60)
    clean, noisy, y = augmented(x, 1 if place.short else COPIES, random)
    members = []
    for number in range(1 if place.short else MEMBERS):  # the same teacher for all seeds
        make = partial(teach, noisy, y, number, 10 if place.short else TEACHERS_STEPS)
        members.append(place.model(f"member{number}", make))

    def teacher(w):
        return np.mean([model.predict(w, batch_size=2048, verbose=0) for model in members], 0)

    def student():
        keras.utils.set_random_seed(seed)
        return forecaster(STUDENT)

    steps = 20 if place.short else STEPS
    alone, distilled = fit(student(), noisy, y, steps, RATE), student()
    distiller = kd.Distiller(distilled, None, [kd.Objective("mse", weight=1 - SHARE)])
    fit(distiller, kd.Taught(noisy, {"output": teacher(clean)}), y, steps, RATE, SHARE)
    scores = {}
    forecasts = {"teacher": teacher, "alone": alone, "distilled": distilled, "one line": one_line}
    for name, forecast in forecasts.items():
        threshold = threshold_of(forecast, x, made)
        found = found_of(anomalous[LENGTH:], errors(forecast, x_test) > threshold)
        scores[f"precision {name}"], scores[f"recall {name}"], scores[name] = found
    whole = detector(distilled, threshold_of(distilled, x, made))
    test = windows(x_test, LENGTH + 1), anomalous[LENGTH:].astype("float32")
    count = sum(model.count_params() for model in members)
    data = "generated oscillation" if place.short else None
    return Trial(scores, whole, count, test, windows(made[0], LENGTH + 1)[:1000], data)


PRESSURE = "blood pressure, InternalBleeding16"
ROWS = [
    Row("anomaly", PRESSURE, "F1, %", partial(compare, put=False), 5, None, f1),
    Row("anomalies put in", PRESSURE, "F1, %", partial(compare, put=True), 5, None, f1),
]

if __name__ == "__main__":
    main(ROWS, __doc__)

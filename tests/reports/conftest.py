import math

import keras
import numpy as np
import pytest

from keras_kd.deployment.tflite import export
from keras_kd.reports import Meta, NotMeasured, Report, Row
from keras_kd.reports.page import page


def history(epochs, end):
    up = [end * (1 - math.exp(-4 * (i + 1) / epochs)) for i in range(epochs)]
    return {"accuracy": [v * 0.99 for v in up], "val_accuracy": up, "val_loss": [1 - v for v in up]}


@pytest.fixture(scope="session")
def report():
    """Nine rows as a demo gives them, with every optional part present and awkward names."""
    teacher = {
        "accuracy_delta": 0.0,
        "agreement": 1.0,
        "parameters": 268650,
        "compression": 1.0,
        "speedup": 1.0,
    }
    size = {"bytes": 1075432, "gzip_bytes": 998123}
    alone = {"accuracy_delta": -0.025, "agreement": 0.9667, "parameters": 10410, "compression": 23.7}
    distilled = {"accuracy": 0.9722, "accuracy_delta": -0.0139, "agreement": 0.9806, "parameters": 10410}
    spread = {"accuracy_mean": 0.9588, "accuracy_std": 0.0063, "seeds": 5}
    rows = [
        Row("teacher", "keras", 0.9861, **teacher, **size, median_ms=1.212, p90_ms=1.401),
        Row("student alone", "keras", 0.9611, **alone, **spread, bytes=45432, median_ms=0.082, p90_ms=0.091),
        Row("student | <b>told</b>", "keras", **distilled, bytes=45432, median_ms=0.083, p90_ms=0.0905),
        Row("float32", "float32", **distilled, bytes=45432, median_ms=0.0818, p90_ms=0.09, max_error=1.4e-6),
        Row("float16", "float16", **distilled, bytes=26120, median_ms=0.083, p90_ms=0.093, max_error=2.1e-3),
        Row("dynamic", "dynamic", **distilled, bytes=18520, median_ms=0.091, p90_ms=0.1, max_error=1.4e-2),
        Row("int8", "int8", **distilled, bytes=19300, median_ms=0.099, p90_ms=0.12, notes=("10 NaN & more",)),
        Row("int16x8", "int16x8", **distilled, bytes=20100, median_ms=2.41, p90_ms=2.6, max_error=3e-3),
        Row("not run", "float32"),
    ]
    return Report(
        rows,
        baseline="teacher",
        meta=Meta(
            "A <i>title</i>", "2026-11-21 11:42 UTC", "digits", 360, "A CPU", 1, {"keras": "3.15.1"}, "kd 'x'"
        ),
        facts=["Distillation helped: +1.17 ± 0.31 points.", "2 < 3 & `code`"],
        curves={"teacher": history(30, 0.98), "student alone": history(30, 0.96)},
        not_measured=[NotMeasured("energy", "no <meter>")],
    )


@pytest.fixture(scope="session")
def saved(report, tmp_path_factory):
    """Suffix -> the text of the saved report."""
    folder = tmp_path_factory.mktemp("report")
    suffixes = (".html", ".md", ".json")
    return {suffix: report.save(folder / f"r{suffix}").read_text(encoding="utf-8") for suffix in suffixes}


@pytest.fixture(scope="session")
def page_text(report):
    return page(report)


FEATURES, CLASSES = 20, 4


def dense(units=64, outputs=CLASSES, activation=None):
    inputs = keras.Input((FEATURES,))
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(outputs, activation=activation)(hidden))


@pytest.fixture(scope="session")
def models():
    keras.utils.set_random_seed(3)
    return dense(96), dense(64)


@pytest.fixture(scope="session")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(100, FEATURES)).astype("float32"), rng.integers(0, CLASSES, 100)


@pytest.fixture(scope="session")
def files(models, data, tmp_path_factory):
    """The student in all five quantizations."""
    folder = tmp_path_factory.mktemp("files")
    paths = {}
    for name in ("float32", "float16", "dynamic", "int8", "int16x8"):
        quantization = None if name == "float32" else name
        calibration = data[0] if name.startswith("int") else None
        paths[name] = folder / f"{name}.tflite"
        export(models[1], paths[name], quantization=quantization, calibration=calibration)
    return paths


@pytest.fixture(scope="session")
def scores(tmp_path_factory):
    """Number of outputs -> a file of a model with so many."""
    folder = tmp_path_factory.mktemp("scores")
    return {outputs: export(dense(2, outputs), folder / f"{outputs}.tflite").path for outputs in (1, 3)}

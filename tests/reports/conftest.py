import math

import pytest

from keras_kd.reports import Meta, NotMeasured, Report, Row


def history(epochs, end):
    up = [end * (1 - math.exp(-4 * (i + 1) / epochs)) for i in range(epochs)]
    return {"accuracy": [v * 0.99 for v in up], "val_accuracy": up, "val_loss": [1 - v for v in up]}


@pytest.fixture
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
    told = {"accuracy": 0.9722, "accuracy_delta": -0.0139, "agreement": 0.9806, "parameters": 10410}
    spread = {"accuracy_mean": 0.9588, "accuracy_std": 0.0063, "seeds": 5}
    rows = [
        Row("teacher", "keras", 0.9861, **teacher, **size, median_ms=1.212, p90_ms=1.401),
        Row("student alone", "keras", 0.9611, **alone, **spread, bytes=45432, median_ms=0.082, p90_ms=0.091),
        Row("student | <b>told</b>", "keras", **told, bytes=45432, median_ms=0.083, p90_ms=0.0905),
        Row("float32", "float32", **told, bytes=45432, median_ms=0.0818, p90_ms=0.09, max_error=1.4e-6),
        Row("float16", "float16", **told, bytes=26120, median_ms=0.083, p90_ms=0.093, max_error=2.1e-3),
        Row("dynamic", "dynamic", **told, bytes=18520, median_ms=0.091, p90_ms=0.1, max_error=1.4e-2),
        Row("int8", "int8", **told, bytes=19300, median_ms=0.099, p90_ms=0.12, notes=("10 NaN & more",)),
        Row("int16x8", "int16x8", **told, bytes=20100, median_ms=2.41, p90_ms=2.6, max_error=3e-3),
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

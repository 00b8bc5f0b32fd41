"""Sizes and times of files, and of the files that Keras models export to."""

import gzip

import keras
import numpy as np
import pytest

from keras_kd.deployment.benchmark import Benchmark
from keras_kd.deployment.tflite import export
from keras_kd.reports import Row, compare, measurement
from keras_kd.reports.measurement import count_multiply_adds, measure_files, trained_quantization
from keras_kd.reports.subjects import open_subject
from tests.reports.conftest import CLASSES, FEATURES, dense


class Whole(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(CLASSES)

    def call(self, x):
        return self.dense(x)


def test_a_file_has_its_size_and_a_time(files):
    said = []
    subjects = [open_subject("a", files["int8"])]
    (row,), timings, missing = measure_files([Row("a", "int8")], subjects, said.append)
    content = files["int8"].read_bytes()
    assert (row.bytes, row.gzip_bytes) == (len(content), len(gzip.compress(content, mtime=0)))
    assert 0 < row.median_ms <= row.p90_ms
    assert timings["a"].median_ms == row.median_ms
    assert row.median_low_ms <= row.median_ms <= row.median_high_ms
    assert missing == []
    assert said == ["timing 1 files in turns"]


def test_multiply_adds_of_models_whose_layers_tell(models, files):
    image = keras.Input((None, None, 3))
    free = keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(image))
    whole = Whole()
    whole(np.zeros((1, FEATURES), "float32"))
    compared = {"m": models[1], "file": files["int8"], "free": free, "subclassed": whole}
    subjects = [open_subject(*item) for item in compared.items()]
    hidden = models[1].layers[1].units
    known = {"m": hidden * (FEATURES + CLASSES)}
    assert count_multiply_adds(subjects) == known
    assert count_multiply_adds(subjects, (4, 4, 3)) == {**known, "free": 4 * 4 * 27 * 2}


def test_a_file_that_cannot_be_timed_goes_by_the_name_of_its_row(models, monkeypatch):
    def fails(files, options, own_shapes, baseline):
        raise ValueError(f"{str(files['teacher'])!r} cannot be run: too small")

    monkeypatch.setattr(measurement, "benchmark_many", fails)
    with pytest.raises(ValueError, match=r"^'teacher' cannot be run: too small$"):
        measure_files([Row("teacher", "keras")], [open_subject("teacher", models[0])], print)


def test_times_are_compared_with_those_of_the_baseline(files):
    names = ["float32", "int8"]
    subjects = [open_subject(name, files[name]) for name in names]
    rows, timings, _ = measure_files([Row(n, n) for n in names], subjects, print, baseline="float32")
    for row in rows:
        timing = timings[row.name]
        assert row.speedup == pytest.approx(rows[0].median_ms / row.median_ms)
        assert (row.speedup_low, row.speedup_high) == (timing.speedup_low, timing.speedup_high)
        assert row.disturbance == timing.disturbance


def test_a_comparison_says_what_is_slower(files, data, monkeypatch):
    times = {"float32": (0.9, 1.0, 1.1), "int8": (1.9, 2.0, 2.1)}

    def timed(files, options, own_shapes, baseline):
        assert (list(files), baseline) == (list(times), "float32")
        return {
            name: Benchmark(
                name, "tflite", middle, high, 300, 1, 1, "", median_low_ms=low, median_high_ms=high
            )
            for name, (low, middle, high) in times.items()
        }

    monkeypatch.setattr(measurement, "benchmark_many", timed)
    report = compare(data, baseline="float32", models={name: files[name] for name in times})
    assert "Takes 1.6 to 2.5 times as long as float32 on this processor." in report["int8"].notes
    assert (report["int8"].median_low_ms, report["int8"].speedup) == (1.9, 0.5)


def test_a_float_model_is_exported_as_float(models):
    assert trained_quantization(models[0]) is None


def gaps(report):
    return {gap.what: gap.why for gap in report.not_measured}


def test_a_model_that_does_not_export_is_still_compared(models, data):
    quantized = dense(8)
    quantized.layers[-1].quantize("int8")
    report = compare(data, baseline=models[0], quantized=quantized)
    row = report["quantized"]
    assert row.accuracy is not None
    assert (row.bytes, row.median_ms, row.speedup, row.compression) == (None,) * 4
    assert "it does not export: " in gaps(report)["size and latency of quantized"]


@pytest.mark.slow
def test_a_file_with_a_larger_fixed_batch_is_not_timed(models, data, tmp_path):
    export(models[1], tmp_path / "eight.tflite", batch_size=8)
    report = compare(data, a=models[1], eight=tmp_path / "eight.tflite", sources={"eight": "a"})
    assert report["eight"].median_ms is None
    assert report["eight"].accuracy == report["a"].accuracy
    assert "fixed" in gaps(report)["latency of eight"]


@pytest.mark.slow
def test_free_sizes_are_timed_at_the_size_of_the_data(tmp_path):
    image = keras.Input((None, None, 1), name="image")
    x = image
    for _ in range(6):  # which leaves nothing of 32 pixels
        x = keras.layers.MaxPooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    export(model, tmp_path / "free.tflite")
    data = {"image": np.random.default_rng(0).random((4, 80, 96, 1), "float32")}, np.arange(4) % 3
    report = compare(data, a=model, file=tmp_path / "free.tflite", sources={"file": "a"})
    assert report["a"].median_ms > 0
    assert report["file"].median_ms > 0
    assert report["file"].agreement is None or report["file"].max_error < 1e-5
    assert report["a"].bytes < (tmp_path / "free.tflite").stat().st_size + 1000


def test_models_with_a_fixed_batch(data):
    inputs = keras.Input(batch_shape=(10, FEATURES))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(inputs))
    report = compare(data, a=model)
    assert report["a"].accuracy is not None
    assert report["a"].median_ms is None

"""benchmark: what is timed, for how long, and how it is labelled."""

import time

import keras
import numpy as np
import pytest

from keras_kd.deployment.benchmark import _Subject, benchmark, benchmark_many, processor
from keras_kd.deployment.tflite import export
from tests.deployment import small


def test_files_and_models(dense, dense_file):
    of_file = benchmark(dense_file, runs=20, threads=2, batch_size=3)
    assert (of_file.kind, of_file.runs, of_file.threads, of_file.batch_size) == ("tflite", 20, 2, 3)
    assert of_file.name == str(dense_file)
    assert 0 < of_file.median_ms <= of_file.p90_ms
    assert of_file.device == processor() != ""
    of_model = benchmark(dense, runs=20)
    assert (of_model.kind, of_model.name, of_model.runs) == ("keras", "dense", 20)
    assert of_model.threads >= 1
    assert of_model.median_ms > of_file.median_ms


@pytest.mark.parametrize("build", [small.dicts, small.text, small.nested_gru])
def test_inputs_of_all_kinds(build, tmp_path):
    model = build()
    path = export(model, tmp_path / "m.tflite").path
    results = benchmark_many({"model": model, "file": path}, runs=3, warmup=0)
    assert [results[name].runs for name in ("model", "file")] == [3, 3]


def test_quantized_inputs(int8_file):
    assert benchmark(int8_file, runs=3).median_ms > 0


def test_more_work_takes_more_time(tmp_path):
    paths = {}
    for width in (16, 2048):
        model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(width)])
        paths[width] = export(model, tmp_path / f"{width}.tflite").path
    results = benchmark_many(paths, runs=50)
    assert results[2048].median_ms > 3 * results[16].median_ms


def test_time_is_limited_and_a_few_runs_are_made_all_the_same():
    slow = _Subject("slow", "tflite", 1, "", lambda: time.sleep(0.03))
    turns = 0
    while not slow.is_done(runs=1000, seconds=0.01):
        slow.take_turn(runs=1000)
        turns += 1
    assert len(slow.times) == turns == 5
    quick = _Subject("quick", "tflite", 1, "", lambda: None)
    quick.take_turn(runs=10)
    assert len(quick.times) == 10
    assert quick.is_done(runs=10, seconds=100)


def test_the_time_limit_counts(dense):
    began = time.perf_counter()
    result = benchmark(dense, runs=10**7, seconds=0.2)
    assert time.perf_counter() - began < 10
    assert 5 <= result.runs < 10**6


def test_long_warm_up_is_cut_short(tmp_path):
    model = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1024)])
    path = export(model, tmp_path / "m.tflite").path
    began = time.perf_counter()
    benchmark(path, warmup=10**9, seconds=0.1, runs=5)
    assert time.perf_counter() - began < 5


def test_benchmark_prints_one_line(dense, dense_file):
    text = str(benchmark(dense_file, runs=5))
    assert text.startswith(f"{dense_file}: median 0.0")
    assert text.endswith(f"ms (5 runs, batch 1, 1 thread, interpreter, {processor()})")
    assert "Keras, compiled tf.function" in str(benchmark(dense, runs=5))
    assert "2 threads" in str(benchmark(dense_file, runs=5, threads=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of 1 or more; received 0"),
        ({"runs": 0}, "runs must be a whole number of 1 or more; received 0"),
        ({"runs": 1.5}, "received 1.5"),
        ({"warmup": -1}, "warmup must be a whole number of 0 or more; received -1"),
        ({"seconds": 0}, "seconds must be more than 0; received 0"),
        ({"seconds": np.nan}, "seconds must be more than 0; received nan"),
        ({"threads": 0}, "threads must be a whole number of 1 or more; received 0"),
    ],
)
def test_numbers_that_make_no_sense(options, message, dense_file):
    with pytest.raises(ValueError, match=message):
        benchmark(dense_file, **options)


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        benchmark(tmp_path / "no.tflite")
    with pytest.raises(TypeError, match=r"Expected a keras\.Model"):
        benchmark(3)
    path = export(small.lstm(), tmp_path / "m.tflite").path
    with pytest.raises(ValueError, match=r"is fixed at 1; received batch_size=4"):
        benchmark(path, batch_size=4)

"""benchmark: what is timed, for how long, and how it is labelled."""

import time

import keras
import pytest

from keras_kd.deployment.benchmark import Benchmark, benchmark, benchmark_many
from keras_kd.deployment.tflite import export
from keras_kd.deployment.timed_calls import processor
from keras_kd.deployment.timing import TimingOptions
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


@pytest.mark.parametrize(
    "kinds",
    [
        {small.dicts: None},
        pytest.param({small.lists: None, small.lstm: None, small.text: "int8"}, marks=pytest.mark.slow),
    ],
    ids=["dicts", "others"],
)
def test_inputs_of_all_kinds(kinds, small_file, int8_file):
    targets = {"int8": int8_file}
    for build, quantization in kinds.items():
        model, exported = small_file(build, quantization)
        targets |= {build.__name__: model, f"{build.__name__}.tflite": exported.path}
    results = benchmark_many(targets, TimingOptions(runs=3))
    assert len(results) == 1 + 2 * len(kinds)
    assert {result.runs for result in results.values()} == {3}
    assert all(result.median_ms > 0 for result in results.values())


def test_more_work_takes_more_time(dense_file, tmp_path):
    model = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1024)])
    path = export(model, tmp_path / "m.tflite").path
    results = benchmark_many({"small": dense_file, "large": path}, TimingOptions(runs=50))
    assert results["large"].median_ms > 3 * results["small"].median_ms
    assert results["small"].speedup is results["small"].speedup_low is None


def test_ratios_to_a_baseline(dense_file, tmp_path):
    model = keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1024)])
    path = export(model, tmp_path / "m.tflite").path
    files = {"large": path, "small": dense_file, "same": path}
    results = benchmark_many(files, TimingOptions(runs=50), baseline="large")
    large, small, same = (results[name] for name in files)
    assert large.speedup == 1
    assert small.speedup == large.median_ms / small.median_ms > 3
    for result in (large, small, same):  # other programs may keep the machine busy
        if large.busy or result.busy:
            assert result.speedup_low is result.speedup_high is None
        else:
            assert result.speedup_low <= result.speedup <= result.speedup_high
            assert result.speedup_high / result.speedup_low >= 1.05**2 * 0.999
    assert set(small.to_dict()) >= {"median_low_ms", "median_high_ms", "speedup_low", "disturbance"}
    with pytest.raises(ValueError, match=r"one of \['large', .*received 'lrge'\. Did you mean 'large'\?"):
        benchmark_many(files, baseline="lrge")


def test_a_busy_machine_gives_no_ratios(dense_file, monkeypatch):
    monkeypatch.setattr(time, "thread_time", lambda: 0.0)  # as if others had the processor all the time
    found = benchmark_many({"a": dense_file, "b": dense_file}, TimingOptions(runs=20), baseline="a")
    assert found["b"].disturbance == "other programs held the processor for 100 % of the time"
    assert (found["a"].speedup_low, found["b"].speedup_high, found["b"].interrupted) == (None, None, 0)
    assert found["b"].speedup > 0


def test_too_few_runs_have_no_interval(dense_file):
    result = benchmark(dense_file, runs=5)
    assert (result.median_low_ms, result.median_high_ms, result.runs) == (None, None, 5)
    assert benchmark_many({"a": dense_file}, TimingOptions(runs=5), baseline="a")["a"].speedup == 1


@pytest.mark.slow
def test_the_time_limit_counts(dense_file):
    began = time.perf_counter()
    result = benchmark(dense_file, runs=10**7, warmup=10**9, seconds=0.2)
    assert time.perf_counter() - began < 10
    assert 5 <= result.runs < 10**6


def test_benchmark_prints_one_line(dense, dense_file):
    text = str(benchmark(dense_file, runs=5))
    assert text.startswith(f"{dense_file}: median ")
    assert " µs (5 runs" in text
    assert f", batch 1, 1 thread, interpreter, {processor()})" in text
    assert "Keras, compiled tf.function" in str(benchmark(dense, runs=5))
    assert "2 threads" in str(benchmark(dense_file, runs=5, threads=2))


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({}, "m: median 0.3 ms, p90 0.4 ms (300 runs, batch 1, 1 thread, interpreter, CPU)"),
        (
            {"median_low_ms": 0.29, "median_high_ms": 0.3, "interrupted": 7},
            "m: median 0.300 ± 0.010 ms, p90 0.4 ms (300 runs, 7 interrupted calls set aside, batch 1, "
            "1 thread, interpreter, CPU)",
        ),
        (
            {"disturbance": "others had 62 % of the time"},
            "m: median 0.3 ms, p90 0.4 ms (300 runs, batch 1, 1 thread, interpreter, CPU); not to be relied "
            "on, the machine was busy: others had 62 % of the time",
        ),
    ],
    ids=["plain", "interval", "busy"],
)
def test_what_is_known_about_a_time_is_printed_with_it(figures, text):
    result = Benchmark("m", "tflite", 0.3, 0.4, 300, 1, 1, "CPU", **figures)
    assert str(result) == text
    assert result.busy == ("disturbance" in figures)


def test_one_run_is_no_plural():
    result = Benchmark("m", "tflite", 0.3, 0.4, 1, 1, 1, "CPU", interrupted=1)
    assert "(1 run, 1 interrupted call set aside, batch 1, 1 thread, " in str(result)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"runs": 1.5}, {"warmup": -1}, {"threads": 0}])
def test_arguments_that_make_no_sense(options, dense_file):
    (name, value), *_ = options.items()
    with pytest.raises(ValueError, match=f"{name} must be an integer of at least [01]; received {value}"):
        benchmark(dense_file, **options)


def test_a_fixed_batch_is_that_of_the_file_unless_another_is_asked_for(small_file, tmp_path):
    path = small_file(small.dense, batch_size=4)[1].path
    own, asked = benchmark(path, runs=5), benchmark(path, runs=5, batch_size=4)
    assert (own.batch_size, asked.batch_size) == (4, 4)
    assert "(5 runs, batch fixed at 4, 1 thread" in str(own)
    assert "(5 runs, batch 4, 1 thread" in str(asked)
    assert own.to_dict()["is_own_batch"]
    with pytest.raises(ValueError, match=r"is fixed at 4; received batch_size=1\. Export a file for it"):
        benchmark(path, batch_size=1)


@pytest.mark.parametrize(
    ("options", "shape"), [({}, (32, 32, 1)), ({"input_shape": (9, 7, 1)}, (9, 7, 1))], ids=["own", "asked"]
)
def test_the_size_is_told_where_it_is_free(options, shape, small_file):
    model, exported = small_file(small.any_size)
    (name,) = (tensor.name for tensor in exported.inputs)
    for target in (model, exported.path):
        result = benchmark(target, runs=5, **options)
        assert result.shapes == {name: shape}
        assert f", batch 1, {name} {'x'.join(map(str, shape))}, " in str(result)
        assert result.to_dict()["shapes"] == {name: list(shape)}


def test_a_fixed_size_is_not_told(dense, dense_file):
    assert [benchmark(target, runs=5).shapes for target in (dense, dense_file)] == [{}, {}]


def test_files_of_several_batches_are_timed_together(small_file, dense):
    path = small_file(small.dense, batch_size=4)[1].path
    fixed = keras.Sequential([keras.Input(batch_shape=(2, 4)), keras.layers.Dense(3)])
    results = benchmark_many({"file": path, "fixed": fixed, "free": dense}, TimingOptions(runs=3))
    assert {name: result.batch_size for name, result in results.items()} == {
        "file": 4,
        "fixed": 2,
        "free": 1,
    }


def test_what_cannot_be_measured(small_file, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        benchmark(tmp_path / "no.tflite")
    with pytest.raises(TypeError, match=r"Expected a keras\.Model"):
        benchmark(3)
    path = small_file(small.lstm)[1].path
    with pytest.raises(ValueError, match=r"is fixed at 1; received batch_size=4"):
        benchmark(path, batch_size=4)

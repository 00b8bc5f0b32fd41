"""Latency: how long one call takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from keras_kd.deployment.disturbances import find_difference, find_disturbance
from keras_kd.deployment.durations import duration, duration_within
from keras_kd.deployment.intervals import Interval, median_interval
from keras_kd.deployment.ratios import ratio_intervals
from keras_kd.deployment.source.input_shapes import InputShape
from keras_kd.deployment.timed_calls import timed_call
from keras_kd.deployment.timing import TimedCall, TimingOptions, time_in_turns
from keras_kd.messages import did_you_mean, number_of
from keras_kd.results import Result

# The part of its seconds for which the baseline is timed again.
_TWIN = 0.25


@dataclass(frozen=True)
class Benchmark(Result):
    """Latency of one call.

    Args:
        name: the file, or the name of the Keras model.
        kind: `"tflite"`, the interpreter's invoke alone; or `"keras"`, a compiled `tf.function` call.
        median_ms: median time of one call, in milliseconds.
        p90_ms: 90th percentile: nine calls out of ten are at least this fast.
        runs: calls that were timed.
        batch_size: samples per call.
        threads: threads of the interpreter; for Keras, those that TensorFlow uses within an operator.
        device: the processor.
        is_own_batch: whether the file or the model fixes `batch_size`, and nobody asked for it.
        shapes: the shape of one sample of each input that has free sizes, by name: other shapes take another
            time.
        median_low_ms: the lower end of the 95 % interval of the median, from the medians of the turns;
            `None` if there were fewer than 6.
        median_high_ms: the upper end.
        interrupted: calls besides `runs` that were set aside, because other programs had the processor.
        disturbance: the figure that says that the machine was too busy for these times to be relied on.
        speedup: the median of the baseline, if it was timed along with one, divided by this one.
        speedup_low: the lower end of its 95 % interval: turn by turn, widened by the noise of ratios, for
            which the file of the baseline is timed twice, and at least 5 %.
        speedup_high: the upper end.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> result = kd.benchmark(model, runs=10)
        >>> result.median_low_ms <= result.median_ms <= result.median_high_ms
        True
    """

    name: str
    kind: str
    median_ms: float
    p90_ms: float
    runs: int
    batch_size: int
    threads: int
    device: str
    is_own_batch: bool = False
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    median_low_ms: float | None = None
    median_high_ms: float | None = None
    interrupted: int = 0
    disturbance: str | None = None
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None

    @property
    def busy(self) -> bool:
        """Whether the machine was too busy for these times to be relied on."""
        return self.disturbance is not None

    @property
    def median_interval(self) -> Interval | None:
        """The 95 % interval of the median, in milliseconds."""
        low, high = self.median_low_ms, self.median_high_ms
        return None if low is None or high is None else Interval(low, high)

    def __str__(self) -> str:
        what = "interpreter" if self.kind == "tflite" else "Keras, compiled tf.function"
        runs, threads = number_of(self.runs, "run"), number_of(self.threads, "thread")
        sizes = {name: "x".join(map(str, shape)) for name, shape in self.shapes.items()}
        shapes = "".join(f"{name} {size}, " for name, size in sizes.items())
        fixed = "fixed at " if self.is_own_batch and self.batch_size > 1 else ""
        aside = f", {number_of(self.interrupted, 'interrupted call')} set aside" if self.interrupted else ""
        median = duration_within(self.median_ms, *(self.median_interval or (self.median_ms, self.median_ms)))
        text = (
            f"{self.name}: median {median}, p90 {duration(self.p90_ms)} ({runs}{aside}, "
            f"batch {fixed}{self.batch_size}, {shapes}{threads}, {what}, {self.device})"
        )
        return f"{text}; not to be relied on, the machine was busy: {self.disturbance}" if self.busy else text


def benchmark(
    model_or_path: keras.Model | str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    threads: int = 1,
    runs: int = 300,
    warmup: int = 5,
    seconds: float = 2.0,
    input_shape: InputShape | None = None,
) -> Benchmark:
    """Measure how long one call of a file or a model takes.

    For a file, the interpreter's invoke alone is timed. For a Keras model, a call of its compiled
    `tf.function` is timed, which includes TensorFlow's own overhead and uses TensorFlow's own threads:
    compare files with files.

    Args:
        model_or_path: a `.tflite` file or a Keras 3 or tf_keras model; for a `Distiller`, the student.
        batch_size: samples per call; without it, those that the file or the model fixes, else 1.
        threads: threads of the interpreter; TensorFlow's own cannot be changed once it is running.
        runs: maximum number of timed calls. Calls during which other programs had the processor are set
            aside and repeated, until there are three times as many.
        warmup: untimed calls before the first timed one.
        seconds: stop early after this time, but not before 6 runs; on a busy machine, after three times this.
        input_shape: the shape of one sample, such as `(224, 224, 3)`, where sizes are free; for several
            inputs a dict or list of shapes. Without it, several lengths are tried, from 32 on.

    Raises:
        ValueError: for invalid numbers, a file with another fixed batch size, or a shape that does not
            fit.
        FileNotFoundError: if there is no file.

    Examples:
        >>> import keras
        >>> from keras_kd.deployment.benchmark import benchmark
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> result = benchmark(model, runs=10)
        >>> result.kind, result.median_ms <= result.p90_ms
        ('keras', True)
    """
    options = TimingOptions(batch_size, threads, runs, warmup, seconds, input_shape)
    return benchmark_many({"": model_or_path}, options)[""]


def benchmark_many(
    models: Mapping[str, keras.Model | str | os.PathLike[str]],
    options: TimingOptions | None = None,
    input_shapes: Mapping[str, InputShape] | None = None,
    baseline: str | None = None,
) -> dict[str, Benchmark]:
    """Time several files and models in turns, so that disturbances of the machine affect all equally.

    Args:
        models: what to measure, under names of your choice.
        options: the same as the arguments of `benchmark`; `seconds` applies to each of them.
        input_shapes: name -> its own `input_shape`, where models call their inputs differently.
        baseline: the name of what the others are compared with. It is timed a second time, more briefly:
            that shows how far ratios are off.

    Returns:
        One `Benchmark` for each name.

    Raises:
        ValueError: as in `benchmark`, and for a baseline that is not one of the names.

    Examples:
        >>> import keras
        >>> from keras_kd.deployment.benchmark import benchmark_many
        >>> from keras_kd.deployment.timing import TimingOptions
        >>> small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> large = keras.Sequential([keras.Input((4,)), keras.layers.Dense(200)])
        >>> sorted(benchmark_many({"small": small, "large": large}, TimingOptions(runs=10)))
        ['large', 'small']
    """
    if baseline is not None and baseline not in models:
        known = f"one of {list(models)}; received {baseline!r}.{did_you_mean(baseline, models)}"
        raise ValueError(f"The baseline must be {known}")
    options, own = options or TimingOptions(), input_shapes or {}

    def prepared(name: str, seconds: float) -> TimedCall:
        shape = own.get(name, options.input_shape)
        return timed_call(models[name], replace(options, input_shape=shape, seconds=seconds))

    calls = {name: prepared(name, options.seconds) for name in models}
    if baseline is None:
        time_in_turns(list(calls.values()))
        return {name: _result(call) for name, call in calls.items()}
    twin = prepared(baseline, options.seconds * _TWIN)
    time_in_turns([*calls.values(), twin])
    return _with_ratios({name: _result(call) for name, call in calls.items()}, calls, baseline, twin)


def _result(call: TimedCall) -> Benchmark:
    milliseconds = 1000 * np.concatenate(list(call.kept.values()))[: call.options.runs]
    median, p90 = float(np.median(milliseconds)), float(np.percentile(milliseconds, 90))
    interval = median_interval([1000 * seconds for seconds in call.medians.values()])
    interval = interval and interval.with_value(median)
    low, high = interval or (None, None)
    return Benchmark(
        name=call.name,
        kind=call.kind,
        median_ms=median,
        p90_ms=p90,
        runs=len(milliseconds),
        batch_size=call.batch_size,
        threads=call.threads,
        device=call.device,
        is_own_batch=call.is_own_batch,
        shapes=call.shapes,
        median_low_ms=low,
        median_high_ms=high,
        interrupted=call.set_aside,
        disturbance=find_disturbance(call, median, p90, interval),
    )


def _with_ratios(
    results: Mapping[str, Benchmark], calls: Mapping[str, TimedCall], baseline: str, twin: TimedCall
) -> dict[str, Benchmark]:
    """The results with the ratio of the baseline's time to each of them."""
    ratios = ratio_intervals(calls, baseline, twin)
    reference = results[baseline]
    reference = replace(reference, disturbance=reference.disturbance or find_difference(ratios[baseline]))
    found = {}
    for name, result in (dict(results) | {baseline: reference}).items():
        ratio = reference.median_ms / result.median_ms
        interval = None if reference.busy or result.busy else ratios[name]
        low, high = interval.with_value(ratio) if interval else (None, None)
        found[name] = replace(result, speedup=ratio, speedup_low=low, speedup_high=high)
    return found

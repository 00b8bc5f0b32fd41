"""Latency: how long one call takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import keras
import numpy as np

from keras_kd.deployment.source.input_shapes import InputShape
from keras_kd.deployment.timing import TimedCall, TimingOptions, time_in_turns, timed_call
from keras_kd.results import Result


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

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> result = kd.benchmark(model, runs=10)
        >>> sorted(result.to_dict())[:4]
        ['batch_size', 'device', 'is_own_batch', 'kind']
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

    def __str__(self) -> str:
        what = "interpreter" if self.kind == "tflite" else "Keras, compiled tf.function"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        sizes = {name: "x".join(map(str, shape)) for name, shape in self.shapes.items()}
        shapes = "".join(f"{name} {size}, " for name, size in sizes.items())
        fixed = "fixed at " if self.is_own_batch and self.batch_size > 1 else ""
        return (
            f"{self.name}: median {self.median_ms:.3g} ms, p90 {self.p90_ms:.3g} ms "
            f"({self.runs} runs, batch {fixed}{self.batch_size}, {shapes}{threads}, {what}, {self.device})"
        )


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
        runs: maximum number of timed calls.
        warmup: untimed calls before the first timed one.
        seconds: stop early after this time, but not before 5 runs.
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
        >>> result.runs, result.kind, result.median_ms <= result.p90_ms
        (10, 'keras', True)
    """
    options = TimingOptions(batch_size, threads, runs, warmup, seconds, input_shape)
    return benchmark_many({"": model_or_path}, options)[""]


def benchmark_many(
    models: Mapping[str, keras.Model | str | os.PathLike[str]],
    options: TimingOptions | None = None,
    input_shapes: Mapping[str, InputShape] | None = None,
) -> dict[str, Benchmark]:
    """Time several files and models in turns, so that disturbances of the machine affect all equally.

    Args:
        models: what to measure, under names of your choice.
        options: the same as the arguments of `benchmark`; `seconds` applies to each of them.
        input_shapes: name -> its own `input_shape`, where models call their inputs differently.

    Returns:
        One `Benchmark` for each name.

    Raises:
        ValueError: as in `benchmark`.

    Examples:
        >>> import keras
        >>> from keras_kd.deployment.benchmark import benchmark_many
        >>> from keras_kd.deployment.timing import TimingOptions
        >>> small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> large = keras.Sequential([keras.Input((4,)), keras.layers.Dense(200)])
        >>> sorted(benchmark_many({"small": small, "large": large}, TimingOptions(runs=10)))
        ['large', 'small']
    """
    options, own = options or TimingOptions(), input_shapes or {}
    calls = {
        name: timed_call(target, replace(options, input_shape=own.get(name, options.input_shape)))
        for name, target in models.items()
    }
    time_in_turns(list(calls.values()), options)
    return {name: _result(call) for name, call in calls.items()}


def _result(call: TimedCall) -> Benchmark:
    milliseconds = np.asarray(call.times) * 1000
    return Benchmark(
        name=call.name,
        kind=call.kind,
        median_ms=float(np.median(milliseconds)),
        p90_ms=float(np.percentile(milliseconds, 90)),
        runs=len(call.times),
        batch_size=call.batch_size,
        threads=call.threads,
        device=call.device,
        is_own_batch=call.is_own_batch,
        shapes=call.shapes,
    )

"""How long one call takes."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.request import check_model
from keras_kd.deployment.serving import serving
from keras_kd.results import Result

# A turn lasts about this long, so that caches are warm, and drift of the machine hits all alike.
_TURN_SECONDS = 0.02
_FEWEST_RUNS = 5


@dataclass(frozen=True)
class Benchmark(Result):
    """Times of one call.

    Args:
        name: the file, or the name of the Keras model.
        kind: `"tflite"`, the interpreter's invoke alone; or `"keras"`, a compiled `tf.function` call.
        median_ms: median time of one call, in milliseconds.
        p90_ms: nine calls of ten are no slower.
        runs: calls that were timed.
        batch_size: samples a call.
        threads: threads of the interpreter; for Keras, those that TensorFlow uses within an operator.
        device: the processor.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> result = kd.benchmark(model, runs=10)
        >>> sorted(result.to_dict())[:4]
        ['batch_size', 'device', 'kind', 'median_ms']
    """

    name: str
    kind: str
    median_ms: float
    p90_ms: float
    runs: int
    batch_size: int
    threads: int
    device: str

    def __str__(self) -> str:
        what = "interpreter" if self.kind == "tflite" else "Keras, compiled tf.function"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return (
            f"{self.name}: median {self.median_ms:.3g} ms, p90 {self.p90_ms:.3g} ms "
            f"({self.runs} runs, batch {self.batch_size}, {threads}, {what}, {self.device})"
        )


@dataclass
class _Subject:
    """Something to time, and the times so far."""

    name: str
    kind: str
    threads: int
    device: str
    call: Callable[[], Any]
    times: list[float] = field(default_factory=list)
    spent: float = 0.0

    def take_turn(self, runs: int) -> None:
        """Time calls until the turn is over, one at least."""
        began = time.perf_counter()
        while len(self.times) < runs:
            start = time.perf_counter()
            self.call()
            stop = time.perf_counter()
            self.times.append(stop - start)
            if stop - began >= _TURN_SECONDS:
                break
        self.spent += time.perf_counter() - began

    def is_done(self, runs: int, seconds: float) -> bool:
        return len(self.times) >= runs or (
            self.spent >= seconds and len(self.times) >= min(_FEWEST_RUNS, runs)
        )


def benchmark(
    model_or_path: keras.Model | str | os.PathLike[str],
    *,
    batch_size: int = 1,
    threads: int = 1,
    runs: int = 300,
    warmup: int = 5,
    seconds: float = 2.0,
) -> Benchmark:
    """Measure how long one call of a file or a model takes.

    Of a file, the interpreter's invoke alone is timed. Of a Keras model, a call of its compiled
    `tf.function` is timed, which carries TensorFlow's own overhead and uses TensorFlow's own threads:
    compare files with files.

    Args:
        model_or_path: a `.tflite` file or a model of Keras 3 or tf_keras; of a `Distiller`, the student.
        batch_size: samples a call.
        threads: threads of the interpreter; those of TensorFlow cannot be changed once it runs.
        runs: calls to time at most.
        warmup: calls before the first that is timed.
        seconds: stop early after this time, but not before 5 runs.

    Raises:
        ValueError: for numbers that make no sense, or a file whose batch is fixed at another size.
        FileNotFoundError: if there is no file.

    Examples:
        >>> import keras
        >>> from keras_kd.deployment.benchmark import benchmark
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> result = benchmark(model, runs=10)
        >>> result.runs, result.kind, result.median_ms <= result.p90_ms
        (10, 'keras', True)
    """
    subjects = {"": model_or_path}
    options: dict[str, Any] = {"batch_size": batch_size, "threads": threads, "runs": runs}
    return benchmark_many(subjects, warmup=warmup, seconds=seconds, **options)[""]


def benchmark_many(
    models: Mapping[str, keras.Model | str | os.PathLike[str]],
    *,
    batch_size: int = 1,
    threads: int = 1,
    runs: int = 300,
    warmup: int = 5,
    seconds: float = 2.0,
) -> dict[str, Benchmark]:
    """Measure several files and models turn by turn, so that whatever disturbs the machine hits all alike.

    Args:
        models: what to measure, by a name of your own.
        batch_size: as in `benchmark`, and so are the others; `seconds` is for each of them.
        threads: as in `benchmark`.
        runs: as in `benchmark`.
        warmup: as in `benchmark`.
        seconds: as in `benchmark`.

    Returns:
        One `Benchmark` for each name.

    Raises:
        ValueError: as in `benchmark`.

    Examples:
        >>> import keras
        >>> from keras_kd.deployment.benchmark import benchmark_many
        >>> small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> large = keras.Sequential([keras.Input((4,)), keras.layers.Dense(200)])
        >>> sorted(benchmark_many({"small": small, "large": large}, runs=10))
        ['large', 'small']
    """
    for name, number, least in [("batch_size", batch_size, 1), ("runs", runs, 1), ("warmup", warmup, 0)]:
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ValueError(f"{name} must be a whole number of {least} or more; received {number!r}.")
    if not seconds > 0:
        raise ValueError(f"seconds must be more than 0; received {seconds!r}.")
    subjects = {name: _subject(target, batch_size, threads) for name, target in models.items()}
    for subject in subjects.values():
        _warm_up(subject, warmup, seconds)
    waiting = list(subjects.values())
    while waiting:
        for subject in waiting:
            subject.take_turn(runs)
        waiting = [subject for subject in waiting if not subject.is_done(runs, seconds)]
    return {name: _result(subject, batch_size) for name, subject in subjects.items()}


def _warm_up(subject: _Subject, warmup: int, seconds: float) -> None:
    began = time.perf_counter()
    for _ in range(warmup):
        subject.call()
        if time.perf_counter() - began > seconds / 2:
            break


def _subject(target: Any, batch_size: int, threads: int) -> _Subject:
    if isinstance(target, (str, os.PathLike)):
        return _file_subject(Path(target), batch_size, threads)
    return _model_subject(check_model(target), batch_size)


def _file_subject(path: Path, batch_size: int, threads: int) -> _Subject:
    lite = LiteModel(path, threads=threads)
    if lite.batch_size not in (None, batch_size):
        raise ValueError(
            f"The batch of {str(path)!r} is fixed at {lite.batch_size}; received batch_size={batch_size}."
        )
    lite.load(_made_up(lite, batch_size))
    return _Subject(str(path), "tflite", threads, processor(), lite.invoke)


def _made_up(lite: LiteModel, batch_size: int) -> dict[str, np.ndarray]:
    # The values hardly change the time; indices must be valid, and 0 and 1 nearly always are.
    rng = np.random.default_rng(0)
    return {
        tensor.name: rng.integers(0, 2, [batch_size, *(size or 32 for size in tensor.shape[1:])]).astype(
            "float32" if tensor.scale else tensor.dtype
        )
        for tensor in lite.inputs
    }


def _model_subject(model: keras.Model, batch_size: int) -> _Subject:
    served = serving(model, batch_size=batch_size)
    arrays = {name: tf.constant(array) for name, array in served.made_up(batch_size).items()}
    compiled = served.compiled()

    def call() -> None:
        # A GPU answers before it is done; reading the outputs waits for it.
        for value in compiled(arrays).values():
            value.numpy()

    gpus = tf.config.list_logical_devices("GPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    return _Subject(model.name, "keras", threads, "GPU" if gpus else processor(), call)


def _result(subject: _Subject, batch_size: int) -> Benchmark:
    milliseconds = np.asarray(subject.times) * 1000
    return Benchmark(
        name=subject.name,
        kind=subject.kind,
        median_ms=float(np.median(milliseconds)),
        p90_ms=float(np.percentile(milliseconds, 90)),
        runs=len(subject.times),
        batch_size=batch_size,
        threads=subject.threads,
        device=subject.device,
    )


@functools.cache
def processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux alone has it, and Python does not read it
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

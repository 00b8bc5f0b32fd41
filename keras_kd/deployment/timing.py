"""Calls that are timed in turns, and what exactly one call of a file or a model is."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.arguments import check_integer
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.input_shapes import LENGTHS, InputShape, is_free, shapes_by_name, sized
from keras_kd.deployment.source.random_samples import random_samples
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.source.source_model import resolve_model
from keras_kd.deployment.tensor_details import TensorDetails

# A turn lasts about this long: caches are warm, and drift of the machine affects all calls equally.
_TURN_SECONDS = 0.02
_FEWEST_RUNS = 5


@dataclass(frozen=True)
class TimingOptions:
    """What is timed, and for how long.

    Args:
        batch_size: samples per call; `None` for those that the file or the model fixes, else 1.
        threads: threads of the interpreter; TensorFlow's own cannot be changed once it is running.
        runs: maximum number of timed calls.
        warmup: untimed calls before the first timed one.
        seconds: stop early after this time, but not before 5 runs.
        input_shape: the shape of one sample, where a model leaves sizes free; for several inputs a dict or
            list of shapes. Without it, several lengths are tried.

    Raises:
        ValueError: for invalid numbers.
    """

    batch_size: int | None = None
    threads: int = 1
    runs: int = 300
    warmup: int = 5
    seconds: float = 2.0
    input_shape: InputShape | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            check_integer("batch_size", self.batch_size, 1)
        check_integer("runs", self.runs, 1)
        check_integer("warmup", self.warmup, 0)
        check_integer("threads", self.threads, 1)
        if not self.seconds > 0:
            raise ValueError(f"seconds must be more than 0; received {self.seconds!r}.")


@dataclass
class TimedCall:
    """A call, and its times so far.

    Args:
        name: the file, or the name of the Keras model.
        kind: `"tflite"` or `"keras"`.
        threads: threads that it may use.
        device: the processor.
        call: what is timed.
        batch_size: samples per call.
        is_own_batch: whether nobody asked for that number: the file or the model fixes it.
        shapes: one sample of each input that has free sizes, by name.
        times: seconds of each call.
        spent: seconds of all turns.
    """

    name: str
    kind: str
    threads: int
    device: str
    call: Callable[[], None]
    batch_size: int = 1
    is_own_batch: bool = False
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    spent: float = 0.0

    def warm_up(self, options: TimingOptions) -> None:
        """Call without timing, for at most half of the seconds."""
        began = time.perf_counter()
        for _ in range(options.warmup):
            self.call()
            if time.perf_counter() - began > options.seconds / 2:
                break

    def take_turn(self, runs: int) -> None:
        """Time calls until the turn is over, at least one."""
        began = time.perf_counter()
        while len(self.times) < runs:
            start = time.perf_counter()
            self.call()
            stop = time.perf_counter()
            self.times.append(stop - start)
            if stop - began >= _TURN_SECONDS:
                break
        self.spent += time.perf_counter() - began

    def is_done(self, options: TimingOptions) -> bool:
        """Whether there are enough runs, or the time is up and there are at least a few."""
        enough = len(self.times) >= options.runs
        few = len(self.times) >= min(_FEWEST_RUNS, options.runs)
        return enough or (few and self.spent >= options.seconds)


def time_in_turns(calls: Sequence[TimedCall], options: TimingOptions) -> None:
    """Warm up, then time calls in turns, so that disturbances of the machine affect all of them equally."""
    for call in calls:
        call.warm_up(options)
    waiting = list(calls)
    while waiting:
        for call in waiting:
            call.take_turn(options.runs)
        waiting = [call for call in waiting if not call.is_done(options)]


def timed_call(target: keras.Model | str | os.PathLike[str], options: TimingOptions) -> TimedCall:
    """Prepare a call of a `.tflite` file, or of a model, which is traced here.

    Raises:
        ValueError: for a file with a different fixed batch size.
    """
    if isinstance(target, (str, os.PathLike)):
        return _file_call(Path(target), options)
    return _model_call(resolve_model(target), options)


def _file_call(path: Path, options: TimingOptions) -> TimedCall:
    lite = LiteModel(path, threads=options.threads)
    batch_size = options.batch_size or lite.batch_size or 1
    if lite.batch_size not in (None, batch_size):
        raise ValueError(
            f"The batch of {str(path)!r} is fixed at {lite.batch_size}; received "
            f"batch_size={batch_size}. Export a file for it: batch_size={batch_size}."
        )
    shapes = _load_random(lite, batch_size, options)
    is_own = options.batch_size is None and lite.batch_size is not None
    return TimedCall(
        str(path),
        "tflite",
        options.threads,
        processor(),
        lite.invoke,
        batch_size,
        is_own_batch=is_own,
        shapes=shapes,
    )


def _load_random(lite: LiteModel, batch_size: int, options: TimingOptions) -> dict[str, tuple[int, ...]]:
    """Load random inputs that the file can be run on; returns the sizes chosen for free ones."""
    shapes = None
    if options.input_shape is not None:
        shapes = shapes_by_name(options.input_shape, lite.interface, lite.inputs)
    lengths = LENGTHS if shapes is None and any(is_free(tensor) for tensor in lite.inputs) else LENGTHS[:1]
    failures: list[ValueError] = []
    for length in lengths:
        try:
            arrays = _random_inputs(lite, batch_size, length, shapes)
            lite.load(arrays)
            lite.try_out()
        except ValueError as failure:
            failures.append(failure)
        else:
            return _free_shapes(lite.inputs, arrays)
    hint = " Say which size it takes: input_shape=." if len(lengths) > 1 else ""
    raise ValueError(f"{failures[0]}{hint}") from failures[0]


def _free_shapes(
    tensors: Sequence[TensorDetails], arrays: Mapping[str, np.ndarray]
) -> dict[str, tuple[int, ...]]:
    return {tensor.name: arrays[tensor.name].shape[1:] for tensor in tensors if is_free(tensor)}


def _random_inputs(
    lite: LiteModel, batch_size: int, length: int, shapes: dict[str, tuple[int, ...]] | None
) -> dict[str, np.ndarray]:
    # The values hardly change the time; indices must be valid, and 0 and 1 nearly always are.
    rng = np.random.default_rng(0)
    arrays = {}
    for tensor in lite.inputs:
        shape = shapes[tensor.name] if shapes else [size or length for size in tensor.shape[1:]]
        arrays[tensor.name] = rng.integers(0, 2, [batch_size, *shape]).astype(tensor.value_dtype)
    return arrays


def _model_call(model: keras.Model, options: TimingOptions) -> TimedCall:
    served = make_serving(model, batch_size=options.batch_size)
    batch_size, free = served.batch_size or 1, served.inputs
    served = sized(replace(served, batch_size=batch_size), options.input_shape)
    samples = random_samples(served, batch_size)
    shapes = _free_shapes(free, samples)
    served = sized(served, {name: array.shape[1:] for name, array in samples.items()})
    arrays = {name: tf.constant(array) for name, array in samples.items()}
    compiled = served.compiled()

    def call() -> None:
        # A GPU call returns before it is done; reading the outputs waits for it.
        for value in compiled(arrays).values():
            value.numpy()

    gpus = tf.config.list_logical_devices("GPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    device = "GPU" if gpus else processor()
    is_own = options.batch_size is None and served.own_batch_size is not None
    return TimedCall(
        model.name, "keras", threads, device, call, batch_size, is_own_batch=is_own, shapes=shapes
    )


@functools.cache
def processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")  # on Linux only; Python itself does not read it
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

"""What exactly one call of a file or a model is."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.input_shapes import LENGTHS, is_free, shapes_by_name, sized
from keras_kd.deployment.source.random_samples import random_samples
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.source.source_model import resolve_model
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.timing import TimedCall, TimingOptions


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
        options,
        # With one thread, the interpreter runs in that of its caller.
        _clock("thread_time" if options.threads == 1 else "process_time"),
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

    device = "GPU" if tf.config.list_logical_devices("GPU") else processor()
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1
    clock = None if device == "GPU" else _clock("process_time")
    is_own = options.batch_size is None and served.own_batch_size is not None
    timed = TimedCall(model.name, "keras", threads, device, call, options, clock, batch_size)
    return replace(timed, is_own_batch=is_own, shapes=shapes)


def _clock(name: Literal["thread_time", "process_time"]) -> Callable[[], float] | None:
    """The clock of this name, if it ticks often enough for single calls; that of Windows does not."""
    clocks = {"thread_time": time.thread_time, "process_time": time.process_time}
    return clocks[name] if time.get_clock_info(name).resolution <= 1e-5 else None


@functools.cache
def processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")  # on Linux only; Python itself does not read it
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

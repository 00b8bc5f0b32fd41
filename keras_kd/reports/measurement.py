"""Sizes and times of what is compared; Keras models are exported to measure them."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras

from keras_kd.compression.costs.cost import cost
from keras_kd.deployment.benchmark import Benchmark, benchmark_many
from keras_kd.deployment.source.input_shapes import InputShape
from keras_kd.deployment.source.source_model import is_quantization_aware
from keras_kd.deployment.tflite import export
from keras_kd.deployment.timing import TimingOptions
from keras_kd.files import temporary_folder
from keras_kd.legacy import all_layers_of
from keras_kd.messages import one_line
from keras_kd.reports import gaps
from keras_kd.reports.rows import NotMeasured, Row
from keras_kd.reports.speed import with_speed_notes
from keras_kd.reports.subjects import Subject

# What a row takes over from its timing.
_OF_MEDIAN = ("median_ms", "median_low_ms", "median_high_ms")
_TIMES = (*_OF_MEDIAN, "p90_ms", "speedup", "speedup_low", "speedup_high", "disturbance")


def measure_files(
    rows: Sequence[Row],
    subjects: Sequence[Subject],
    say: Callable[[str], None],
    input_shape: InputShape | None = None,
    baseline: str | None = None,
) -> tuple[list[Row], dict[str, Benchmark], list[NotMeasured]]:
    """The rows with sizes, times and what these say, the times alone, and what could not be measured.

    Args:
        rows: one for each subject.
        subjects: what is measured.
        say: called with a line of text before each step.
        input_shape: the shape of one sample of the data.
        baseline: the name of the row that the others are compared with.
    """
    fixed_batch = {subject.name for subject in subjects if subject.batch_size not in (None, 1)}
    with temporary_folder() as folder:
        files, failures = export_models(subjects, folder, say, input_shape)
        say(f"timing {len(files)} files in turns")
        timed = {name: path for name, path in files.items() if name not in fixed_batch}
        options = TimingOptions(batch_size=1, input_shape=input_shape)
        reference = baseline if baseline in timed else None
        timings = _timings(timed, options, _own_shapes(subjects, input_shape), reference)
        rows = [_with_time(_with_size(row, files.get(row.name)), timings.get(row.name)) for row in rows]
    rows = with_speed_notes(rows, reference)
    return rows, timings, [*failures, *gaps.missing_latencies(fixed_batch)]


def count_multiply_adds(subjects: Sequence[Subject], input_shape: InputShape | None = None) -> dict[str, int]:
    """Name of a Keras model -> its multiply-adds for one sample, where its layers tell.

    Args:
        subjects: what is measured.
        input_shape: the shape of one sample of the data, where a model leaves sizes free.
    """
    counts = {subject.name: _multiply_adds(subject.model, input_shape) for subject in subjects}
    return {name: count for name, count in counts.items() if count is not None}


def _multiply_adds(model: keras.Model | None, input_shape: InputShape | None) -> int | None:
    shapes = (None, input_shape) if model is not None else ()
    for shape in shapes:
        try:
            found = cost(model, input_shape=shape)
        except (TypeError, ValueError):  # it is subclassed, of tf_keras, or of sizes that are not known
            continue
        return None if found.uncounted else found.macs
    return None


def _own_shapes(subjects: Sequence[Subject], input_shape: InputShape | None) -> dict[str, InputShape]:
    """The shape of one sample by the names that files of other tools have for their inputs."""
    if input_shape is None:
        return {}
    return {s.name: s.owned.input_shape(input_shape) for s in subjects if s.owned is not None}


def _timings(
    files: Mapping[str, Path],
    options: TimingOptions,
    own_shapes: Mapping[str, InputShape],
    baseline: str | None,
) -> dict[str, Benchmark]:
    """The times of files; an error goes by the names of the rows, as some files are here for this only."""
    try:
        return benchmark_many(files, options, own_shapes, baseline)
    except ValueError as error:
        text = str(error)
        for name, path in files.items():
            text = text.replace(repr(str(path)), repr(name))
        raise ValueError(text) from error


def export_models(
    subjects: Sequence[Subject],
    folder: Path,
    say: Callable[[str], None],
    input_shape: InputShape | None = None,
) -> tuple[dict[str, Path], list[NotMeasured]]:
    """A file for every subject, Keras models exported to `folder`; and those that cannot be exported."""
    files, failures = {}, []
    for index, subject in enumerate(subjects):
        found = subject.path or _host_file_of(subject.model)
        if found is not None:
            files[subject.name] = found
            continue
        say(f"exporting {subject.name} to size and time it")
        path = folder / f"{index}.tflite"
        try:
            quantization = trained_quantization(subject.model)
            export(subject.exported, path, quantization=quantization, input_shape=input_shape)
        except (ValueError, RuntimeError) as error:
            on_host = any(hasattr(layer, "host_file") for layer in all_layers_of(subject.model))
            why = "it answers on the host, outside Keras" if on_host else one_line(error)
            why = f"it does not export: {why}"
            failures.append(NotMeasured(f"size and latency of {subject.name}", why))
        else:
            files[subject.name] = path
    return files, failures


def _host_file_of(model: keras.Model | None) -> Path | None:
    """The `.tflite` file that all of a model's answers come from, or `None`."""
    if model is None or model.weights:
        return None
    found = [layer.host_file for layer in all_layers_of(model) if hasattr(layer, "host_file")]
    return found[0] if len(found) == 1 else None


def trained_quantization(model: keras.Model) -> str | None:
    """The quantization that a model was trained for, or `None` for a float model."""
    return "int8" if is_quantization_aware(model) else None


def _with_size(row: Row, path: Path | None) -> Row:
    if path is None:
        return row
    content = path.read_bytes()
    return replace(row, bytes=len(content), gzip_bytes=len(gzip.compress(content, mtime=0)))


def _with_time(row: Row, timing: Benchmark | None) -> Row:
    return row if timing is None else replace(row, **{key: getattr(timing, key) for key in _TIMES})

"""compare(): models and files side by side, all measured on the same data."""

import contextlib
import gzip
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_kd.deployment.benchmark import Benchmark, benchmark_many
from keras_kd.deployment.calibration import batches
from keras_kd.deployment.source_model import is_quantization_aware
from keras_kd.deployment.tflite import export
from keras_kd.messages import did_you_mean, one_line
from keras_kd.reports import gaps
from keras_kd.reports.report import Report, plain_curves
from keras_kd.reports.rows import Meta, NotMeasured, Row, against
from keras_kd.reports.subjects import Subject, subjects
from keras_kd.reports.tally import Tally, count


def compare(
    data: Any,
    *,
    baseline: keras.Model | str | Path | None = None,
    models: Mapping[str, keras.Model | str | Path] | None = None,
    sources: Mapping[str, str] | None = None,
    seeds: Mapping[str, Sequence[float]] | None = None,
    curves: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    facts: Sequence[str] = (),
    not_measured: Sequence[NotMeasured | tuple[str, str]] = (),
    title: str = "Comparison",
    data_name: str | None = None,
    command: str | None = None,
    batch_size: int = 256,
    progress: Callable[[str], None] | None = None,
    **named: keras.Model | str | Path,
) -> Report:
    """Measures models and files on the same data, one row each.

    A Keras model is sized and timed as the float32 `.tflite` file that `export` makes of it (int8, where
    it is quantization aware), so that
    all sizes and times in a report are of the same sort; its accuracy is Keras's own. The files take
    turns while they are timed, one sample a call, at one thread.

    Args:
        data: A batched `tf.data.Dataset` or a tuple of arrays: (x, y) or (x, y, weights), or x alone.
            y holds classes or one-hot rows. Weights are ignored.
        baseline: What the others are compared with: a model, a file (its row is named "baseline"),
            or the name of one of the models.
        models: Name -> model or file, for names that are no Python keywords.
        sources: Name of a file -> name of the Keras model here that it was made from. Gives the file's
            row `parameters` and `max_error`.
        seeds: Name -> accuracies (0 to 1) of repeated trainings of that model.
        curves: Name -> metric -> one value per epoch: the `history.history` of a fit.
        facts: Sentences that the report shows first.
        not_measured: Gaps that the caller knows of, as (what, why); gaps found here are added.
        title: Heading of the report.
        data_name: What the data is called in the report.
        command: What was typed to get this report.
        batch_size: How arrays are cut.
        progress: Called with one line of text as the work goes on.
        **named: Name -> a `keras.Model`, or the path of a `.tflite` or `.keras` file.

    Raises:
        ValueError: Without models, for names that clash or are unknown, for empty data, NaN in the data,
            labels outside the classes, or outputs of different shapes.
        TypeError: For a value that is no model and no path.
        FileNotFoundError: If a file does not exist.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_kd.reports import compare
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 3, 64)
        >>> report = compare((x, y), baseline=model, same=model)
        >>> report["same"].agreement, report["same"].parameters
        (1.0, 15)
    """
    say = progress or (lambda text: None)
    opened, reference = subjects(_merged(models, named), baseline)
    by_name = {subject.name: subject for subject in opened}
    sources, seeds, drawn = dict(sources or {}), dict(seeds or {}), plain_curves(curves or {})
    _check_names(by_name, sources, seeds)
    _check_rest(data, facts)
    told = [gap if isinstance(gap, NotMeasured) else NotMeasured(*gap) for gap in not_measured]
    tallies, samples = count(opened, batches(data, batch_size), reference, sources, say)
    rows = [
        _counted(subject, tallies[subject.name], by_name.get(sources.get(subject.name, "")))
        for subject in opened
    ]
    rows, timings, gaps_of_files = _measured(rows, opened, say)
    rows = [_spread(row, seeds.get(row.name)) for row in rows]
    return Report(
        rows=against(rows, reference),
        baseline=reference,
        meta=_meta(title, data_name, samples, command, timings),
        facts=facts,
        curves=drawn,
        not_measured=[
            *told,
            *gaps.uncounted(tallies, reference),
            *gaps_of_files,
            *gaps.unknown(rows, sources),
        ],
    )


def _merged(models: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted(set(models or {}) & set(named))
    if twice:
        raise ValueError(
            f"These names are both in models= and keywords: {twice}. Every row needs its own name."
        )
    return {**(models or {}), **named}


def _check_names(
    subjects: Mapping[str, Subject], sources: Mapping[str, str], seeds: Mapping[str, Sequence[float]]
) -> None:
    for argument, names in (("sources", [*sources, *sources.values()]), ("seeds", list(seeds))):
        for name in names:
            if name not in subjects:
                known = list(subjects)
                raise ValueError(
                    f"{argument} names {name!r}, but the models are {known}.{did_you_mean(name, subjects)}"
                )
    for file, source in sources.items():
        if subjects[file].path is None or subjects[source].model is None:
            raise ValueError(f"sources maps a file to a Keras model. Received: {file!r} -> {source!r}")
    for name, accuracies in seeds.items():
        if not len(accuracies) or not all(0 <= accuracy <= 1 for accuracy in accuracies):
            raise ValueError(f"seeds[{name!r}] must be accuracies from 0 to 1. Received: {list(accuracies)}")


def _check_rest(data: Any, facts: Sequence[str]) -> None:
    if isinstance(facts, str):
        raise TypeError(f"facts is a list of sentences. Received one string: {facts!r}")
    if isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The data never ends: leave out repeat(), or take() what should be measured.")


def _counted(subject: Subject, tally: Tally, source: Subject | None) -> Row:
    model = subject.model or (source.model if source else None)
    notes = (
        [f"{tally.broken:,} of {tally.answers:,} answers are NaN and count as wrong."] if tally.broken else []
    )
    if subject.model is not None and _imitated(subject.model):
        notes.append("Sized and timed as the int8 file that it was trained to be.")
    return Row(
        name=subject.name,
        kind=subject.kind,
        accuracy=tally.accuracy,
        agreement=tally.agreement,
        parameters=None if model is None else model.count_params(),
        max_error=tally.max_error,
        notes=tuple(notes),
    )


def _measured(
    rows: Sequence[Row], subjects: Sequence[Subject], say: Callable[[str], None]
) -> tuple[list[Row], dict[str, Benchmark], list[NotMeasured]]:
    """The rows with sizes and times, the times by themselves, and what has none."""
    fixed = {subject.name for subject in subjects if subject.batch_size not in (None, 1)}
    with tempfile.TemporaryDirectory() as folder:
        files, failures = _files(subjects, Path(folder), say)
        say(f"timing {len(files)} files in turns")
        timings = benchmark_many({name: path for name, path in files.items() if name not in fixed})
        rows = [_timed(_sized(row, files.get(row.name)), timings.get(row.name)) for row in rows]
    return rows, timings, [*failures, *gaps.untimed(fixed)]


def _files(
    subjects: Sequence[Subject], folder: Path, say: Callable[[str], None]
) -> tuple[dict[str, Path], list[NotMeasured]]:
    """A file for every subject; Keras models are exported for it, and those that cannot be are told."""
    files, failures = {}, []
    for index, subject in enumerate(subjects):
        if subject.path is not None:
            files[subject.name] = subject.path
            continue
        say(f"exporting {subject.name} to size and time it")
        path = folder / f"{index}.tflite"
        try:
            export(subject.model, path, quantization=_imitated(subject.model))
        except (ValueError, RuntimeError) as error:
            why = f"it does not export: {one_line(error)}"
            failures.append(NotMeasured(f"size and latency of {subject.name}", why))
        else:
            files[subject.name] = path
    return files, failures


def _imitated(model: keras.Model) -> str | None:
    return "int8" if is_quantization_aware(model) else None


def _sized(row: Row, path: Path | None) -> Row:
    if path is None:
        return row
    return replace(row, bytes=path.stat().st_size, gzip_bytes=len(gzip.compress(path.read_bytes(), mtime=0)))


def _timed(row: Row, timing: Benchmark | None) -> Row:
    return row if timing is None else replace(row, median_ms=timing.median_ms, p90_ms=timing.p90_ms)


def _spread(row: Row, accuracies: Sequence[float] | None) -> Row:
    if accuracies is None:
        return row
    std = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    mean = statistics.fmean(accuracies)
    return replace(row, accuracy_mean=mean, accuracy_std=std, seeds=len(accuracies))


def _meta(
    title: str, data_name: str | None, samples: int, command: str | None, timings: Mapping[str, Benchmark]
) -> Meta:
    first = next(iter(timings.values()), None)
    return Meta(
        title=title,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        data=data_name,
        samples=samples,
        cpu=None if first is None else first.device,
        threads=None if first is None else first.threads,
        versions=_versions(),
        command=command,
    )


def _versions() -> dict[str, str]:
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    for package in ("ai-edge-litert", "keras-kd"):
        # Run from a source tree that was never installed, keras-kd has no version to tell.
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions

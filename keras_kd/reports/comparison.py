"""compare(): models and files side by side, all measured on the same data."""

import contextlib
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.benchmark import Benchmark
from keras_kd.deployment.data_sources import Data, batches, with_an_end
from keras_kd.deployment.opening.entry_point import KEPT
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.named_outputs import common_names, own_labels, own_names
from keras_kd.deployment.source.input_shapes import InputShape
from keras_kd.messages import did_you_mean
from keras_kd.reports import gaps
from keras_kd.reports.measurement import measure_files, trained_quantization
from keras_kd.reports.owners import with_owners
from keras_kd.reports.report import Report, plain_curves
from keras_kd.reports.rows import Meta, NotMeasured, Row, compare_with_baseline
from keras_kd.reports.subjects import ModelOrFile, Subject, open_subjects
from keras_kd.reports.tally import Metric, Tally, count
from keras_kd.tensors import Tensors


def compare(
    data: Data,
    *,
    baseline: ModelOrFile | None = None,
    models: Mapping[str, ModelOrFile] | None = None,
    sources: Mapping[str, str] | None = None,
    seeds: Mapping[str, Sequence[float]] | None = None,
    curves: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    facts: Sequence[str] = (),
    not_measured: Sequence[NotMeasured | tuple[str, str]] = (),
    title: str = "Comparison",
    data_name: str | None = None,
    command: str | None = None,
    metric: MetricLike | Mapping[str, MetricLike] | None = None,
    batch_size: int = 256,
    progress: Callable[[str], None] | None = None,
    **named: ModelOrFile,
) -> Report:
    """Measure models and files on the same data, one row each.

    A Keras model is sized and timed as the float32 `.tflite` file that `export` makes from it (int8 if it is
    quantization aware), so that all sizes and times in a report are comparable; its accuracy is Keras's own.
    The files are timed in turns, one sample per call, on one thread. What has an accuracy, and what does not,
    is decided as in `verify`.

    Args:
        data: Batches of x, (x, y) or (x, y, weights), in any form that `calibration` of `export` takes.
            Weights are ignored.
        baseline: What the others are compared with: a model, a file (its row is named "baseline"),
            or the name of one of the models.
        models: Name -> model or file, for names that cannot be Python keywords.
        sources: Name of a file -> name of the Keras model, also compared, that it was made from. Gives the
            file's row `parameters` and `max_error`, and a note if the file cannot reach the model's outputs.
            A file of another tool is read by the names and in the order of its source, or else of the first
            model that it fits.
        seeds: Name -> accuracies (0 to 1) of repeated training runs of that model.
        curves: Name -> metric -> one value per epoch: the `history.history` of a fit.
        facts: Sentences that the report shows first.
        not_measured: Gaps that the caller knows of, as (what, why); those found here are added.
        title: Heading of the report.
        data_name: The name of the data in the report.
        command: The command that produced this report.
        metric: What to measure besides the accuracy, as in `verify`. Of several outputs, name one in a
            dict, by its name in files or the one that `fit` takes.
        batch_size: Samples per batch, for data given as arrays.
        progress: Called with a line of text before each step.
        **named: Name -> a `keras.Model`, or the path of a `.tflite` or `.keras` file.

    Raises:
        ValueError: There are no models, names clash or are unknown, the data is empty or contains NaN, labels
            are outside the classes of a classifier, outputs have different shapes, or the metric fails.
        TypeError: A value is neither a model nor a path.
        FileNotFoundError: A file does not exist.

    Examples:
        >>> import keras, numpy as np
        >>> from keras_kd.reports import compare
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 3, 64)
        >>> report = compare((x, y), baseline=model, same=model)
        >>> report["same"].agreement, report["same"].parameters
        (1.0, 15)
    """
    subjects, reference = open_subjects(_merge(models, named), baseline)
    sources, seeds, plain = dict(sources or {}), dict(seeds or {}), plain_curves(curves or {})
    _check(subjects, sources, seeds, facts)
    subjects, names = with_owners(subjects, sources), _names_in_keras(subjects)
    metric = own_names(metric, names) if isinstance(metric, Mapping) else metric
    parts = batches(with_an_end(data), batch_size, subjects[0].inputs)
    labeled = ((x, own_labels(y, names, metric)) for x, y in parts)
    measured = _measure(subjects, reference, sources, labeled, progress, metric)
    rows = compare_with_baseline(_with_seeds(measured.rows, seeds), reference)
    missing = [*map(_gap, not_measured), *measured.gaps]
    meta = _meta(title, data_name, command, measured)
    return Report(rows, baseline=reference, meta=meta, facts=facts, curves=plain, not_measured=missing)


def _names_in_keras(subjects: Sequence[Subject]) -> dict[str, str]:
    return common_names([subject.model for subject in subjects if subject.model is not None])


def _gap(gap: NotMeasured | tuple[str, str]) -> NotMeasured:
    return gap if isinstance(gap, NotMeasured) else NotMeasured(*gap)


class _Measured(NamedTuple):
    rows: list[Row]
    samples: int
    timings: dict[str, Benchmark]
    gaps: list[NotMeasured]


def _measure(
    subjects: Sequence[Subject],
    reference: str | None,
    sources: Mapping[str, str],
    data: Iterable[tuple[Tensors, Tensors]],
    progress: Callable[[str], None] | None,
    metric: Metric,
) -> _Measured:
    say = progress or (lambda text: None)
    shapes: list[InputShape] = []
    tallies, samples = count(subjects, _with_shapes(data, shapes), reference, sources, say, metric)
    by_name = {subject.name: subject for subject in subjects}
    rows = [_row(s, tallies[s.name], by_name.get(sources.get(s.name, ""))) for s in subjects]
    rows, timings, gaps_of_files = measure_files(rows, subjects, say, shapes[0], reference)
    missing = [*gaps.missing_accuracies(tallies, reference), *gaps_of_files]
    return _Measured(rows, samples, timings, [*missing, *gaps.missing_sources(rows, sources)])


def _with_shapes(
    data: Iterable[tuple[Tensors, Tensors]], shapes: list[InputShape]
) -> Iterator[tuple[Tensors, Tensors]]:
    """The same batches; the shapes of one sample of each are added to a list as they pass."""
    for x, y in data:
        shapes.append(keras.tree.map_structure(lambda array: np.shape(array)[1:], x))
        yield x, y


def _merge(
    models: Mapping[str, ModelOrFile] | None, named: Mapping[str, ModelOrFile]
) -> dict[str, ModelOrFile]:
    twice = sorted(set(models or {}) & set(named))
    if twice:
        raise ValueError(
            f"These names are both in models= and keywords: {twice}. Every row needs its own name."
        )
    return {**(models or {}), **named}


def _check(
    subjects: Sequence[Subject],
    sources: Mapping[str, str],
    seeds: Mapping[str, Sequence[float]],
    facts: Sequence[str],
) -> None:
    _check_names({subject.name: subject for subject in subjects}, sources, seeds)
    if isinstance(facts, str):
        raise TypeError(f"facts is a list of sentences. Received one string: {facts!r}")


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


def _row(subject: Subject, tally: Tally, source: Subject | None) -> Row:
    model = subject.model or (source.model if source else None)
    answers, notes = tally.answers, list(tally.notes)
    if answers.broken:
        notes.append(f"{answers.broken:,} of {answers.answers:,} predictions are NaN and count as wrong.")
    elif tally.unusable:
        notes.append(f"It gives {tally.unusable}.")
    if subject.lite is not None and subject.lite.keeps_values:
        notes.append(f"{KEPT[0].upper()}{KEPT[1:]}.")
    if subject.model is not None and trained_quantization(subject.model):
        notes.append("Sized and timed as the int8 file that it was trained to be.")
    return Row(
        name=subject.name,
        kind=subject.kind,
        accuracy=answers.accuracy,
        agreement=answers.agreement,
        parameters=None if model is None else model.count_params(),
        max_error=tally.max_error,
        metric=tally.metric,
        metric_value=tally.value,
        notes=tuple(notes),
    )


def _with_seeds(rows: Sequence[Row], seeds: Mapping[str, Sequence[float]]) -> list[Row]:
    return [_with_spread(row, seeds[row.name]) if row.name in seeds else row for row in rows]


def _with_spread(row: Row, accuracies: Sequence[float]) -> Row:
    std = statistics.stdev(accuracies) if len(accuracies) > 1 else None
    mean = statistics.fmean(accuracies)
    return replace(row, accuracy_mean=mean, accuracy_std=std, seeds=len(accuracies))


def _meta(title: str, data_name: str | None, command: str | None, measured: _Measured) -> Meta:
    first = next(iter(measured.timings.values()), None)
    return Meta(
        title=title,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        data=data_name,
        samples=measured.samples,
        cpu=None if first is None else first.device,
        threads=None if first is None else first.threads,
        versions=_versions(),
        command=command,
    )


def _versions() -> dict[str, str]:
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    for package in ("ai-edge-litert", "keras-kd"):
        # In a source tree that was never installed, keras-kd has no version.
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions

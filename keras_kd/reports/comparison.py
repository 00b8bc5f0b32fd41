"""compare(): models and files side by side, all measured on the same data."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.benchmark import Benchmark
from keras_kd.deployment.data_sources import Data, batches, with_an_end
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.named_outputs import common_names, own_labels, own_names
from keras_kd.deployment.source.input_shapes import InputShape
from keras_kd.reports import gaps
from keras_kd.reports.arguments import check_arguments, merge_names
from keras_kd.reports.conclusions import conclude
from keras_kd.reports.entries import row_of, with_seeds
from keras_kd.reports.measurement import count_multiply_adds, measure_files
from keras_kd.reports.owners import with_owners
from keras_kd.reports.report import Report, plain_curves
from keras_kd.reports.rows import Meta, NotMeasured, Row, compare_with_baseline
from keras_kd.reports.sources import Sources, find_sources
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
    class_names: Sequence[str] | None = None,
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
        baseline: What the others are compared with: a model, a file, or the name of one of the models. A
            model or file that is none of these has a row of its own, by the name of the model or the stem of
            the file; `"baseline"` if Keras made the name up or another row has it.
        models: Name -> model or file, for names that cannot be Python keywords.
        sources: For files of other tools, name of a file -> name of the Keras model, also compared, that it
            was made from; files of `export` know theirs. Gives the file's row `max_error`, and a note if the
            file cannot reach the model's outputs. A file of another tool is read by the names and in the
            order of its source, or else of the first model that it fits.
        seeds: Name -> accuracies (0 to 1) of repeated training runs of that model.
        curves: Name -> metric -> one value per epoch: the `history.history` of a fit.
        facts: Sentences that the report shows first.
        not_measured: Gaps that the caller knows of, as (what, why); those found here are added.
        title: Heading of the report.
        data_name: The name of the data in the report.
        command: The command that produced this report.
        metric: What to measure besides the accuracy, as in `verify`. Of several outputs, name one in a
            dict, by its name in files or the one that `fit` takes.
        class_names: The names of the classes, in their order, for the figures by class.
        batch_size: Samples per batch, for data given as arrays.
        progress: Called with a line of text before each step.
        **named: Name -> a `keras.Model`, or the path of a `.tflite` or `.keras` file.

    Raises:
        ValueError: There are no models, names clash or are unknown, two classes have one name, a file was
            made from another model than `sources` says, the data is empty or contains NaN, labels are outside
            the classes of a classifier, outputs have different shapes, or the metric fails.
        TypeError: A value is neither a model nor a path, or `class_names` or `facts` is a string.
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
    subjects, reference = open_subjects(merge_names(models, named), baseline)
    seeds, plain = dict(seeds or {}), plain_curves(curves or {})
    check_arguments(subjects, sources or {}, seeds, facts, class_names)
    found = find_sources(subjects, sources or {})
    subjects = with_owners(subjects, found.models)
    labeled, metric = _labeled(data, batch_size, subjects, metric)
    measured = _measure(subjects, reference, found, labeled, progress, metric, class_names)
    rows = compare_with_baseline(with_seeds(measured.rows, seeds), reference)
    missing = [*map(_gap, not_measured), *measured.gaps]
    report = Report(rows, reference, _meta(title, data_name, command, measured), facts, plain, missing)
    return conclude(report, measured.tallies, class_names)


def _labeled(
    data: Data, batch_size: int, subjects: Sequence[Subject], metric: Metric
) -> tuple[Iterable[tuple[Tensors, Tensors]], Metric]:
    """Batches of inputs and labels, and the metric, under the names that the outputs have in files."""
    names = common_names([subject.model for subject in subjects if subject.model is not None])
    metric = own_names(metric, names) if isinstance(metric, Mapping) else metric
    parts = batches(with_an_end(data), batch_size, subjects[0].inputs)
    return ((x, own_labels(y, names, metric)) for x, y in parts), metric


def _gap(gap: NotMeasured | tuple[str, str]) -> NotMeasured:
    return gap if isinstance(gap, NotMeasured) else NotMeasured(*gap)


class _Measured(NamedTuple):
    rows: list[Row]
    tallies: dict[str, Tally]
    samples: int
    timings: dict[str, Benchmark]
    gaps: list[NotMeasured]


def _measure(
    subjects: Sequence[Subject],
    reference: str | None,
    sources: Sources,
    data: Iterable[tuple[Tensors, Tensors]],
    progress: Callable[[str], None] | None,
    metric: Metric,
    class_names: Sequence[str] | None,
) -> _Measured:
    say = progress or (lambda text: None)
    shapes: list[InputShape] = []
    data = _with_shapes(data, shapes)
    tallies, samples = count(subjects, data, reference, sources.models, say, metric, class_names)
    by_name, macs = {subject.name: subject for subject in subjects}, count_multiply_adds(subjects, shapes[0])
    found = {s.name: by_name.get(sources.models.get(s.name, "")) for s in subjects}
    rows = [row_of(s, tallies[s.name], found[s.name], sources.notes.get(s.name), macs) for s in subjects]
    rows, timings, gaps_of_files = measure_files(rows, subjects, say, shapes[0], reference)
    missing = [*gaps.missing_accuracies(tallies, reference), *gaps_of_files]
    return _Measured(rows, tallies, samples, timings, [*missing, *gaps.missing_sources(rows)])


def _with_shapes(
    data: Iterable[tuple[Tensors, Tensors]], shapes: list[InputShape]
) -> Iterator[tuple[Tensors, Tensors]]:
    """The same batches; the shapes of one sample of each are added to a list as they pass."""
    for x, y in data:
        shapes.append(keras.tree.map_structure(lambda array: np.shape(array)[1:], x))
        yield x, y


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

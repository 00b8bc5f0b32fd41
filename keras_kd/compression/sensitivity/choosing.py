"""Which output of a model is scored, and by what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import keras
import numpy as np

from keras_kd.compression.data import Data, batches_of
from keras_kd.compression.sensitivity.compiled_metrics import compiled_metrics
from keras_kd.compression.sensitivity.yardstick import (
    ACCURACY,
    AGREEMENT,
    Batch,
    Outputs,
    Yardstick,
    runner_of,
)
from keras_kd.deployment.scoring.evidence import Evidence, evidence_of, threshold_of
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.named_outputs import (
    keras_names,
    labels_by_name,
    metric_of_each,
    own_labels,
    why_without,
)
from keras_kd.deployment.scoring.scores import Scores
from keras_kd.deployment.source.serving import make_serving
from keras_kd.tensors import Tensor, Tensors

Metric: TypeAlias = MetricLike | Mapping[str, MetricLike] | None

_MODEL = "model"


class _Answered(NamedTuple):
    """A batch, with the labels of each output that has some, and what the model gives for it."""

    x: Tensors
    labels: Mapping[str, Tensor]
    missing: str
    outputs: Outputs


def choose_yardstick(
    model: keras.Model, data: Data, metric: Metric, samples: int | None, batch_size: int
) -> Yardstick:
    """Run a model on data, and find what its score is.

    It is the accuracy where an output holds classes or answers, else the metric with which the model was
    compiled; without labels, how often the answers are those of the model.

    Args:
        model: The model.
        data: The data.
        metric: What to measure instead; by their names for several outputs.
        samples: How many rows of data to read; `None` for all.
        batch_size: Rows that are run at once.

    Raises:
        ValueError: The data does not fit, or nothing can be measured with it; the message says what to give.
        TypeError: The type of the data does not fit.
    """
    answered = list(_answered(model, data, metric, samples, batch_size))
    names = list(answered[0].outputs)
    evidence = evidence_of(model, make_serving(model))
    found = _scores(model, answered, evidence, metric)
    if metric is None and not any(scores.metric_name for scores in found.values()):
        metric = compiled_metrics(model, names) or None
        found = _scores(model, answered, evidence, metric) if metric else found
    name, score = _best(model, found)
    if score in (ACCURACY, AGREEMENT):
        used: MetricLike | None = ACCURACY  # whatever the changed models give, it holds answers
    else:
        used = metric_of_each(metric, names, keras_names(model, names))[name]
    return Yardstick(
        score,
        name,
        names.index(name),
        len(names),
        used,
        _with_threshold(evidence.get(name, Evidence()), [batch.outputs[name] for batch in answered]),
        [Batch(b.x, b.labels.get(name), b.outputs[name] if score == AGREEMENT else None) for b in answered],
    )


def _answered(
    model: keras.Model, data: Data, metric: Metric, samples: int | None, batch_size: int
) -> Iterator[_Answered]:
    run, left = runner_of(model), samples
    for x, y in batches_of(model, data, batch_size, samples):
        x = keras.tree.map_structure(lambda array, most=left: array[:most], x)
        outputs = run(x)
        names = list(outputs)
        y = own_labels(y, keras_names(model, names), metric)
        labels = {name: np.asarray(each)[:left] for name, each in labels_by_name(y, names).items()}
        yield _Answered(x, labels, why_without(y, names), outputs)
        if left is not None:
            left -= len(keras.tree.flatten(x)[0])
            if left == 0:
                return


def _scores(
    model: keras.Model, answered: Sequence[_Answered], evidence: Mapping[str, Evidence], metric: Metric
) -> dict[str, Scores]:
    """The figures of each output that can be scored, or of those that a metric names."""
    names = list(answered[0].outputs)
    metrics = metric_of_each(metric, names, keras_names(model, names))
    found = {}
    for name, asked in metrics.items():
        if isinstance(metric, Mapping) and asked is None:
            continue
        found[name] = Scores(asked, {_MODEL: evidence.get(name, Evidence())})
        for batch in answered:
            labels, outputs = batch.labels.get(name), {_MODEL: batch.outputs[name]}
            found[name].add(labels, outputs, _MODEL, batch.missing)
    return found


def _best(model: keras.Model, found: Mapping[str, Scores]) -> tuple[str, str]:
    """The only output that has a score, and what it is."""
    scored = {name: scores.metric_name for name, scores in found.items() if scores.metric_name}
    unlabeled = {
        name: AGREEMENT for name, scores in found.items() if scores.accuracy(_MODEL).agreement is not None
    }
    candidates = scored or unlabeled
    if len(candidates) > 1:
        names = ", ".join(map(repr, candidates))
        raise ValueError(
            f"Several outputs of {model.name!r} can be scored: {names}. Name one, with what to measure: "
            f"metric={{{next(iter(candidates))!r}: 'accuracy'}}."
        )
    if not candidates:
        whys = "; ".join(f"{name!r}: {scores.why}" for name, scores in found.items())
        raise ValueError(f"There is nothing to score {model.name!r} by. {whys}.")
    return next(iter(candidates.items()))


def _with_threshold(evidence: Evidence, outputs: Sequence[np.ndarray]) -> Evidence:
    """The evidence with the threshold of a yes or no, as the original's scores tell it."""
    if evidence.from_logits is not None or not np.issubdtype(outputs[0].dtype, np.floating):
        return evidence
    threshold = threshold_of(evidence, np.concatenate([each.ravel() for each in outputs]))
    return replace(evidence, from_logits=threshold == 0.0)

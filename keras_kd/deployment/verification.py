"""Does a file predict what its model predicts?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np

from keras_kd.deployment.belonging import OwnedFile, Owner
from keras_kd.deployment.data_sources import Data, batches, with_an_end
from keras_kd.deployment.edges import Edges, read_edges
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.notes import name_outputs
from keras_kd.deployment.opening.entry_point import KEPT
from keras_kd.deployment.output_tally import OutputTally
from keras_kd.deployment.ranges import RangeCheck
from keras_kd.deployment.scoring.evidence import Evidence, compiled_evidence
from keras_kd.deployment.scoring.metrics import MetricLike
from keras_kd.deployment.scoring.named_outputs import (
    keras_names,
    labels_by_name,
    metric_of_each,
    own_labels,
    why_without,
)
from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.deployment.source.input_structure import InputSpecs
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.source.source_model import resolve_model, student_keys
from keras_kd.deployment.verified import Verification
from keras_kd.tensors import Tensors

_OF_ALL = ("name", "max_error", "mean_error")  # figures that several outputs have together


def verify(
    model: keras.Model,
    path: str | os.PathLike[str],
    data: Data,
    *,
    inputs: InputSpecs = None,
    metric: MetricLike | Mapping[str, MetricLike] | None = None,
) -> Verification:
    """Run a model and its file on the same data and compare their outputs.

    Agreement and accuracy are counted where an output answers something: one of several classes (a softmax, a
    compiled cross-entropy, or labels that are class numbers or one-hot rows), or a yes or no for each value
    (one sigmoid or logit with labels of 0 and 1, or one for each of several labels). For anything else, such
    as numbers, boxes and embeddings, errors are measured, and a `metric` if you name one. `compare` decides
    in the same way.

    Args:
        model: the exported model, of Keras 3 or tf_keras; for a `Distiller`, the student is compared.
        path: the `.tflite` file. One of another tool is paired with the model by the names of its inputs and
            outputs, those that Keras gave included, else by their numbers, else by shapes.
        data: batches of `x`, `(x, y)` or `(x, y, weights)`, in any form that `calibration` of `export` takes.
            For several outputs, the labels are a dict by the names in the file or those that `fit` takes, or
            a list; one array is that of the only output that `metric` names.
        inputs: as in `export`.
        metric: what else to measure with the labels: the name of a Keras metric, a metric, or a function
            `(y_true, y_pred)` of all labels and outputs that returns one number, or one for each sample. For
            several outputs, a dict by their names. `"accuracy"` says that an output holds one score per
            class, where nothing else tells. A cross-entropy of Keras is told whether it reads logits.

    Raises:
        ValueError: if there is no data, it does not fit the model, the file was not made from this model, it
            cannot be told which of its inputs or outputs is which, or the metric fails.
        FileNotFoundError: if there is no file.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> from keras_kd.deployment.tflite import export
        >>> from keras_kd.deployment.verification import verify
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> x, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 2
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = export(model, f"{folder}/m.tflite")
        ...     checked = verify(model, exported.path, (x, y))
        ...     other = verify(model, exported.path, (x, x[:, :2]), metric="mean_absolute_error")
        >>> checked.samples, checked.agreement, checked.max_error < 1e-4
        (50, 1.0, True)
        >>> other.metric, abs(other.keras_metric - other.file_metric) < 1e-4
        ('mean_absolute_error', True)
    """
    trained, model = model, resolve_model(model)
    data = with_an_end(data)
    lite, edges = LiteModel(path), read_edges(path)
    served = make_serving(model, inputs=inputs, keys=student_keys(trained))
    run = served.runner()
    file = OwnedFile(lite, Owner.of_model(served, run))
    tallies: dict[str, OutputTally] = {}
    ranges, samples = RangeCheck(file.of_inputs(edges.ranges)), 0
    for x, y in batches(data, inputs=served.data_inputs()):
        arrays = served.arrays(x)
        wanted = run(arrays)
        received = file.predict(arrays, wanted)
        theirs = keras_names(model, list(wanted))
        if not tallies:
            tallies = _start_tallies(trained, theirs, list(wanted), metric, file, edges)
        _add(tallies, wanted, received, own_labels(y, theirs, metric))
        ranges.add(arrays)
        samples += len(next(iter(arrays.values())))
    result = _result(lite, samples, list(tallies.values()), ranges)
    other = "" if lite.made_from is None else lite.made_from.beside(model.name, Fingerprint.of(model))
    return replace(result, notes=(f"the file was {other}", *result.notes)) if other else result


def _add(
    tallies: dict[str, OutputTally],
    wanted: dict[str, np.ndarray],
    received: dict[str, np.ndarray],
    y: Tensors,
) -> None:
    labels, missing = labels_by_name(y, list(wanted)), why_without(y, list(wanted))
    for name, array in wanted.items():
        tallies[name].add(array, received[name], labels.get(name), missing)


def _start_tallies(
    trained: keras.Model,
    theirs: Mapping[str, str],
    outputs: list[str],
    metric: MetricLike | Mapping[str, MetricLike] | None,
    file: OwnedFile,
    edges: Edges,
) -> dict[str, OutputTally]:
    evidence = compiled_evidence(trained, outputs)
    activations, limits = file.of_outputs(edges.activations), file.of_outputs(edges.limits)
    return {
        name: OutputTally(
            name,
            asked,
            replace(evidence.get(name, Evidence()), activation=activations.get(name)),
            limits.get(name),
        )
        for name, asked in metric_of_each(metric, outputs, theirs).items()
    }


def _result(lite: LiteModel, samples: int, tallies: list[OutputTally], ranges: RangeCheck) -> Verification:
    if samples == 0:
        raise ValueError("The data is empty; pass a batched tf.data.Dataset or arrays with some samples.")
    outputs = tuple(tally.result() for tally in tallies)
    differences = [tally.differences for tally in tallies]
    one = outputs[0] if len(outputs) == 1 else None
    of_inputs, cut_off = ranges.notes(), ranges.are_cut_off()
    told = lite.made_from is not None
    notes = name_outputs({tally.name: tally.notes(bool(of_inputs), cut_off, told) for tally in tallies})
    figures = {} if one is None else {k: v for k, v in vars(one).items() if k not in _OF_ALL}
    return Verification(
        path=lite.path,
        samples=samples,
        max_error=float(np.max([d.largest for d in differences])),
        mean_error=sum(d.total for d in differences) / max(1, sum(d.elements for d in differences)),
        outputs=outputs,
        notes=(*of_inputs, *([KEPT] if lite.keeps_values else []), *notes),
        **dict.fromkeys(("agreement", "keras_accuracy", "file_accuracy")) | figures,
    )

"""How right a model is about each sample of a split."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.datasets import Data
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.scoring import scores as running
from keras_kd.jobs.tasks import Task
from keras_kd.messages import one_line
from keras_kd.parts import parts
from keras_kd.signals.tracing import output_activations
from keras_kd.tensors import Tensors

# The tap of an output -> how right each sample is, higher is better.
Scores: TypeAlias = Mapping[str, np.ndarray]


def score(model: keras.Model, tasks: Sequence[Task], data: Data, split: str) -> Scores:
    """How right a model is about each sample, for each of its outputs.

    Args:
        model: A functional or sequential model.
        tasks: What its outputs are for.
        data: The data.
        split: `"validation"` or `"test"`.
    """
    batches = {"validation": data.validation, "test": data.test}[split]
    outputs = predictions(model, batches)
    labels = data.arrays[split].y
    ends = output_activations(model, [task.tap for task in tasks])
    return {
        task.tap: task.scores(outputs[task.tap], labels_of(labels, task), ends[task.tap]) for task in tasks
    }


def score_file(path: Path, task: Task, data: Data, activation: str | None) -> np.ndarray:
    """How right a `.tflite` file is about each test sample, for one of its outputs.

    Args:
        path: The file.
        task: What the output is for.
        data: The data.
        activation: What the model ends in that the file was made from.
    """
    inputs = np.concatenate([batch[0] for batch in data.test.as_numpy_iterator()])
    outputs = by_tap(LiteModel(path).predict(inputs))
    return task.scores(outputs[task.tap], labels_of(data.arrays["test"].y, task), activation)


def score_constant(task: Task, data: Data) -> np.ndarray:
    """How right it is about each test sample to give always the same, the best for the training labels."""
    known, truth = (labels_of(data.arrays[split].y, task) for split in ("train", "test"))
    if task.kind in ("classes", "one-hot"):
        known, truth = (each.argmax(-1) if task.kind == "one-hot" else each for each in (known, truth))
        right = truth == np.bincount(known.reshape(-1)).argmax()
        return right.reshape(len(right), -1).mean(-1, dtype="float64")
    always = np.broadcast_to(np.median(known, axis=0), truth.shape)
    return task.scores(always, truth, "sigmoid" if task.kind == "answers" else None)


def check_metric(
    model: keras.Model, tasks: Sequence[Task], data: Data, metric: str | Mapping[str, str]
) -> None:
    """Raise a `ValueError` if a metric cannot measure the first output, on one batch of the test data."""
    task, asked = tasks[0], metric if isinstance(metric, str) else next(iter(metric.values()))
    outputs = predictions(model, data.test.take(1))[task.tap]
    labels = labels_of(data.arrays["test"].y, task)[: len(outputs)]
    scores = running.Scores(asked)
    try:
        scores.add(labels, {"student": outputs}, None)
        scores.value("student")
    except (ValueError, TypeError) as error:
        raise ValueError(f"metric={asked!r} cannot be measured: {one_line(error)}") from error


def predictions(model: keras.Model, batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    """What a model gives for the inputs of a dataset, by the taps of its outputs."""
    return by_tap(model.predict(batches, verbose=0))


def by_tap(outputs: Tensors) -> dict[str, np.ndarray]:
    """Outputs in the structure of a model, by their taps."""
    return {f"output/{path}".rstrip("/"): np.asarray(part) for path, part in parts(outputs).items()}


def labels_of(labels: np.ndarray | Mapping[str, np.ndarray], task: Task) -> np.ndarray:
    """The labels of the output of a task."""
    if not isinstance(labels, Mapping):
        return labels
    return next(iter(labels.values())) if task.name is None else labels[task.name]

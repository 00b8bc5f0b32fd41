"""How right a model is about each sample of a split."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.datasets import Data
from keras_kd.jobs.tasks import Task
from keras_kd.parts import parts
from keras_kd.signals.tracing import output_activations

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


def predictions(model: keras.Model, batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    """What a model gives for the inputs of a dataset, by the taps of its outputs."""
    found = parts(model.predict(batches, verbose=0))
    return {f"output/{path}".rstrip("/"): np.asarray(part) for path, part in found.items()}


def labels_of(labels: np.ndarray | Mapping[str, np.ndarray], task: Task) -> np.ndarray:
    """The labels of the output of a task."""
    if not isinstance(labels, Mapping):
        return labels
    return next(iter(labels.values())) if task.name is None else labels[task.name]

"""Graphs: a network that reads neighbors teaches one that needs none.

Run: python examples/tasks/graphs.py [--short] [--seeds N] [--out FOLDER]

Zhang et al. (2022, arXiv 2110.08727) distill a graph network (GNN) into a multilayer perceptron (MLP), which
is then asked about single nodes, without a graph: on Cora 58.98 % alone, 78.28 % distilled, the teacher
79.29 %. Here the nodes are digits, each joined to its five nearest, and two of each class have a label; and
packages of Debian, which depend on each other: words tell what they are for (the section), with 20 labels of
each. The graph network learns with all nodes; the MLP, and what it is taught, never see the test nodes.
Beside it stands one that was taught the network's answers for all nodes, test nodes as well: that is how the
figures of Cora came about, where no node is new later.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from parts.debian import debian
from parts.graph import generated, graph_network, nearest, normalized, some_of_each
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Graph(NamedTuple):
    """Nodes of one kind, and which of them are there for training, for choosing a recipe, for the test."""

    x: np.ndarray
    y: np.ndarray
    adjacency: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class Recipe(NamedTuple):
    """How the MLPs are trained; chosen on validation nodes."""

    width: int = 128
    noise: float = 0.1
    dropout: float = 0.0
    temperature: float = 1.0
    steps: int = 1500
    rate: float = 2e-3
    rate_alone: float = 2e-3
    labels: int = 2  # of each class


def digits(short):
    arrays = kd.datasets.digits().arrays
    x, y = (np.concatenate([arrays[part][i] for part in ("train", "validation", "test")]) for i in (0, 1))
    x = x.reshape(len(x), -1)
    nodes = np.split(np.arange(len(x)), np.cumsum([len(arrays[part][0]) for part in ("train", "validation")]))
    return Graph(x, y, normalized(nearest(x, 5)), *nodes)


def packages(short):
    random = np.random.default_rng(0)
    x, y, edges = generated(random) if short else debian()
    nodes = np.split(random.permutation(len(x)), [len(x) * 6 // 10, len(x) * 7 // 10])
    return Graph(x, y, normalized(edges), *nodes)


def perceptron(features, classes, recipe):
    x = inputs = keras.Input((features,), name="x")
    x = layers.Dense(recipe.width, "relu")(layers.GaussianNoise(recipe.noise)(x))
    return keras.Model(inputs, layers.Dense(classes, name="logits")(layers.Dropout(recipe.dropout)(x)))


def teach(graph, known, classes, steps):
    """A graph network of all nodes, a few of which have labels."""
    model = graph_network(graph.x.shape[1], len(graph.x), 64, classes)
    model.compile(keras.optimizers.AdamW(1e-2, 5e-3), CROSS_ENTROPY)
    weights = np.zeros(len(graph.x), "float32")
    weights[known] = len(weights) / len(known)
    whole = (graph.x, graph.adjacency), graph.y, weights
    model.fit(tf.data.Dataset.from_tensors(whole).repeat(steps), verbose=0)
    return model


def fit(model, x, y, rate, steps):
    """As many steps for many nodes as for few."""
    rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(rate), CROSS_ENTROPY)
    data = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(len(y), 0).repeat()
    model.fit(data.batch(min(128, len(y))).take(steps), verbose=0)


def compare(seed, place, graph, recipe):
    classes, steps = int(graph.y.max()) + 1, 20 if place.short else recipe.steps
    known = some_of_each(graph.y, graph.train, recipe.labels, np.random.default_rng(seed))
    keras.utils.set_random_seed(seed)
    teacher = place.model(f"teacher{seed}", lambda: teach(graph, known, classes, 20 if place.short else 200))
    answers = teacher.predict([graph.x, graph.adjacency], batch_size=len(graph.x), verbose=0)

    def student():
        keras.utils.set_random_seed(seed)
        return perceptron(graph.x.shape[1], classes, recipe)

    def distill(nodes):
        taught = kd.Taught(graph.x[nodes], {"output": answers[nodes]})
        distiller = kd.Distiller(student(), temperature=recipe.temperature, alpha=0.0)
        fit(distiller, taught, graph.y[nodes], recipe.rate, steps)  # alpha: no label is read
        return distiller.student

    alone, distilled = student(), distill(graph.train)
    fit(alone, graph.x[known], graph.y[known], recipe.rate_alone, steps)
    models = {
        "alone": alone,
        "distilled": distilled,
        "asked about all nodes": distill(np.arange(len(graph.x))),
    }
    outputs = {"teacher": answers, **{name: model(graph.x) for name, model in models.items()}}
    right = {name: np.argmax(values, -1) == graph.y for name, values in outputs.items()}
    scores = {name: np.mean(values[graph.test]) for name, values in right.items()}
    scores |= {f"{name}, validation": np.mean(values[graph.validation]) for name, values in right.items()}
    return scores, distilled, teacher


def trial(seed, place, read, recipe, stand_in=None):
    graph = read(place.short)
    scores, student, teacher = compare(seed, place, graph, recipe)
    scores = {name: value for name, value in scores.items() if "validation" not in name}
    test = graph.x[graph.test], graph.y[graph.test]
    samples = graph.x[graph.train][:200]
    return Trial(scores, student, teacher.count_params(), test, samples, stand_in if place.short else None)


DIGITS = partial(trial, read=digits, recipe=Recipe())
PACKAGES = partial(trial, read=packages, recipe=Recipe(labels=20, width=64), stand_in="generated words")
ROWS = [
    Row("digits graph to MLP", "digits and their neighbors, 20 labels", "accuracy, %", DIGITS, 5),
    Row("packages graph to MLP", "packages of Debian, 120 labels", "accuracy, %", PACKAGES, 5),
]

if __name__ == "__main__":
    main(ROWS, __doc__)

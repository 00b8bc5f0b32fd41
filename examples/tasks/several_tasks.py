"""Several tasks at once: a teacher for each, and one student with a head for each.

Run: python examples/tasks/several_tasks.py [--short] [--seeds N] [--out FOLDER]

Clark et al. (2019, arXiv 1907.04829) distill models of single tasks into one of all tasks. Here are two pairs
of tasks: which digit it is, and by how many quarters of a circle it is turned; which rating a review of
clothing comes with, and whether it recommends the piece. Of a review, the teachers read the title, too, and
pairs of words, and the student only 500 words of the text. Of reviews, the student gains 0.4 points, and 3.9
where 1,000 of 16,000 have labels; of digits, nothing. In short form, the reviews are random words.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from parts.reviews import generated_reviews, read_reviews
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Tasks(NamedTuple):
    """Data `(x, y)` by names, networks that `{task: classes}` are given to, and how they are trained."""

    train: tuple
    test: tuple
    networks: tuple  # of teachers, of students
    epochs: tuple
    rates: tuple
    temperature: float
    alpha: float
    labeled: int | None = None  # how many samples have labels in a second trial
    data: str | None = None


def fit(model, x, y, rate, epochs, share=1.0, weights=None):
    names = model.output_names
    losses, shares = dict.fromkeys(names, CROSS_ENTROPY), dict.fromkeys(names, share)
    model.compile(keras.optimizers.Adam(rate), losses, loss_weights=shares)
    y = {name: y[name] for name in names}
    weights = None if weights is None else dict.fromkeys(names, weights)
    model.fit(x, y, sample_weight=weights, batch_size=64, epochs=epochs, verbose=0)
    return model


def read(model, x):
    """What a model of one input reads."""
    return x[model.inputs[0].name]


def compare(seed, place, make):
    tasks = make(place)
    (x, y), (x_test, y_test) = tasks.train, tasks.test
    (teachers_rate, rate), (teachers_epochs, epochs) = tasks.rates, tasks.epochs
    classes = {name: int(values.max()) + 1 for name, values in y.items()}

    def seeded(network, classes):
        keras.utils.set_random_seed(seed)
        return network(classes)

    def teach(task):
        model = seeded(tasks.networks[0], {task: classes[task]})
        return fit(model, read(model, x), y, teachers_rate, teachers_epochs)

    def distill(labeled):
        model, soft = seeded(tasks.networks[1], classes), kd.losses.SoftTargets(tasks.temperature)
        # What has no labels still has soft targets.
        options = {"weight": 1 - tasks.alpha, "use_sample_weight": False}
        taps = [f"output/{task}" for task in classes]
        objectives = [kd.Objective(soft, student=tap, teacher=tap, **options) for tap in taps]
        weights = (np.arange(len(read(model, x))) < labeled).astype("float32")
        fit(kd.Distiller(model, teacher, objectives), x, y, rate, epochs, tasks.alpha, weights)
        return model

    def train_alone(labeled, epochs):
        model = seeded(tasks.networks[1], classes)
        return fit(model, read(model, x)[:labeled], {k: v[:labeled] for k, v in y.items()}, rate, epochs)

    teachers = {task: place.model(f"{task}{seed}", partial(teach, task)) for task in classes}
    known = next(iter(teachers.values())).inputs[0]
    inputs = keras.Input(known.shape[1:], name=known.name)
    teacher = keras.Model(inputs, {task: model(inputs)[task] for task, model in teachers.items()})
    everything = len(read(teacher, x))
    found = {"teacher": teacher, "alone": train_alone(everything, epochs), "distilled": distill(everything)}
    if tasks.labeled:  # trained longer, for there are fewer steps in an epoch
        found[f"alone, {tasks.labeled} labels"] = train_alone(tasks.labeled, 4 * epochs)
        found[f"distilled, {tasks.labeled} labels"] = distill(tasks.labeled)
    scores = {}
    for name, model in found.items():
        outputs = model.predict(read(model, x_test), verbose=0)
        each = {task: np.mean(np.argmax(outputs[task], -1) == y_test[task]) for task in classes}
        scores |= {name: np.mean(list(each.values()))}
        scores |= {f"{task} {name}": value for task, value in each.items()}
    student = found["distilled"]
    test = read(student, x_test), y_test
    return Trial(scores, student, teacher.count_params(), test, read(student, x)[:200], tasks.data)


def heads(x, classes):
    return {task: layers.Dense(count, name=task)(x) for task, count in classes.items()}


def turned_digits(place):
    data = kd.datasets.digits().arrays

    def turned(split):
        x, y = (values[:: 4 if place.short else 1] for values in data[split][:2])
        images = np.concatenate([np.rot90(x, quarters, (1, 2)) for quarters in range(4)])
        return {"image": images}, {"digit": np.tile(y, 4), "turn": np.repeat(np.arange(4), len(x))}

    def network(widths, strides, classes):
        x = image = keras.Input((8, 8, 1), name="image")
        for width, stride in zip(widths, strides, strict=True):
            x = layers.Conv2D(width, 3, stride, "same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        return keras.Model(image, heads(layers.GlobalAveragePooling2D()(x), classes))

    sizes = ((32, 48, 64, 64), (1, 2, 1, 2)), ((4, 8, 12), (1, 2, 2))
    networks = tuple(partial(network, *size) for size in sizes)
    epochs = (1, 1) if place.short else (20, 20)
    return Tasks(turned("train"), turned("test"), networks, epochs, (2e-3, 5e-3), 2.0, 0.1)


def reviews(place):
    data = generated_reviews() if place.short else read_reviews()

    def network(name, width, dropout, classes):
        words = keras.Input(data["train"][0][name].shape[1:], name=name)
        hidden = layers.Dense(width, "relu")(layers.Dropout(dropout)(words))
        return keras.Model(words, heads(layers.Dropout(dropout)(hidden), classes))

    networks = partial(network, "all", 32, 0.5), partial(network, "words", 8, 0.0)
    epochs = (1, 1) if place.short else (4, 10)
    more = (None, "generated words") if place.short else (1_000,)
    return Tasks(data["train"], data["test"], networks, epochs, (1e-3, 1e-3), 1.0, 0.5, *more)


ROWS = [
    Row("two tasks images", "digits, turned", "mean accuracy, %", partial(compare, make=turned_digits), 5),
    Row("two tasks text", "reviews of women's clothing", "mean accuracy, %", partial(compare, make=reviews)),
]

if __name__ == "__main__":
    main(ROWS, __doc__)

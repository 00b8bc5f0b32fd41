"""Every loss trains: its first and last values on real digits, through the Distiller.

    python benchmarks/training.py [--short] [--accuracy SEEDS] [--json FILE]

Each loss is trained alone (without the hard loss), so that the decrease is its own. With `--accuracy`, each
loss is also added to the hard loss of a student that has 100 labeled digits, and compared with a student
trained without it for the same steps. Each loss is weighted so that its first value is 1 or 10, whichever is
better on validation data; nothing else was tuned. The teacher was trained on all labels. The training recipe
of a loss is in its row in `tests/oracles`.
"""

import argparse
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers
from rich.console import Console
from rich.table import Table

import keras_kd as kd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the rows of the losses are in tests/
from tests.contract import LOSSES

# How each loss is trained, by name.
TRAININGS = {name: row.training for name, row in LOSSES.items() if row.training}
WEIGHTS = 1.0, 10.0  # of a loss whose first value is 1


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


# ---- tasks: what is asked about a digit, and two models for it


def transformer(width, heads, name):
    """The rows of a digit are eight tokens; one block of attention, then a head on their mean."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(width)(layers.Reshape((8, 8))(inputs))
    places = keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0]), axis=1) - 1
    x = layers.Add()([x, layers.Embedding(8, width)(places)])
    y = layers.MultiHeadAttention(heads, width // heads, name="attention")(x, x)
    x = layers.LayerNormalization()(layers.Add()([x, y]))
    y = layers.Dense(width)(layers.Dense(2 * width, activation="gelu")(x))
    x = layers.LayerNormalization(name="hidden")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name=name)


def with_head(base, units):
    """The same network with another head."""
    outputs = layers.Dense(units, name="head")(base.get_layer("pool").output)
    return keras.Model(base.input, outputs, name=base.name)


def attributes(y):
    """Four questions about a digit: even, above four, prime, has a loop."""
    rows = [y % 2 == 0, y > 4, np.isin(y, [2, 3, 5, 7]), np.isin(y, [0, 6, 8, 9])]
    return np.stack(rows, -1).astype("float32")


def value(y):
    """The digit as a quantity."""
    return (y[:, None] / 9).astype("float32")


@dataclass(frozen=True)
class Task:
    teacher: Callable[[], keras.Model]
    student: Callable[[], keras.Model]
    labels: Callable[[np.ndarray], np.ndarray]
    loss: Callable[[], keras.losses.Loss]


TASKS = {
    "digits": Task(kd.models.digits_teacher, kd.models.digits_student, lambda y: y, cross_entropy),
    "tokens": Task(
        lambda: transformer(64, 4, "teacher"),
        lambda: transformer(16, 4, "student"),
        lambda y: y,
        cross_entropy,
    ),
    "attributes": Task(
        lambda: with_head(kd.models.digits_teacher(), 4),
        lambda: with_head(kd.models.digits_student(), 4),
        attributes,
        lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    ),
    "value": Task(
        lambda: with_head(kd.models.digits_teacher(), 1),
        lambda: with_head(kd.models.digits_student(), 1),
        value,
        keras.losses.MeanSquaredError,
    ),
}


@functools.cache
def digits():
    return kd.datasets.digits(batch_size=64).arrays


@functools.cache
def teacher_of(task, epochs):
    """A teacher that saw all labels."""
    keras.utils.set_random_seed(0)
    teacher, train = TASKS[task].teacher(), digits()["train"]
    steps = epochs * -(-len(train.x) // 64)
    teacher.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(4e-3, steps)), loss=TASKS[task].loss()
    )
    teacher.fit(train.x, TASKS[task].labels(train.y), batch_size=64, epochs=epochs, verbose=0)
    return teacher


# ---- measuring


def fall(name, teacher, epochs=None, enough=None):
    """The first value of a loss (one batch) and its last (mean of the last epoch), trained alone.

    An epoch whose mean is below `enough`, a share of the first value, is the last.
    """
    training = TRAININGS[name]
    epochs = epochs or training.epochs
    task, train = TASKS[training.task], digits()["train"]
    keras.utils.set_random_seed(1)
    objective = training.objective(teacher)
    distiller = kd.Distiller(task.student(), teacher, [objective])
    steps = epochs * -(-len(train.x) // 64)
    adam = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(training.rate, steps))
    distiller.compile(adam, loss=task.loss(), loss_weights=0.0)  # the labels do not help
    first = []

    def stop_at_enough(epoch, logs):
        distiller.stop_training = enough is not None and logs[objective.name] < enough * first[0]

    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: first or first.append(logs[objective.name]),
        on_epoch_end=stop_at_enough,
    )
    y = task.labels(train.y)
    history = distiller.fit(train.x, y, batch_size=64, epochs=epochs, callbacks=[note], verbose=0).history
    return float(first[0]), float(history[objective.name][-1])


def score(task, model, split):
    """Accuracy in percent; for the digit as a quantity, of the nearest digit."""
    held_out = digits()[split]
    outputs = np.concatenate([model.predict_on_batch(x) for x in np.array_split(held_out.x, 4)])
    if task == "value":
        return 100 * float((np.rint(9 * outputs[:, 0]) == held_out.y).mean())
    if task == "attributes":
        return 100 * float(((outputs > 0) == attributes(held_out.y)).mean())
    return 100 * float((outputs.argmax(-1) == held_out.y).mean())


def student_scores(task, seed, epochs, objective=None, teacher=None, labels=100):
    """Accuracy on validation and test data of a student with 100 labels, with an objective or alone."""
    data = kd.datasets.digits(batch_size=64).labelled_only(labels, seed=seed).arrays["train"]
    keras.utils.set_random_seed(seed)
    student = TASKS[task].student()
    model = student if objective is None else kd.Distiller(student, teacher, [objective])
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * -(-len(data.x) // 64))
    model.compile(keras.optimizers.Adam(rate), loss=TASKS[task].loss())
    model.fit(data.x, TASKS[task].labels(data.y), batch_size=64, epochs=epochs, verbose=0)
    return {split: score(task, student, split) for split in ("validation", "test")}


def best_of(name, first, seeds, epochs, teacher_epochs):
    """Test accuracies with a loss, at the one of `WEIGHTS` that is best on validation data."""
    training, found = TRAININGS[name], {}
    teacher = teacher_of(training.task, teacher_epochs)
    for weight in WEIGHTS:
        found[weight] = []
        for seed in range(seeds):
            objective = training.objective(teacher)
            objective.weight = weight / abs(first)
            found[weight].append(student_scores(training.task, seed, epochs, objective, teacher))
    best = max(found, key=lambda weight: statistics.mean(s["validation"] for s in found[weight]))
    return best, [s["test"] for s in found[best]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="two losses, few epochs, to see that it runs")
    parser.add_argument(
        "--accuracy", type=int, default=0, metavar="SEEDS", help="with students of 100 labels"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    epochs, teacher_epochs, few_epochs = (1, 1, 2) if arguments.short else (None, 20, 100)
    names = list(TRAININGS)[:2] if arguments.short else list(TRAININGS)
    alone, rows, started = {}, [], time.monotonic()
    for name in names:
        task = TRAININGS[name].task
        first, last = fall(name, teacher_of(task, teacher_epochs), epochs)
        row = {"loss": name, "task": task, "first": first, "last": last}
        if arguments.accuracy:
            seeds = range(arguments.accuracy)
            if task not in alone:
                alone[task] = [student_scores(task, seed, few_epochs)["test"] for seed in seeds]
            row["alone"] = alone[task]
            row["weight"], row["with"] = best_of(name, first, len(seeds), few_epochs, teacher_epochs)
        rows.append(row)
        print(f"{len(rows)} of {len(names)} losses, {time.monotonic() - started:.0f} s", end="\r", flush=True)
    Console(width=120).print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({"short": arguments.short, "rows": rows}, indent=1) + "\n")


def table(rows):
    found = Table("loss", "task", "first value", "last value", "last / first", "alone %", "with it %")
    for row in rows:
        cells = [f"{row['first']:.4g}", f"{row['last']:.4g}", f"{row['last'] / row['first']:.3f}"]
        accuracies = [spread(row[key]) if key in row else "" for key in ("alone", "with")]
        found.add_row(row["loss"], row["task"], *cells, *accuracies)
    return found


def spread(values):
    deviation = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


if __name__ == "__main__":
    main()

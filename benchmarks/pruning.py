"""Pruning a distilled student: natively and with tensorflow-model-optimization, with and without the teacher.

    python benchmarks/pruning.py [--short] [--seeds N] [--json FILE]

Fashion-MNIST (`--short`: the 8x8 digits, tiny models, few rows). A teacher is trained, and a student
is distilled for each seed. Every row of the table continues from these students for the same number of
epochs, with a fresh optimizer and the same schedule; "not pruned" is the control that continues training
without pruning. A student "alone" learns from labels only. Accuracy is on the test data, mean and standard
deviation over the seeds. Bytes, gzip and latency are of the float32 `.tflite` file of the first seed;
"sparse" is the file from `export(sparse=True)`.

Steps: every model trains in `fit` on the same batch over and over; laps alternate in one process, in a
different order each round, and a ratio compares two laps of the same round. A lap has two mask updates.
Shown are medians [quartiles] of CPU time.
"""

import argparse
import functools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import keras_kd as kd

TEMPERATURE, ALPHA, RATE = 4.0, 0.1, 1e-3
NATIVE, TFMOT, NONE = "keras_kd", "tfmot", "not pruned"


@dataclass(frozen=True)
class Task:
    """What is trained, and for how long."""

    data: kd.datasets.Data
    teacher: keras.Model
    make_student: object
    epochs: tuple[int, int, int]  # of the teacher, of the student, of pruning
    targets: tuple[str, ...]
    frequency: int
    short: bool = False  # the teacher and labels in turn, and for each library another target
    batch: int = 128

    def steps(self, epochs):
        return epochs * -(-len(self.data.arrays["train"].x) // self.batch)


def cross_entropy(library=keras):
    return library.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model, rate=RATE, library=keras, **options):
    model.compile(library.optimizers.Adam(rate), loss=cross_entropy(library), **options)
    return model


def fit(model, task, epochs, seed, *callbacks):
    train = task.data.arrays["train"]
    rows = tf.data.Dataset.from_tensor_slices((train.x, train.y.astype("int64")))
    shuffled = rows.shuffle(len(train.x), seed=seed).batch(task.batch)
    model.fit(shuffled, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks))
    return model


def accuracy(model, task):
    test = task.data.arrays["test"]
    return 100 * float((model.predict(test.x, batch_size=512, verbose=0).argmax(-1) == test.y).mean())


def tiny(width):
    """A model of digits that learns little and compiles fast."""
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(width, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = keras.layers.ReLU(name="stage1")(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu", name="stage2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(10, name="logits")(x))


def tasks(short):
    data = kd.datasets.digits() if short else kd.datasets.fashion_mnist()
    models = kd.models
    if short:
        return Task(data, tiny(16), lambda: tiny(8), (1, 1, 1), ("80 %", "2:4"), 5, short=True)
    targets = "50 %", "80 %", "90 %", "2:4"
    return Task(data, models.fashion_teacher(), models.fashion_student, (6, 8, 3), targets, 50)


def with_decay(task, epochs, rate=4e-3):
    return keras.optimizers.schedules.CosineDecay(rate, task.steps(epochs))


def distilled(task, seed):
    keras.utils.set_random_seed(seed)
    student = task.make_student()
    distiller = kd.Distiller(student, task.teacher, temperature=TEMPERATURE, alpha=ALPHA)
    fit(compiled(distiller, with_decay(task, task.epochs[1])), task, task.epochs[1], seed)
    return student


def copied(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


# ---- two libraries, one schedule


def first_convolution(model):
    return next(layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D))


def natively(student, target, teacher, task, seed):
    """The student, pruned by keras_kd."""
    student, end = copied(student), 3 * task.steps(task.epochs[2]) // 4
    if target == "2:4":  # the first convolution has one input, which makes no group of four
        prune = [kd.Prune(pattern=target, skip=[first_convolution(student)])]
    elif target == NONE:
        prune = []
    else:
        prune = [kd.Prune(share(target), end=end, frequency=task.frequency)]
    keras.utils.set_random_seed(seed)
    model = (
        student if teacher is None else kd.Distiller(student, teacher, temperature=TEMPERATURE, alpha=ALPHA)
    )
    fit(compiled(model), task, task.epochs[2], seed, *prune)
    return student


def by_tfmot(student, target, teacher, task, seed):
    """The student, pruned by tensorflow-model-optimization behind the bridge, and brought back."""
    import tf_keras

    sparsity, end = kd.tfmot.import_tfmot().sparsity.keras, 3 * task.steps(task.epochs[2]) // 4
    if target == "2:4":  # it pads groups that are too short, so the first convolution stays as it is
        options = {"pruning_schedule": sparsity.ConstantSparsity(0.5, 0), "sparsity_m_by_n": (2, 4)}
    else:
        options = {
            "pruning_schedule": sparsity.PolynomialDecay(0.0, share(target), 0, end, 3, task.frequency)
        }
    wrapped = kd.tfmot.prune_low_magnitude(kd.tfmot.to_tf_keras(student), **options)
    keras.utils.set_random_seed(seed)
    model = wrapped
    if teacher is not None:
        model = kd.tfmot.Distiller(wrapped, teacher, temperature=TEMPERATURE, alpha=ALPHA)
    fit(compiled(model, library=tf_keras), task, task.epochs[2], seed, sparsity.UpdatePruningStep())
    return kd.tfmot.from_tf_keras(kd.tfmot.strip_pruning(wrapped))


def share(target):
    return int(target.removesuffix(" %")) / 100


def rows(task, seeds, console):
    """One row for each target, library, and with or without the teacher; accuracies of all seeds."""
    students = [distilled(task, seed) for seed in range(seeds)]
    yield {"pruned": "before", "by": "", "learns from": "teacher"}, students
    kinds = [(NONE, NONE, natively)]
    kinds += [
        (target, name, prune)
        for target in task.targets
        for name, prune in ((NATIVE, natively), (TFMOT, by_tfmot))
    ]
    kinds = kinds[:2] + kinds[4:] if task.short else kinds
    learners = ((task.teacher, "teacher"), (None, "labels alone"))
    for i, (target, name, prune) in enumerate(kinds):
        for teacher, learns in learners[i % 2 :: 2] if task.short else learners:
            console.print(f"{target}, {name}, {learns} ...")
            made = [prune(student, target, teacher, task, seed) for seed, student in enumerate(students)]
            yield {"pruned": target, "by": name, "learns from": learns}, made


def files(model, task, folder):
    """Bytes and latency of a model's float32 file, and the bytes of the sparse one."""
    plain = kd.export(model, folder / "plain.tflite", overwrite=True)
    sparse = kd.export(model, folder / "sparse.tflite", overwrite=True, sparse=True)
    latency = kd.benchmark(plain.path).median_ms
    return {"bytes": plain.bytes, "gzip": plain.gzip_bytes, "sparse": sparse.bytes, "ms": latency}


def accuracies(task, seeds, console):
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row, models in rows(task, seeds, console):
            row["zeros %"] = 100 * statistics.mean(kd.sparsity(model).fraction for model in models)
            row["accuracy"] = [accuracy(model, task) for model in models]
            found.append(row | files(models[0], task, Path(folder)))
    return found


# ---- steps


class Lap(keras.callbacks.Callback):
    """Milliseconds of processor time a step, between the starts of two steps of one `fit`."""

    def __init__(self, steps, uncounted=2):
        super().__init__()
        self.at, self.steps, self.marks = (uncounted, uncounted + steps), steps, []

    def on_train_batch_begin(self, batch, logs=None):
        if batch in self.at:
            self.marks.append(time.process_time())

    def milliseconds(self):
        return 1000 * (self.marks[1] - self.marks[0]) / self.steps


def dense(shape, width=64 if "--short" in sys.argv else 1024):
    """The worst case: few products for each weight."""
    layers = keras.layers
    hidden = [layers.Dense(width, "relu") for _ in range(3)]
    return keras.Sequential([keras.Input(shape), layers.Flatten(), *hidden, layers.Dense(10)])


def lap(model, data, steps, prune):
    timer = Lap(steps)
    callbacks = [timer] if prune is None else [timer, prune()]
    model.fit(data, steps_per_epoch=steps + 4, verbose=0, shuffle=False, callbacks=callbacks)
    return timer.milliseconds()


def step_ratios(task, short):
    """Time of a step with pruning over the same step without, `{what: ratios}`."""
    train, steps = task.data.arrays["train"], 10 if short else 2 * task.frequency
    data = tf.data.Dataset.from_tensors((train.x[: task.batch], train.y[: task.batch])).repeat()
    prune = functools.partial(kd.Prune, 0.8, schedule="constant", frequency=steps // 2)
    pairs = {
        "plain fit": lambda: compiled(task.make_student()),
        "Distiller": lambda: compiled(kd.Distiller(task.make_student(), task.teacher)),
        "plain fit, wide dense layers": lambda: compiled(dense(data.element_spec[0].shape[1:])),
    }
    found = {}
    for name in ["Distiller"] if short else pairs:
        make = pairs[name]
        models = {"pruned": (make(), prune), "plain": (make(), None)}
        times = {kind: [] for kind in models}
        for turn in range(2 if short else 16):
            for kind in sorted(models, reverse=bool(turn % 2)):
                model, pruning = models[kind]
                times[kind].append(lap(model, data, steps, pruning))
        found[f"{name}: pruned / not pruned"] = np.array(times["pruned"][1:]) / np.array(times["plain"][1:])
    return found


# ---- what is said


def spread(values):
    deviation = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def shown(found):
    table = Table("pruned", "by", "learns from", "zeros %", "accuracy %", "bytes", "gzip", "sparse", "ms")
    for row in found:
        names = [row[key] for key in ("pruned", "by", "learns from")]
        sizes = [f"{row[key]:,}" for key in ("bytes", "gzip", "sparse")]
        table.add_row(*names, f"{row['zeros %']:.1f}", spread(row["accuracy"]), *sizes, f"{row['ms']:.4f}")
    return table


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="digits, few epochs, to see that it runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", action="store_true", help="only the cost of a step")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console, seeds = Console(width=130), 1 if arguments.short else arguments.seeds
    task = tasks(arguments.short)
    ratios = step_ratios(task, arguments.short)
    for name, values in ratios.items():
        low, median, high = np.percentile(values, [25, 50, 75])
        console.print(f"{name}: {median:.3f} [{low:.3f}, {high:.3f}] (processor time of a step)")
    if arguments.steps:
        return
    keras.utils.set_random_seed(0)
    fit(compiled(task.teacher, with_decay(task, task.epochs[0])), task, task.epochs[0], 0)
    console.print(f"teacher: {accuracy(task.teacher, task):.2f} %")
    found = accuracies(task, seeds, console)
    console.print(shown(found))
    if arguments.json:
        steps = {name: values.tolist() for name, values in ratios.items()}
        arguments.json.write_text(json.dumps({"rows": found, "steps": steps}, indent=1) + "\n")


if __name__ == "__main__":
    main()

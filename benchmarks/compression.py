"""A trained network made smaller in every way of the package, and what brings its accuracy back.

    python benchmarks/compression.py [--short] [--data digits|fashion_mnist] [--seeds 3] [--out FOLDER]

The teacher is the one of `kd.models`, trained, with its BatchNorm statistics recalibrated, so that no way to
make it smaller is credited with what recalibration alone gives. Each way is measured before recovery, after
`kd.recalibrate`, after training on the labels, after distilling from the teacher for the same steps, and as
the same architecture trained from scratch. The hand-written student of `kd.models` stands beside. Accuracy is
that on test data after the last epoch, mean and standard error over seeds; time is that of the float32 file,
one thread, batch size 1, divided by the teacher's, the files timed by turns.

Every row is kept in FOLDER as soon as it is measured; the same command goes on where it stopped. The chart of
accuracy against time is FOLDER/chart.svg.
"""

import argparse
import gzip
import json
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

if __name__ != "__main__":
    # Beside this file, other scripts would take it for the package of Python 3.14 that JAX looks for.
    raise ImportError("benchmarks/compression.py is a script.")

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

import keras_kd as kd

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
STAGES = ("before", "recalibrated", "labels", "distilled", "scratch")


class Set(NamedTuple):
    """A data set, the models that belong to it, and how long they are trained."""

    data: object
    teacher: object
    student: object
    teacher_epochs: int
    epochs: int


def open_set(name, short):
    if name == "fashion_mnist":
        return Set(kd.datasets.fashion_mnist(), kd.models.fashion_teacher, kd.models.fashion_student, 10, 5)
    epochs = (2, 1) if short else (30, 20)
    return Set(kd.datasets.digits(), kd.models.digits_teacher, kd.models.digits_student, *epochs)


def shrunk(share):
    return lambda teacher, x: kd.shrink(teacher, share, budget="macs")


def both(share, rank):
    return lambda teacher, x: kd.factorize(kd.shrink(teacher, share, budget="macs"), rank)


# What makes a smaller model of the teacher, given inputs, and the callbacks of its training.
WAYS = {
    "shrunk to 73 %": (shrunk(0.73), lambda: []),
    "shrunk to 50 %": (shrunk(0.5), lambda: []),
    "shrunk to 25 %": (shrunk(0.25), lambda: []),
    "shrunk to 12 %": (shrunk(0.12), lambda: []),
    "factorized, rank 0.5": (lambda t, x: kd.factorize(t, 0.5), lambda: []),
    "factorized, rank 0.25": (lambda t, x: kd.factorize(t, 0.25), lambda: []),
    "compacted": (lambda t, x: kd.compact(t), lambda: []),
    "clustered to 16": (lambda t, x: copied(t), lambda: [kd.Cluster(16)]),
    "shrunk to 50 %, factorized": (both(0.5, 0.5), lambda: []),
    "shrunk to 25 %, clustered": (shrunk(0.25), lambda: [kd.Cluster(16)]),
}
SHORT = ["shrunk to 50 %"]


def copied(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="digits, one seed, few rows and epochs")
    parser.add_argument("--data", choices=("digits", "fashion_mnist"), default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: a temporary folder")
    given = parser.parse_args()
    seeds = 1 if given.short else given.seeds
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            row for seed in range(seeds) for row in Benchmark(given.data, seed, folder, given.short).rows()
        ]
        print_rows(rows, given.data)
        (folder / "chart.svg").write_text(chart(rows), encoding="utf-8")


class Benchmark:
    """All rows of one seed."""

    def __init__(self, name, seed, folder, short):
        self.set, self.seed, self.folder, self.short = open_set(name, short), seed, folder, short
        self.prefix = f"{name}{'-short' if short else ''}-{seed}"
        arrays = self.set.data.arrays
        self.train, self.test = arrays["train"][:2], arrays["test"][:2]

    def rows(self):
        teacher = self.teacher()
        logits = teacher.predict(self.train[0], batch_size=256, verbose=0)
        yield self.row("teacher", lambda: self.of_teacher(teacher))
        yield self.row("kd.models student", lambda: self.of_student(teacher, logits))
        for way in SHORT if self.short else WAYS:
            yield self.row(way, lambda way=way: self.of_way(way, teacher, logits))

    def row(self, way, measure):
        path = self.folder / f"{self.prefix}-{way.replace(' ', '_').replace('%', 'percent')}.json"
        if path.exists():
            return json.loads(path.read_text())
        started = time.perf_counter()
        keras.utils.set_random_seed(self.seed)
        found = {"way": way, "seed": self.seed, **measure()}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(path)
        print(f"{self.prefix} {way}: {time.perf_counter() - started:.0f} s", flush=True)
        return found

    def teacher(self):
        path = self.folder / f"{self.prefix}-teacher.keras"
        if not path.exists():
            keras.utils.set_random_seed(self.seed)
            model = self.set.teacher()
            self.fit(model, model, self.train[1], self.set.teacher_epochs, [])
            kd.recalibrate(model, self.train[0]).save(path)
        return keras.models.load_model(path)

    def of_teacher(self, teacher):
        return {**self.costs(teacher, teacher), "before": self.accuracy(teacher)}

    def of_student(self, teacher, logits):
        weights = (student := self.set.student()).get_weights()
        found = self.costs(student, teacher)
        for stage in ("scratch", "distilled"):
            student.set_weights(weights)
            found[stage] = self.trained(student, stage == "distilled", logits, [])
        return found

    def of_way(self, way, teacher, logits):
        make, callbacks = WAYS[way]
        small = make(teacher, self.train[0])
        found = {"before": self.accuracy(small)}
        found["recalibrated"] = self.accuracy(kd.recalibrate(small, self.train[0]))
        for stage in ("labels", "distilled", "scratch"):
            student = kd.recalibrate(small, self.train[0])
            if stage == "scratch":
                if "clustered" in way:
                    continue  # the architecture alone says nothing of clusters
                student = keras.models.clone_model(small)
            found[stage] = self.trained(student, stage == "distilled", logits, callbacks())
            if stage == "distilled":
                found |= self.costs(student, teacher)
        return found

    def trained(self, student, distilled, logits, callbacks):
        keras.utils.set_random_seed(self.seed)
        labels = self.train[1]
        if not distilled:
            self.fit(student, student, labels, self.set.epochs, callbacks)
        else:
            distiller = kd.Distiller(student, temperature=4.0, alpha=0.1)
            self.fit(distiller, student, labels, self.set.epochs, callbacks, logits)
        return self.accuracy(student)

    def fit(self, model, student, labels, epochs, callbacks, logits=None):
        x = self.train[0] if logits is None else kd.Taught(self.train[0], {"output": logits})
        data = tf.data.Dataset.from_tensor_slices((x, labels)).shuffle(len(labels), self.seed).batch(64)
        steps = epochs * math.ceil(len(labels) / 64)
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        model.compile(keras.optimizers.Adam(rate), loss=CE)
        model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks)

    def accuracy(self, model):
        x, labels = self.test
        return float((model.predict(x, batch_size=256, verbose=0).argmax(-1) == labels).mean())

    def costs(self, model, teacher):
        cost = kd.cost(model)
        with tempfile.TemporaryDirectory() as temporary:
            paths = [Path(temporary, f"{name}.tflite") for name in ("teacher", "small")]
            for each, path in zip((teacher, model), paths, strict=True):
                kd.export(each, path)
            content = paths[1].read_bytes()
            ratio = time_ratio(*map(kd.LiteModel, paths), self.test[0][:1])
        sizes = {"bytes": len(content), "gzip": len(gzip.compress(content, mtime=0))}
        return {"parameters": cost.parameters, "macs": cost.macs, **sizes, "time": ratio}


def time_ratio(teacher, small, x, seconds=2.0):
    """The time of one file, divided by that of the other: the median over turns."""
    ratios, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        taken = []
        for file in (teacher, small):
            started = time.perf_counter()
            for _ in range(5):
                file.predict(x)
            taken.append(time.perf_counter() - started)
        ratios.append(taken[1] / taken[0])
    return statistics.median(ratios)


def print_rows(rows, data):
    titles = ("model", *STAGES, "parameters", "multiply-adds", "KiB", "gzip KiB", "time / teacher")
    table = Table(*titles, title=f"{data}: test accuracy in %, mean ± standard error over seeds")
    for way in dict.fromkeys(row["way"] for row in rows):
        same = [row for row in rows if row["way"] == way]
        shown = [percent([row[stage] for row in same if stage in row]) for stage in STAGES]
        first = same[0]
        sizes = [f"{first['parameters']:,}", f"{first['macs']:,}"]
        sizes += [f"{first[key] / 1024:,.1f}" for key in ("bytes", "gzip")]
        table.add_row(way, *shown, *sizes, f"{statistics.median(row['time'] for row in same):.3f}")
    Console(width=190).print(table)


def percent(values):
    if not values:
        return "-"
    spread = f" ± {100 * statistics.stdev(values) / len(values) ** 0.5:.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{spread}"


def chart(rows):
    """Accuracy after distilling against time, as SVG; the teacher and the hand-written student beside."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    marks = {"scratch": "x", "labels": "s", "distilled": "o", "before": "*"}
    colors = plt.get_cmap("tab20").colors
    for number, way in enumerate(dict.fromkeys(row["way"] for row in rows)):
        same = [row for row in rows if row["way"] == way]
        at = statistics.median(row["time"] for row in same)
        stages = [s for s in ("scratch", "labels", "distilled") if s in same[0]] or ["before"]
        for stage in stages:
            value = 100 * np.mean([row[stage] for row in same])
            axes.plot(
                at, value, marks[stage], color=colors[number % 20], label=way if stage == stages[-1] else None
            )
    axes.set_xscale("log")
    axes.set_xlabel("time of the float32 file, divided by the teacher's")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title("o distilled   s labels alone   x from scratch   * teacher", fontsize=9)
    axes.legend(fontsize=7, loc="lower right")
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


if __name__ == "__main__":
    main()

"""Clustering a trained student: with `kd.Cluster`, and with tensorflow-model-optimization behind the bridge.

    python benchmarks/clustering.py [--short] [--data digits|fashion_mnist] [--only steps|rows] [--seeds N]
        [--out FOLDER] [--json FILE]

A student is trained for each seed. Every row continues from these students for the same number of epochs,
with a fresh optimizer. "Not clustered" is the control that continues training without clusters; "before
training" has the clusters of `kd.Cluster`, and is not trained further. Accuracy is on the test data, mean and
standard deviation over the seeds; recalibrated: after `kd.recalibrate`. Distinct values are the most of any
kernel; gzip is of the float32 `.tflite` file of the first seed. With `--out`, every row is kept in FOLDER as
soon as it is measured, and the same command goes on where it stopped.

Steps: every model trains in `fit` on the same batch over and over; laps alternate in one process, in a
different order each round, and a ratio compares two laps of the same round. Shown are medians [quartiles] of
CPU time.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from pruning import Lap, accuracy, compiled, copied, dense, fit, spread, tasks, with_decay
from rich.console import Console
from rich.table import Table

import keras_kd as kd


def task_of(name, short):
    task = tasks(name == "digits")
    if short or name != "digits":
        return task
    return replace(task, make_student=kd.models.digits_student, epochs=(1, 15, 5), batch=64)


def trained(task, seed, path):
    if not path.exists():
        keras.utils.set_random_seed(seed)
        student, epochs = task.make_student(), task.epochs[1]
        fit(compiled(student, with_decay(task, epochs)), task, epochs, seed).save(path)
    return keras.models.load_model(path)


# ---- ways to cluster, of a student, a number of clusters, a task and a seed


def not_clustered(student, _, task, seed):
    return fit(compiled(copied(student)), task, task.epochs[2], seed)


def before_training(student, clusters, task, seed):
    model, batch = copied(student), task.data.arrays["train"].x[:1]
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    model.fit(batch, model(batch), callbacks=[kd.Cluster(clusters)], verbose=0)
    return model


def natively(student, clusters, task, seed, **options):
    keras.utils.set_random_seed(seed)
    return fit(compiled(copied(student)), task, task.epochs[2], seed, kd.Cluster(clusters, **options))


def by_channel(student, clusters, task, seed):
    return natively(student, clusters, task, seed, per="channel")


def reassigned(student, clusters, task, seed):
    return natively(student, clusters, task, seed, reassign=True)


def by_tfmot(student, clusters, task, seed):
    import tf_keras

    wrapped = kd.tfmot.cluster_weights(kd.tfmot.to_tf_keras(student), clusters)
    keras.utils.set_random_seed(seed)
    fit(compiled(wrapped, library=tf_keras), task, task.epochs[2], seed)
    return kd.tfmot.from_tf_keras(kd.tfmot.strip_clustering(wrapped))


WAYS = {"before training": before_training, "kd.Cluster": natively, "kd.Cluster, reassign": reassigned}
WAYS |= {"tfmot": by_tfmot, "kd.Cluster, per channel": by_channel}


def rows(task, seeds, short, folder):
    """What was done with how many clusters, and what came of it."""
    students = [trained(task, seed, folder / f"student-{seed}.keras") for seed in range(seeds)]
    ways = [("", "not clustered", not_clustered)]
    for clusters in (8,) if short else (2, 3, 4, 8, 16):
        some = {name: WAYS[name] for name in ("kd.Cluster", "tfmot")} if short else WAYS
        ways += [(clusters, name, way) for name, way in some.items()]
    for clusters, name, way in ways:
        path = folder / f"{seeds}-{clusters}-{name.replace(' ', '_')}.json"
        if not path.exists():
            made = [way(student, clusters, task, seed) for seed, student in enumerate(students)]
            row = measured({"clusters": clusters, "by": name}, made, task, folder)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(row))
            part.rename(path)
        yield json.loads(path.read_text())


def measured(row, models, task, folder):
    file = kd.export(models[0], folder / "model.tflite", overwrite=True)
    row["accuracy"] = [accuracy(model, task) for model in models]
    x = task.data.arrays["train"].x
    row["recalibrated"] = [accuracy(kd.recalibrate(model, x), task) for model in models]
    row["distinct"] = max(kernel.distinct for kernel in kd.sparsity(models[0]).kernels)
    return row | {"bytes": file.bytes, "gzip": file.gzip_bytes}


# ---- steps


def lap(model, data, steps, callbacks):
    timer = Lap(steps)
    model.fit(data, steps_per_epoch=steps + 4, verbose=0, shuffle=False, callbacks=[timer, *callbacks])
    return timer.milliseconds()


def step_ratios(task, short):
    """Time of a step with clusters over the same step without, `{what: ratios}`."""
    ways = {"clustered": kd.Cluster(16)}
    if not short:
        ways["reassigned"] = kd.Cluster(16, reassign=True)
    train, steps = task.data.arrays["train"], 10 if short else 100
    data = tf.data.Dataset.from_tensors((train.x[: task.batch], train.y[: task.batch])).repeat()
    pairs = {
        "plain fit": lambda: compiled(task.make_student()),
        "Distiller": lambda: compiled(kd.Distiller(task.make_student(), task.teacher)),
        "plain fit, wide dense layers": lambda: compiled(dense(data.element_spec[0].shape[1:])),
    }
    found = {}
    for name in ["Distiller"] if short else pairs:
        make = pairs[name]
        models = {kind: make() for kind in ("plain", *ways)}
        times = {kind: [] for kind in models}
        for turn in range(2 if short else 12):
            for kind in sorted(models, reverse=bool(turn % 2)):
                callbacks = [ways[kind]] if kind in ways else []
                times[kind].append(lap(models[kind], data, steps, callbacks))
        for kind in ways:
            ratios = np.array(times[kind][1:]) / np.array(times["plain"][1:])
            found[f"{name}: {kind} / not clustered"] = ratios
    return found


def shown(found):
    table = Table("clusters", "by", "distinct values", "accuracy %", "recalibrated %", "bytes", "gzip")
    for row in found:
        what = str(row["clusters"]), row["by"], f"{row['distinct']:,}"
        sizes = f"{row['bytes']:,}", f"{row['gzip']:,}"
        table.add_row(*what, spread(row["accuracy"]), spread(row["recalibrated"]), *sizes)
    return table


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--short", action="store_true", help="digits, tiny models, one epoch, to see that it runs"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", choices=("digits", "fashion_mnist"), default="digits")
    parser.add_argument("--out", type=Path, help="keep the rows here; default: a temporary folder")
    parser.add_argument("--only", choices=["steps", "rows"], help="only the cost of a step, or the rest")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    short, console = arguments.short, Console(width=130, file=sys.stdout)
    task = task_of("digits" if short else arguments.data, short)
    ratios = {} if arguments.only == "rows" else step_ratios(task, short)
    for name, values in ratios.items():
        low, median, high = np.percentile(values, [25, 50, 75])
        console.print(f"{name}: {median:.3f} [{low:.3f}, {high:.3f}] (processor time of a step)")
    found = []
    if arguments.only != "steps":
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.out or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            found = list(rows(task, 1 if short else arguments.seeds, short, folder))
        console.print(shown(found))
    if arguments.json:
        steps = {name: values.tolist() for name, values in ratios.items()}
        arguments.json.write_text(json.dumps({"rows": found, "steps": steps}, indent=1) + "\n")


if __name__ == "__main__":
    main()

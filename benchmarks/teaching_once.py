"""What training on stored signals costs, what top-k loses, and how fast shards are read.

    python benchmarks/teaching_once.py [--short] [--json FILE]

Three tables:

1. Epochs of a ResNet-20 on random images: the student alone; on the stored output and features of a
   ResNet-56; on them, dropped from the page cache before, and the bytes that came from the disk;
   with the teacher running. The four alternate, a ratio compares two of one round, and medians are shown, of
   CPU time (which other load affects less) and of time, from the end of the first step.
   The data alone, without a student: CPU time of a batch of 64 images, with and without their signals.
2. What is lost if only the k largest classes of the digits' teacher are stored: the divergence of the stored
   distribution from the teacher's, and half the sum of differences of probabilities; `cut` is that sum if
   the teacher is normalized over its k classes instead, as a sparse loss would have it.
3. Random batches of 64 from 20,000 samples of 1,000 classes: from shards, and from ArrayRecord, all records
   of a batch at once and one by one.
"""

import argparse
import functools
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from rich.console import Console
from rich.table import Table
from step import mlp, resnet

import keras_kd as kd
from keras_kd.teachers.taught.shards import unmap
from keras_kd.teachers.taught.store import Store

PLAIN, STORED, COLD, RUNNING = "student alone", "stored signals", "stored, cold", "teacher running"


class Answers:
    """A teacher that knows its answers."""

    def __init__(self, **signals):
        self.signals = signals

    def answer(self, ids):
        return {tap: values[ids[:, 0]] for tap, values in self.signals.items()}


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss=loss)
    return model


def drop_from_page_cache(folder):
    unmap()  # pages that are mapped stay
    for path in folder.glob("*.npy"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def bytes_read():
    """From disks, by this process."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])


class Lap(keras.callbacks.Callback):
    """CPU time and time from the end of the first step to the end of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        now = time.process_time(), time.perf_counter()
        if batch == 0:
            self.start, self.steps = now, 0
        else:
            self.end, self.steps = now, self.steps + 1

    def per_step(self):
        return [(end - start) / self.steps for start, end in zip(self.start, self.end, strict=True)]


def epoch(model, make_data):
    lap, read = Lap(), bytes_read()
    model.fit(make_data(), callbacks=[lap], verbose=0)
    return *lap.per_step(), bytes_read() - read


def epochs_in_turn(models, rounds, make):
    """Of each model: CPU time and time of a step, both beside the first model's, and bytes from disk.

    The models take turns, ratios are of one round, and medians are returned.
    """
    laps = {name: [] for name in models}
    for i in range(rounds + 1):
        for name in sorted(models, key=lambda name: hash((i, name))):
            laps[name].append(epoch(models[name], functools.partial(make, name)))
    base, rows = next(iter(laps.values())), []
    for name, own in laps.items():
        pairs = list(zip(own[1:], base[1:], strict=True))  # the first compiles
        ratios = [statistics.median(lap[i] / other[i] for lap, other in pairs) for i in (0, 1)]
        cpu, wall, read = (statistics.median(lap[i] for lap, _ in pairs) for i in range(3))
        rows.append([name, 1e3 * cpu, 1e3 * wall, *ratios, read])
    return rows


def training(folder, short):
    student, samples, rounds = (lambda: mlp(1), 192, 1) if short else (lambda: resnet(20, 32), 2048, 5)
    teacher = mlp(2) if short else resnet(56, 32)
    x = np.random.default_rng(0).random((samples, *teacher.input.shape[1:]), "float32")
    y = np.random.default_rng(1).integers(0, 10, samples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(samples).batch(64)
    kd.precompute(teacher, data, folder, signals=["output", "stage3"], verbose=False)
    models = {PLAIN: compiled(student())}
    models |= {name: compiled(kd.Distiller(student())) for name in (STORED, COLD)}
    models[RUNNING] = compiled(kd.Distiller(student(), teacher))

    def make(name):
        if name == COLD:
            drop_from_page_cache(folder)
        return kd.load_taught(folder, data, verify=False) if name in (STORED, COLD) else data

    return epochs_in_turn(models, rounds, make)


def pipeline(folder, short):
    samples, rounds = (128, 2) if short else (2048, 9)
    random = np.random.default_rng(0)
    signals = {
        "output": random.normal(size=(samples, 10)).astype("float16"),
        "stage3": random.normal(size=(samples, 8, 8, 64)).astype("float16"),
    }
    x = {"image": random.random((samples, 32, 32, 3), "float32"), "id": np.arange(samples)[:, None]}
    options = {"signals": list(signals), "teacher_preprocess": lambda x: x["id"], "verbose": False}
    kd.precompute(Answers(**signals), x, folder, **options)
    data = tf.data.Dataset.from_tensor_slices(x).cache().shuffle(samples).batch(64)
    ways = {
        "data": data,
        "with stored signals": kd.load_taught(folder, data),
        "with stored output alone": kd.load_taught(folder, data, signals=["output"]),
    }
    laps = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            for _ in way:
                pass
            laps[name].append(1e3 * (time.process_time() - start) / len(data))
    return [[name, statistics.median(own[1:])] for name, own in laps.items()]


def softened(logits, temperature):
    return tf.nn.softmax(tf.cast(logits, "float64") / temperature).numpy()


def largest(folder, short):
    keras.utils.set_random_seed(0)
    data = kd.datasets.digits()
    teacher = compiled(kd.models.digits_teacher())
    teacher.fit(data.train, epochs=1 if short else 20, verbose=0)
    x = data.arrays["test"].x
    dense = teacher.predict(x, verbose=0)
    rows = []
    for k in (1, 2, 3, 5, 10):
        path = folder / str(k)
        taught = kd.precompute(teacher, x, path, top_k=k, dtype="float32", shuffle=False, verbose=False)
        found = np.concatenate([batch.signals["output"] for (batch,) in taught])
        cut = np.where(dense >= np.sort(dense, -1)[:, -k, None], dense, -np.inf)
        row = [k, Store(path).manifest.signals[0].item.itemsize]
        for temperature in (1, 4):
            p, q, r = (softened(logits, temperature) for logits in (dense, found, cut))
            divergence = (p * (np.log(p) - np.log(q))).sum(-1).mean()
            row += [divergence, *(abs(p - other).sum(-1).mean() / 2 for other in (q, r))]
        rows.append(row)
    return rows


def reading(folder, short):
    samples, classes, batches = (256, 10, 4) if short else (20_000, 1000, 100)
    logits = np.random.default_rng(0).normal(0, 3, (samples, classes)).astype("float16")
    ids = np.arange(samples)[:, None]
    kd.precompute(Answers(output=logits), ids, folder / "shards", key="index", batch_size=256, verbose=False)
    store, path = Store(folder / "shards"), str(folder / "records")
    writer = ArrayRecordWriter(path, "group_size:1,uncompressed")
    for row in logits:
        writer.write(row.tobytes())
    writer.close()
    reader = ArrayRecordReader(path)
    chosen = np.random.default_rng(1).integers(0, samples, (batches, 64))

    def from_records(records):
        return np.stack([np.frombuffer(record, "float16") for record in records]).astype("float32")

    ways = {
        "shards": lambda at: store.read("output", store.find(at.astype(np.uint64)), 0),
        "ArrayRecord, a batch at once": lambda at: from_records(reader.read(at.tolist())),
        "ArrayRecord, one by one": lambda at: from_records([reader.read([i])[0] for i in at.tolist()]),
    }
    rows = []
    for name, read in ways.items():
        for at in chosen[:2]:
            np.testing.assert_array_equal(read(at), logits[at].astype("float32"))
        start = time.perf_counter()
        for at in chosen:
            read(at)
        rows.append([name, chosen.size / (time.perf_counter() - start)])
    return rows


def show(title, columns, rows):
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == "" else "right")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:,.4g}" for value in row))
    Console(width=110).print(table)


def run(about, tables):
    """Measure, and show, each of `{name: (function, title, columns)}`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="tiny models, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for name, (measured, title, columns) in tables.items():
            place = Path(folder) / name
            place.mkdir()
            found[name] = measured(place, arguments.short)
            show(title, columns, found[name])
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


STEP = ["", "CPU ms/step", "ms/step", "CPU / alone", "time / alone"]
LOST = ["k", "bytes", "KL, T=1", "difference", "cut", "KL, T=4", "difference", "cut"]
TABLES = {
    "training": (training, "an epoch of the student", [*STEP, "bytes from disk"]),
    "pipeline": (pipeline, "a batch of its data, without a student", ["", "CPU ms"]),
    "largest": (largest, "the k largest classes of the digits' teacher", LOST),
    "reading": (reading, "random batches of 64", ["", "samples/s"]),
}


if __name__ == "__main__":
    run(__doc__, TABLES)

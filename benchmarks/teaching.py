"""What labelling costs by each engine, what storing takes, and what an epoch costs beside other ways.

    python benchmarks/teaching.py [--short] [--json FILE]

Three tables:

1. Labelling random images with a ResNet-56: samples a second of each engine by itself, and of the whole of
   labelling with it, which reads, makes digests and writes shards. Engines take turns; shown are medians over
   rounds, and `labelling / fastest` compares with the fastest engine by itself in the same round. `auto` is
   what `engine="auto"` took on the first batches. Time, not CPU time: engines use several cores as they can.
2. Bytes of a sample for each way to store the outputs of the digits' teacher, the files as they are on
   disk without the manifest, and the divergence of what comes back from what the teacher said.
3. Epochs of a ResNet-20: alone; on the stored outputs of the ResNet-56; with the teacher running, by
   keras_kd and by keras.distillation. CPU time and time of a step, from the end of the first one, and their
   ratios to the student alone; medians of rounds in which all take turns.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from step import compiled, mlp, ours, resnet, theirs
from teaching_once import STEP, epochs_in_turn, run, softened

import keras_kd as kd
from keras_kd.teachers.taught.answering import ModelAnswer
from keras_kd.teachers.taught.description import describe_signals
from keras_kd.teachers.taught.engines.engine import EXPORTED, TENSORFLOW, Engine, measure
from keras_kd.teachers.taught.engines.exported import CannotServe
from keras_kd.teachers.taught.labelling import Bar, Labelled, label
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.viewed import Views
from keras_kd.teachers.taught.writer import ShardWriter

BATCH = 64


def exported(answer, x):
    """What answers, by engine; `auto` is one of the others."""
    found = {TENSORFLOW: answer}
    for name, export in EXPORTED.items():
        try:
            found[name] = export(answer, x)
        except CannotServe as error:
            print(f"{name}: {error}")
    chosen = Engine("auto", answer)
    for _ in range(3):
        chosen(x)
    print(f'engine="auto": {json.dumps(chosen.record, indent=1)}')
    return found | {"auto": chosen}


def labelling(folder, views_of, answer, stored):
    """Samples a second of labelling all data."""
    none = np.zeros(0, np.uint64)
    labelled = Labelled(none, none)
    start = time.perf_counter()
    writer = ShardWriter(Ledger(folder), stored, 1)
    label(views_of.batches(), answer, writer, labelled, Bar(None, False))
    return len(labelled) / (time.perf_counter() - start)


def engines(folder, short):
    teacher, samples, rounds = (mlp(2), 256, 2) if short else (resnet(56, 32), 4096, 3)
    x = np.random.default_rng(0).random((samples, *teacher.input.shape[1:]), "float32")
    views_of = Views(tf.data.Dataset.from_tensor_slices(x).batch(BATCH), None, None, 1, 0)
    answer = ModelAnswer(teacher, ["output"], views_of.spec, None)
    stored = describe_signals(answer, ["output"], x[:BATCH], [False], "float16", None)
    found = exported(answer, x[:BATCH])
    batches = [x[start : start + BATCH] for start in range(0, samples, BATCH)]
    alone, whole = {name: [] for name in found}, {name: [] for name in found}
    for _ in range(rounds):
        for name, each in found.items():
            alone[name].append(measure({name: each}, batches, rounds=1)[name])
            with tempfile.TemporaryDirectory(dir=folder.parent) as shards:
                whole[name].append(labelling(Path(shards), views_of, each, stored))
    # `auto` is one of the engines; timed a second time it would only add noise to the largest.
    named = [rates for name, rates in alone.items() if name != "auto"]
    fastest = [max(rates) for rates in zip(*named, strict=True)]
    rows = []
    for name in found:
        ratios = [rate / best for rate, best in zip(whole[name], fastest, strict=True)]
        rows.append([name, *map(statistics.median, (alone[name], whole[name], ratios))])
    return rows


def storing(folder, short):
    keras.utils.set_random_seed(0)
    data = kd.datasets.digits()
    teacher = compiled(kd.models.digits_teacher())
    teacher.fit(data.train, epochs=1 if short else 20, verbose=0)
    x = data.arrays["test"].x
    p = softened(teacher.predict(x, verbose=0), 1)
    rows = []
    for dtype in ("float32", "float16"):
        for top_k in (None, 5, 2):
            path = folder / f"{dtype}-{top_k}"
            options = {"top_k": top_k, "dtype": dtype, "shuffle": False, "verbose": False}
            taught = kd.precompute(teacher, x, path, **options)
            q = softened(np.concatenate([batch.signals["output"] for (batch,) in taught]), 1)
            size = sum(file.stat().st_size for file in path.glob("*.npy")) / len(x)
            name = f"{dtype}, {'all classes' if top_k is None else f'top {top_k}'}"
            rows.append([name, size, (p * (np.log(p) - np.log(q))).sum(-1).mean()])
    return rows


def epochs(folder, short):
    teacher, make_student = (mlp(2), lambda: mlp(1)) if short else (resnet(56, 32), lambda: resnet(20, 32))
    samples, rounds = (192, 1) if short else (640, 5)
    x = np.random.default_rng(0).random((samples, *teacher.input.shape[1:]), "float32")
    y = np.random.default_rng(1).integers(0, 10, samples)
    data = tf.data.Dataset.from_tensor_slices((x, y)).cache().shuffle(samples).batch(BATCH)
    kd.precompute(teacher, data, folder, verbose=False)
    models = {
        "student alone": compiled(make_student()),
        "stored outputs": compiled(kd.Distiller(make_student())),
        "teacher running, keras_kd": ours(make_student(), teacher),
        "teacher running, keras.distillation": theirs(make_student(), teacher),
    }

    def make(name):
        return kd.load_taught(folder, data, verify=False) if name == "stored outputs" else data

    return [row[:-1] for row in epochs_in_turn(models, rounds, make)]


RATES = ["engine", "alone, samples/s", "labelling, samples/s", "labelling / fastest"]
BYTES = ["outputs of the digits' teacher", "bytes a sample", "KL from the teacher"]
TABLES = {
    "labelling": (engines, "labelling", RATES),
    "storing": (storing, "storing", BYTES),
    "an epoch": (epochs, "an epoch", STEP),
}


if __name__ == "__main__":
    run(__doc__, TABLES)

"""Three teachers that were trained differently, as an ensemble, distilled into one student.

    python benchmarks/ensembles.py [--data digits|fashion_mnist] [--seeds 5] [--out FOLDER] [--short]
                                   [--temperatures 1 4]

The teachers are a residual network that saw shifted images, a plain one that saw turned and zoomed ones, and
one of dense layers that saw noise. The student, from the same weights, with the same seed and for the same
steps, learns from the labels alone, from each teacher, and from ensembles of all, by the mean of
probabilities, that of logits, and that of probabilities with weights by entropy. It sees the images and moved
copies of them, always the same, for which each teacher answered once. The best single teacher of a seed is
the one with the best accuracy on validation data, of equal ones that with the least loss there; the
temperature of each way is the one whose students are best on validation data, in the mean over seeds.
Accuracy is that on test data after the last epoch, mean and standard error over seeds, and differences are
taken seed by seed.

Each training is kept in FOLDER as soon as it is done; the same command goes on where it stopped.
"""

import argparse
import functools
import json
import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import keras_kd as kd

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TEACHERS = ("residual, shifted", "plain, turned", "dense, noisy")
MOVES = {
    TEACHERS[0]: lambda: [layers.RandomTranslation(0.1, 0.1, fill_mode="constant")],
    TEACHERS[1]: lambda: [layers.RandomRotation(0.03), layers.RandomZoom(0.1)],
    TEACHERS[2]: lambda: [layers.GaussianNoise(0.2)],
}
ENSEMBLES = {
    "ensemble, probabilities": {},
    "ensemble, logits": {"average": "logits"},
    "ensemble, entropy": {"weights": "entropy"},
}
ALONE, BEST, MEAN = "none", "best single teacher", "mean of the single teachers"
BATCH = 64


class Set(NamedTuple):
    """A data set, the student and the residual teacher for it, and how long they are trained.

    The student sees each image and so many moved copies of it in an epoch.
    """

    data: kd.datasets.Data
    student: object
    residual: object
    width: int
    strides: tuple
    teacher_epochs: int
    copies: int
    epochs: int


def open_set(given):
    if given.data == "digits" or given.short:
        data, student, residual = kd.datasets.digits(), kd.models.digits_student, kd.models.digits_teacher
        if given.short:  # compiling takes most of the time, of the teacher several times as long
            return Set(data, student, kd.models.digits_student, 8, (1, 2, 2), 1, 0, 1)
        return Set(data, student, residual, 32, (1, 2, 2), 30, 7, 8)
    data, models = kd.datasets.fashion_mnist(), kd.models
    return Set(data, models.fashion_student, models.fashion_teacher, 32, (2, 2, 2), 15, 1, 5)


def make_teacher(name, chosen):
    """An untrained teacher."""
    shape, width = chosen.data.input_shape, chosen.width
    if name == TEACHERS[0]:
        return chosen.residual()
    if name == TEACHERS[1]:
        return kd.models.plain("plain", shape, [width, 2 * width, 3 * width], chosen.strides)
    dense = [keras.Input(shape), layers.Flatten()]
    for _ in range(2):
        dense += [layers.Dense(8 * width, activation="relu"), layers.Dropout(0.3)]
    return keras.Sequential([*dense, layers.Dense(10)], name="dense")


class Seed:
    """All trainings of one seed."""

    def __init__(self, chosen, seed, folder):
        self.set, self.seed, self.folder = chosen, seed, folder
        self.images = functools.cache(self._images)
        self.logits = functools.cache(self._logits)
        self.teacher = functools.cache(self._teacher)

    def run(self, names, temperatures):
        """Train all of this seed, so that the images of one seed at a time are in memory."""
        self.of_student(ALONE, 0)
        for name in names:
            self.of_teacher(name)
            for temperature in temperatures:
                self.of_student(name, temperature)
        self.images.cache_clear()

    def kept(self, name, measure):
        """What is measured, or was by an earlier call."""
        path = self.folder / f"{name.replace(', ', '_').replace(' ', '_')}_{self.seed}.json"
        if path.exists():
            return json.loads(path.read_text())
        started = time.perf_counter()
        found = measure()
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(found))
        part.rename(path)
        print(f"seed {self.seed}, {name}: {time.perf_counter() - started:.0f} s", flush=True)
        return found

    def _teacher(self, name):
        path = self.folder / f"{name.replace(', ', '_')}_{self.seed}.keras"
        if not path.exists():
            keras.utils.set_random_seed(1000 * TEACHERS.index(name) + self.seed)
            model, part = make_teacher(name, self.set), path.with_suffix(".part.keras")
            self.fit(model, self.set.data.arrays["train"].x, self.set.teacher_epochs, MOVES[name]())
            model.save(part)
            part.rename(path)
        return keras.models.load_model(path)

    def source(self, name):
        if name in TEACHERS:
            return self.teacher(name)
        members = {teacher.split(",")[0]: self.teacher(teacher) for teacher in TEACHERS}
        return kd.ensemble(members, **ENSEMBLES[name])

    def _images(self):
        """What students see: all images, and then their moved copies."""
        keras.utils.set_random_seed(self.seed)
        x = self.set.data.arrays["train"].x
        move = keras.Sequential([*MOVES[TEACHERS[0]](), *MOVES[TEACHERS[1]]()])
        chunks = [x[i : i + 1024] for i in range(0, len(x), 1024)] * self.set.copies
        return np.concatenate([x, *(move(chunk, training=True).numpy() for chunk in chunks)])

    def _logits(self, name):
        return self.source(name).predict(self.images(), batch_size=256, verbose=0)

    def of_teacher(self, name):
        return self.kept(f"teacher {name}", lambda: self.figures(self.source(name)))

    def of_student(self, name, temperature):
        """The figures of a student of a teacher, an ensemble, or of labels alone."""
        called = f"student {name} {temperature:g}" if temperature else f"student {name}"
        return self.kept(called, lambda: self.trained(name, temperature))

    def trained(self, name, temperature):
        x = self.images()
        if temperature:
            x = kd.Taught(x, {"output": self.logits(name)})
        keras.utils.set_random_seed(self.seed)
        student = self.set.student()
        distiller = kd.Distiller(student, temperature=temperature, alpha=0.1) if temperature else student
        self.fit(distiller, x, self.set.epochs, [])
        return self.figures(student)

    def fit(self, model, x, epochs, moves):
        labels = self.set.data.arrays["train"].y
        labels = np.resize(labels, len(x.inputs if isinstance(x, kd.Taught) else x))
        data = tf.data.Dataset.from_tensor_slices((x, labels)).shuffle(len(labels), self.seed).batch(BATCH)
        if moves:
            move = keras.Sequential(moves)
            data = data.map(lambda x, y: (move(x, training=True), y))
        rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * math.ceil(len(labels) / BATCH))
        model.compile(keras.optimizers.Adam(rate), loss=CE)
        model.fit(data.prefetch(2), epochs=epochs, shuffle=False, verbose=0)

    def figures(self, model):
        found = {}
        for part in ("validation", "test"):
            split = self.set.data.arrays[part]
            logits = model.predict(split.x, batch_size=256, verbose=0)
            found[part] = 100 * float((logits.argmax(-1) == split.y).mean())
            found[f"{part} loss"] = float(CE(split.y, logits))
        return found


def rows(seeds, names, temperatures):
    """Name -> accuracies on test data of the teachers and of their students, and the temperature chosen."""
    found = {ALONE: ([], [seed.of_student(ALONE, 0)["test"] for seed in seeds], 0)}
    for name in names:
        own = [seed.of_teacher(name)["test"] for seed in seeds]
        students = {t: [seed.of_student(name, t) for seed in seeds] for t in temperatures}
        chosen = max(students, key=lambda t: sum(one["validation"] for one in students[t]))
        found[name] = own, [one["test"] for one in students[chosen]], chosen
    singles = [found[name] for name in TEACHERS]
    best = [TEACHERS.index(best_teacher(seed)) for seed in seeds]
    found[BEST] = [[singles[k][part][i] for i, k in enumerate(best)] for part in (0, 1)] + [0]
    found[MEAN] = [np.mean([single[part] for single in singles], axis=0) for part in (0, 1)] + [0]
    return {name: found[name] for name in (ALONE, *TEACHERS, BEST, MEAN, *found) if name in found}


def best_teacher(seed):
    figures = {name: seed.of_teacher(name) for name in TEACHERS}
    return max(TEACHERS, key=lambda name: (figures[name]["validation"], -figures[name]["validation loss"]))


def table(found):
    titles = "teacher", "its accuracy %", "temperature", "student's %", "minus alone", "minus best single"
    yield f"| {' | '.join(titles)} |"
    yield f"|---|{'--:|' * (len(titles) - 1)}"
    known = found[ALONE][1], found[BEST][1]
    for name, (own, students, temperature) in found.items():
        gaps = ["" if students is one else spread(np.subtract(students, one), "+") for one in known]
        shown = spread(own) if len(own) else "", f"{temperature:g}" if temperature else ""
        yield f"| {' | '.join((name, *shown, spread(students), *gaps))} |"


def spread(values, sign=""):
    shown = f"{np.mean(values):{sign}.2f}"
    return shown if len(values) < 2 else f"{shown} ± {np.std(values, ddof=1) / len(values) ** 0.5:.2f}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="digits, small models, one seed, few rows")
    parser.add_argument("--data", choices=("digits", "fashion_mnist"), default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--out", type=Path, help="keep the trainings here; default: a temporary folder")
    given = parser.parse_args()
    chosen = open_set(given)
    names = [*TEACHERS, *ENSEMBLES][: 4 if given.short else None]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.out or Path(temporary)) / f"{given.data}{'-short' if given.short else ''}"
        folder.mkdir(parents=True, exist_ok=True)
        seeds = [Seed(chosen, seed, folder) for seed in range(1 if given.short else given.seeds)]
        temperatures = given.temperatures[: 1 if given.short else None]
        for seed in seeds:
            seed.run(names, temperatures)
        found = rows(seeds, names, temperatures)
        text = "\n".join(table(found)) + "\n"
        print(f"{given.data}, {len(seeds)} seeds; student: {chosen.student().count_params():,} parameters")
        print(text)
        (folder / "table.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

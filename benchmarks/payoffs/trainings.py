"""Trainings whose results are kept."""

import json
import sys
import time
from functools import cached_property, partial

import keras
import numpy as np

import keras_kd as kd
from keras_kd.files import write_atomically
from payoffs.views import RECIPES, answers, averaged, batches, view

TEACHERS = 2
RATE = 2e-3
LOSS = keras.losses.CategoricalCrossentropy(from_logits=True)


def fit(model, data, epochs, steps, callbacks=()):
    """Adam with a linear rise over the first epoch at most, and a cosine to zero."""
    rise = min(steps, epochs * steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * steps - rise, warmup_target=RATE, warmup_steps=rise
    )
    # XLA is not faster for networks this small, and compiles each of them anew.
    model.compile(keras.optimizers.Adam(rate), loss=LOSS, jit_compile=False)
    more = {"shuffle": False, "verbose": 0, "callbacks": list(callbacks)}
    model.fit(data, epochs=epochs, steps_per_epoch=steps, **more)


def accuracy(model, split):
    return float((model.predict(split.x, batch_size=500, verbose=0).argmax(-1) == split.y).mean())


class Trainings:
    """All trainings on a set, each kept in a folder as soon as it is done."""

    def __init__(self, chosen, folder):
        self.set, self.folder = chosen, folder
        self.steps = len(chosen.train.x) // chosen.batch_size

    def validated(self, trial):
        """The accuracy of a trial on validation data."""
        return self.kept(trial.file, lambda: self.measured(trial, ["validation"]))["validation"]

    def tested(self, trial):
        """The accuracy of a trial on test data."""
        return self.kept(trial.file, lambda: self.measured(trial, ["validation", "test"]))["test"]

    def measured(self, trial, splits):
        student = self.trained(trial)
        return {split: accuracy(student, getattr(self.set, split)) for split in splits}

    def kept(self, name, measure):
        """What is measured, or was by an earlier call."""
        path = self.folder / name
        if path.exists():
            return json.loads(path.read_text())
        started = time.perf_counter()
        found = measure()
        found["seconds"] = round(time.perf_counter() - started, 1)
        with write_atomically(path) as part:
            part.write_text(json.dumps(found))
        print(f"{path.stem}: {found}", file=sys.stderr, flush=True)
        return found

    def trained(self, trial):
        views, count = self.views(trial.recipe)
        logits = self.logits(trial.recipe) if trial.teaching else None
        data = batches(views, count, trial.epochs, self.set.batch_size, trial.seed, logits)
        keras.utils.set_random_seed(trial.seed)
        model = student = self.set.students[trial.student]()
        if trial.teaching:
            model = kd.Distiller(student, **trial.teaching._asdict())
        fit(model, data, trial.epochs, self.steps)
        return student

    def views(self, name):
        """What makes a view of a recipe, and how many there are."""
        recipe = RECIPES[name]
        make = partial(view, self.set.train, recipe, most=self.set.most, flips=self.set.flips)
        return make, self.set.views if recipe.moved else 1

    def logits(self, recipe):
        """The teacher's answers on all views of a recipe."""
        path = self.folder / f"teacher-{recipe}.npy"
        if not path.exists():
            found = answers(self.teacher, *self.views(recipe))
            with write_atomically(path) as part, part.open("wb") as file:
                np.save(file, found)
        return np.load(path)

    @cached_property
    def teacher(self):
        return averaged([self.member(seed) for seed in range(TEACHERS)])

    def member(self, seed):
        """One of the networks that are averaged. No two epochs of it see the same view."""
        path = self.folder / f"teacher-{seed}.keras"
        if not path.exists():
            keras.utils.set_random_seed(seed)
            model, epochs = self.set.teacher(), self.set.teacher_epochs
            model.name = f"teacher{seed}"  # in one model, no two may have the same
            data = batches(self.views("shifts")[0], epochs, epochs, self.set.batch_size, seed)
            fit(model, data, epochs, self.steps)
            with write_atomically(path) as part:
                model.save(part)
        return keras.models.load_model(path)

    def teacher_accuracies(self):
        """Those of its members and its own on each split; nothing is chosen by them."""
        return self.kept("teacher.json", self.measured_teachers)

    def measured_teachers(self):
        models = {f"teacher {seed}": self.member(seed) for seed in range(TEACHERS)}
        models["both averaged"] = self.teacher
        splits = {"validation": self.set.validation, "test": self.set.test}
        return {
            name: {split: accuracy(model, rows) for split, rows in splits.items()}
            for name, model in models.items()
        }

    @cached_property
    def parameters(self):
        return {name: make().count_params() for name, make in self.set.students.items()}

"""A trained network made smaller in every way of the package, and what brings its accuracy back.

    python benchmarks/compression.py [--short] [--data digits|fashion_mnist] [--teacher bundled|resnet20]
                                     [--seeds 3] [--out FOLDER]

The teacher is the one of `kd.models` or a ResNet-20, trained, with its BatchNorm statistics recalibrated, so
that no way to make it smaller is credited with what recalibration alone gives. Each way is measured before
recovery, after `kd.recalibrate`, after training on the labels, after distilling from the teacher for the same
steps, and as the same architecture trained from scratch. Students written by hand stand beside. Accuracy is
that on test data after the last epoch, mean and standard error over seeds; time is that of the float32 file,
one thread, batch size 1, divided by the teacher's, all files of a seed timed by turns at the end.

Every row is kept in FOLDER as soon as it is measured; the same command goes on where it stopped. The table is
also FOLDER/table.md, and the chart of accuracy against time FOLDER/chart.svg.
"""

import argparse
import gzip
import json
import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

if __name__ != "__main__":
    # Beside this file, other scripts would take it for the package of Python 3.14 that JAX looks for.
    raise ImportError("benchmarks/compression.py is a script.")

import keras
import tensorflow as tf
from recoveries.chart import chart
from recoveries.networks import DIGITS_STUDENTS, FASHION_STUDENTS, resnet20
from recoveries.rows import add_times, markdown, print_findings, print_rows
from recoveries.ways import OF_BUNDLED, OF_RESNET20, SHORT, WAYS

import keras_kd as kd

CE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Set(NamedTuple):
    """A data set, the models that belong to it, how long they are trained, and how they are made smaller."""

    data: object
    teacher: object
    students: dict
    teacher_epochs: int
    epochs: int
    ways: list
    temperature: float = 1.0  # with few epochs, a higher one teaches less


def open_set(given):
    if given.data == "digits":
        data, teacher, students = kd.datasets.digits(), kd.models.digits_teacher, DIGITS_STUDENTS
        epochs = 30, 20
        if given.short:  # compiling takes most of the time, of the teacher several times as long
            teacher, students = kd.models.digits_student, {"by hand": students["by hand"]}
            epochs = 2, 1
    else:
        data, teacher, students = kd.datasets.fashion_mnist(), kd.models.fashion_teacher, FASHION_STUDENTS
        epochs = 10, 5
    if given.teacher == "resnet20":
        shape = data.arrays["train"][0].shape[1:]
        # Published recoveries, too, take as long as the training of the teacher, or longer.
        return Set(data, lambda: resnet20(shape), {}, epochs[0], 2 * epochs[0], OF_RESNET20, 2.0)
    return Set(data, teacher, students, *epochs, SHORT if given.short else OF_BUNDLED)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="digits, small models, one seed, few rows")
    parser.add_argument("--data", choices=("digits", "fashion_mnist"), default="digits")
    parser.add_argument("--teacher", choices=("bundled", "resnet20"), default="bundled")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: a temporary folder")
    given = parser.parse_args()
    seeds = range(1 if given.short else given.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.out or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = open_set(given)
        name = f"{given.data}-{given.teacher}{'-short' if given.short else ''}"
        benchmarks = [Benchmark(chosen, seed, folder / f"{name}-{seed}") for seed in seeds]
        rows = [row for benchmark in benchmarks for row in benchmark.rows()]
        add_times(rows, chosen.data.arrays["test"][0][:1], 1 if given.short else 40)
        print_rows(rows, name)
        print_findings(rows)
        (folder / "chart.svg").write_text(chart(rows, name), encoding="utf-8")
        (folder / "table.md").write_text(markdown(rows), encoding="utf-8")


class Benchmark:
    """All rows of one seed."""

    def __init__(self, chosen, seed, folder):
        self.set, self.seed, self.folder = chosen, seed, folder
        folder.mkdir(exist_ok=True)
        self.train, self.test = (chosen.data.arrays[part][:2] for part in ("train", "test"))

    def rows(self):
        teacher = self.teacher()
        logits = teacher.predict(self.train[0], batch_size=256, verbose=0)
        yield self.row(
            "teacher", lambda: {**self.costs(teacher, "teacher"), "before": self.accuracy(teacher)}
        )
        for way, make in self.set.students.items():
            yield self.row(way, lambda way=way, make=make: self.of_student(way, make, logits))
        for way in self.set.ways:
            yield self.row(way, lambda way=way: self.of_way(way, teacher, logits))

    def path(self, way, suffix):
        return self.folder / f"{way.replace(' ', '_').replace('%', 'percent').replace(',', '')}{suffix}"

    def row(self, way, measure):
        file = str(self.path(way, ".tflite"))
        return {**self.kept(way, lambda: {"way": way, "seed": self.seed, **measure()}), "file": file}

    def kept(self, name, measure):
        """What is measured, or was by an earlier call."""
        path = self.path(name, ".json")
        if path.exists():
            return json.loads(path.read_text())
        started = time.perf_counter()
        keras.utils.set_random_seed(self.seed)
        found = measure()
        part = path.with_name(f"{path.name}.part")
        part.write_text(json.dumps(found))
        part.rename(path)
        print(f"{self.folder.name} {name}: {time.perf_counter() - started:.0f} s", flush=True)
        return found

    def teacher(self):
        path = self.folder / "teacher.keras"
        if not path.exists():
            keras.utils.set_random_seed(self.seed)
            model = self.set.teacher()
            self.fit(model, model, self.train[1], self.set.teacher_epochs, [])
            kd.recalibrate(model, self.train[0]).save(path)
        return keras.models.load_model(path)

    def of_student(self, way, make, logits):
        student = make()
        weights, found = student.get_weights(), self.costs(student, way)
        for stage in ("scratch", "distilled"):
            student.set_weights(weights)
            found[stage] = self.trained(student, stage, logits, [])
        return found

    def of_way(self, way, teacher, logits):
        small = WAYS[way](teacher, self.train[0])
        found = {"before": self.accuracy(small)}
        found["recalibrated"] = self.accuracy(kd.recalibrate(small, self.train[0]))
        # The architecture from scratch says nothing of clusters, which are no part of it.
        for stage in ("labels", "distilled", *(() if "clustered" in way else ("scratch",))):
            found |= self.kept(f"{way} {stage}", lambda stage=stage: self.of_stage(way, stage, small, logits))
        return found

    def of_stage(self, way, stage, small, logits):
        student = kd.recalibrate(small, self.train[0])
        if stage == "scratch":
            student = keras.models.clone_model(small)
        found = {stage: self.trained(student, stage, logits, self.clusters(way))}
        return {**found, **(self.costs(student, way) if stage == "distilled" else {})}

    def clusters(self, way):
        """What has just been shrunk is trained first: clusters of weights that are of no use are of none."""
        if "clustered" not in way:
            return []
        whole = way.startswith("clustered")
        begin = 1 if whole else math.ceil(self.set.epochs * 0.6) * math.ceil(len(self.train[1]) / 64)
        return [kd.Cluster(16, begin=begin)]

    def trained(self, student, stage, logits, callbacks):
        keras.utils.set_random_seed(self.seed)
        labels = self.train[1]
        if stage != "distilled":
            self.fit(student, student, labels, self.set.epochs, callbacks)
        else:
            distiller = kd.Distiller(student, temperature=self.set.temperature, alpha=0.1)
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

    def costs(self, model, way):
        cost, path = kd.cost(model), self.path(way, ".tflite")
        path.unlink(missing_ok=True)  # of a run that was stopped before its row was kept
        kd.export(model, path)
        content = path.read_bytes()
        sizes = {"bytes": len(content), "gzip": len(gzip.compress(content, mtime=0))}
        return {"parameters": cost.parameters, "macs": cost.macs, **sizes}


if __name__ == "__main__":
    main()

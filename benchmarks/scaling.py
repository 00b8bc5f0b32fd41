"""What a distillation step costs with several replicas, and the arithmetic behind it.

    python benchmarks/scaling.py [--short]

The same training, with the same global batch, on one device, on two logical devices of one process, and on
two workers that communicate over the loopback interface. All share this machine's cores, so none can be
faster than one device: anything above 1 is replication overhead. Each setup runs in its own processes, one
after the other, in each round. Shown are the median over rounds of the CPU time of all processes together,
which other load affects less than wall-clock time, and the best wall-clock time.
"""

import argparse
import contextlib
import io
import json
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table
from step import mlp, resnet

import keras_kd as kd

ROOT = Path(__file__).parent.parent
ONE, LOGICAL, WORKERS = "one device", "2 logical devices", "2 workers"
PROCESSES = {ONE: 1, LOGICAL: 1, WORKERS: 2}
SHORT = ONE, LOGICAL  # tests/training/ starts workers
UNCOUNTED = 5  # steps, which trace and warm up


def pairs(short):
    """Student, teacher, global batch and steps by name."""
    found = {"MLP": (lambda: mlp(1), lambda: mlp(2), 32, 20 if short else 300)}
    if not short:
        found["ResNet"] = (lambda: resnet(20, 32), lambda: resnet(56, 32), 64, 20)
    return found


# ---- in a worker


def strategy_of(way):
    if way == LOGICAL:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    return tf.distribute.MultiWorkerMirroredStrategy() if way == WORKERS else tf.distribute.get_strategy()


class Clock(keras.callbacks.Callback):
    """Milliseconds a step, after the first ones."""

    def on_train_batch_end(self, batch, logs=None):
        now = np.array([time.perf_counter(), time.process_time()])
        if batch + 1 == UNCOUNTED:
            self.begin = now
        self.steps, self.took = batch + 1 - UNCOUNTED, now

    def of_a_step(self):
        wall, cpu = 1000 * (self.took - self.begin) / self.steps
        return {"wall": wall, "cpu": cpu}


def measure(strategy, student, teacher, batch, steps):
    with strategy.scope():
        distiller = kd.Distiller(student(), teacher())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        distiller.compile(keras.optimizers.SGD(1e-3), loss=loss)
    random = np.random.default_rng(0)
    x = random.random((batch, *distiller.student.input_shape[1:]), "float32")
    data = tf.data.Dataset.from_tensors((x, random.integers(0, 10, batch))).repeat(UNCOUNTED + steps)
    clock = Clock()
    distiller.fit(data, callbacks=[clock], verbose=0)
    return clock.of_a_step()


def work(way, folder, short):
    strategy = strategy_of(way)
    found = {name: measure(strategy, *pair) for name, pair in pairs(short).items()}
    index = getattr(strategy.cluster_resolver, "task_id", 0)
    Path(folder, f"{index}.json").write_text(json.dumps(found))


# ---- above them


def run(way, short):
    """What the workers of one way have measured: the slowest by the clock, the sum of processor time."""
    launch = runpy.run_path(str(ROOT / "examples" / "multi_worker" / "launch.py"))["run"]
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--way", way, "--folder", folder, *["--short"] * short]
        if short and way == ONE:  # another process is for good figures
            work(way, folder, short)
        else:
            with contextlib.redirect_stdout(said):
                code = launch(command, PROCESSES[way], restarts=0)
            if code:
                raise RuntimeError(said.getvalue())
        found = [json.loads(file.read_text()) for file in Path(folder).iterdir()]
    return {
        name: {"wall": max(w[name]["wall"] for w in found), "cpu": sum(w[name]["cpu"] for w in found)}
        for name in found[0]
    }


def costs(rounds):
    table = Table(title="A step: processor time and time by the clock", title_justify="left")
    for column in ("models", "way", "CPU ms", f"/ {ONE}", "best ms by the clock"):
        table.add_column(column, justify="right" if "ms" in column or "/" in column else "left")
    for name in rounds[0][ONE]:
        for way in rounds[0]:
            cpu = statistics.median(r[way][name]["cpu"] for r in rounds)
            ratio = statistics.median(r[way][name]["cpu"] / r[ONE][name]["cpu"] for r in rounds)
            wall = min(r[way][name]["wall"] for r in rounds)
            table.add_row(name, way, f"{cpu:.1f}", f"{ratio:.2f}", f"{wall:.1f}")
    return table


def flops(model):
    """Floating-point operations of one sample's forward pass, as TensorFlow counts them."""
    spec = tf.TensorSpec((1, *model.input_shape[1:]))
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def arithmetic(short):
    table = Table(title="Arithmetic of a step", title_justify="left")
    for column in (
        "models",
        "trained weights",
        "gradients",
        "student MFLOP",
        "teacher MFLOP",
        "teacher / student",
    ):
        table.add_column(column, justify="left" if column == "models" else "right")
    for name, (student, teacher, batch, _) in pairs(short).items():
        student, teacher = student(), teacher()
        weights = sum(int(np.prod(weight.shape)) for weight in student.trainable_weights)
        learns, tells = 3 * batch * flops(student), batch * flops(teacher)  # forward, and twice that backward
        row = weights, 4 * weights / 1e6, learns / 1e6, tells / 1e6, tells / learns
        table.add_row(
            name,
            *(
                form % value
                for form, value in zip(("%d", "%.3f MB", "%.1f", "%.1f", "%.2f"), row, strict=True)
            ),
        )
    return table


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one round of small models, without workers")
    parser.add_argument("--way", choices=PROCESSES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        work(options.way, options.folder, options.short)
        return
    ways, count = (SHORT, 1) if options.short else (PROCESSES, 3)
    rounds = [{way: run(way, options.short) for way in ways} for _ in range(count)]
    console = Console(width=120)
    console.print(costs(rounds), arithmetic(options.short))


if __name__ == "__main__":
    main()

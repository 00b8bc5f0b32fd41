"""What a distillation step costs, compared with its parts and with keras.distillation.

    python benchmarks/step.py [--short] [--json FILE]

Every model trains in `fit` on the same batch over and over, so that data costs next to nothing. A lap is the
time between the starts of two steps within one `fit`, so startup is not counted. The laps of all models
alternate in one process, in a different order each round, and a ratio compares two laps of the same round.
Shown are medians [quartiles] of CPU time, which other load affects less than wall-clock time.

The floor is Keras's own training step of the student with the teacher's forward pass in the same compiled
function: no loss reads the teacher, no second function is called, no second batch is fetched. On a small
model it is well below the sum of parts (plain `fit`, plus a compiled loop over the teacher), which pays for
two function calls; that is shown too.

keras.distillation is given `KLDivergence()`: its default for logits is another formula. The first step checks
that both compute the same loss. Peak memory is measured in separate processes.
"""

import argparse
import functools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from rich.console import Console
from rich.table import Table

import keras_kd as kd

TEMPERATURE, CLASSES = 4.0, 10
UNCOUNTED = 2  # steps of a `fit` before its lap begins
OURS, THEIRS = "keras_kd", "keras.distillation"
PLAIN, FLOOR, TEACHER, PARTS = "student alone", "floor", "teacher alone", "sum of parts"
LOGITS, ONE, FIVE, TAUGHT = "logits", "one feature", "five features", "precomputed teacher signals"
TERMS = {LOGITS: (), ONE: ("stage3",), FIVE: ("stem", "stage1", "stage2", "stage3", "pool")}


# ---- models


def convolution(x, width, kernel=3, stride=1):
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def resnet(depth, side):
    """A ResNet in its CIFAR form: three stages of `(depth - 2) / 6` blocks, 16, 32 and 64 wide."""
    inputs = keras.Input((side, side, 3))
    x = layers.ReLU(name="stem")(convolution(inputs, 16))
    blocks = (depth - 2) // 6
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(blocks):
            stride = 2 if stage > 1 and block == 0 else 1
            y = layers.ReLU()(convolution(x, width, stride=stride))
            y = convolution(y, width)
            x = convolution(x, width, kernel=1, stride=2) if stride == 2 else x
            x = layers.ReLU(name=f"stage{stage}" if block == blocks - 1 else None)(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x))


def mlp(hidden):
    """Dense layers of 32 units; the last hidden one can be tapped."""
    x = inputs = keras.Input((32,))
    for i in reversed(range(hidden)):
        x = layers.Dense(32, activation="relu", name=f"hidden{i}" if i else "stage3")(x)
    return keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x))


@dataclass(frozen=True)
class Pair:
    student: Callable[[], keras.Model]
    teacher: Callable[[], keras.Model]
    batch: int
    steps: int  # a lap
    terms: tuple[str, ...]


def pairs(short):
    perceptrons = lambda: mlp(1), lambda: mlp(2)
    if short:
        return {"MLP": Pair(*perceptrons, 4, 5, (LOGITS, ONE))}
    return {
        "ResNet": Pair(lambda: resnet(20, 32), lambda: resnet(56, 32), 64, 6, tuple(TERMS)),
        "MLP": Pair(*perceptrons, 32, 400, (LOGITS, ONE)),
    }


# ---- what is timed


def compiled(model, **loss_weights):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss=loss, **loss_weights)
    return model


class Floor(keras.Model):
    """A student, in whose step the teacher runs too.

    What the teacher says is written to a variable. TensorFlow prunes what less asks for: a control
    dependency, for one.
    """

    def add(self, teacher, batch):
        said = tf.Variable(tf.zeros((batch, CLASSES)), trainable=False)
        self.__dict__["teach"] = lambda x: said.assign(teacher(x, training=False))  # untracked by Keras
        return compiled(self)

    def train_step(self, data):
        self.teach(data[0])
        return super().train_step(data)


def ours(student, teacher, taps=()):
    """Half labels, half teacher: the soft targets, and the mean squared error of each tap."""
    objectives = [kd.Objective(kd.losses.SoftTargets(TEMPERATURE), weight=0.5)]
    objectives += [kd.Objective("mse", student=tap, teacher=tap, weight=0.5) for tap in taps]
    return compiled(kd.Distiller(student, teacher, objectives), loss_weights=0.5)


def theirs(student, teacher, taps=()):
    terms = [keras.distillation.LogitsDistillation(TEMPERATURE, loss=keras.losses.KLDivergence())]
    terms += [
        keras.distillation.FeatureDistillation("mse", teacher_layer_name=tap, student_layer_name=tap)
        for tap in taps
    ]
    weights = [1.0] * len(terms)
    return compiled(keras.distillation.Distiller(teacher, student, terms, weights, student_loss_weight=0.5))


def models(pair, teacher):
    """The models by name, each with a student of its own and the same first weights."""

    def student():
        keras.utils.set_random_seed(1)
        return pair.student()

    plain = student()
    found = {PLAIN: compiled(student()), FLOOR: Floor(plain.input, plain.output).add(teacher, pair.batch)}
    for terms in pair.terms:
        found[f"{OURS}, {terms}"] = ours(student(), teacher, TERMS[terms])
        found[f"{THEIRS}, {terms}"] = theirs(student(), teacher, TERMS[terms])
    return found | {f"{OURS}, {TAUGHT}": ours(student(), None)}


def batches(pair, teacher):
    """One batch without end; and the same with what the teacher says about it."""
    random = np.random.default_rng(0)
    x = random.normal(size=(pair.batch, *teacher.input_shape[1:])).astype("float32")
    y = random.integers(0, CLASSES, pair.batch)
    taught = kd.Taught(x, {"output": teacher(x, training=False)})
    return tuple(tf.data.Dataset.from_tensors((inputs, y)).repeat() for inputs in (x, taught))


# ---- how it is timed


class Lap(keras.callbacks.Callback):
    """Milliseconds a step, `[processor, clock]`, between the starts of two steps of one `fit`."""

    def __init__(self, steps):
        super().__init__()
        self.steps, self.marks = steps, []

    def on_train_batch_begin(self, step, logs=None):
        if step in (UNCOUNTED, UNCOUNTED + self.steps):
            self.marks.append(np.array([time.process_time(), time.perf_counter()]))

    def milliseconds(self):
        return 1000 * (self.marks[1] - self.marks[0]) / self.steps


def fit(model, data, steps):
    lap = Lap(steps)
    model.fit(data, steps_per_epoch=UNCOUNTED + steps + 1, verbose=0, shuffle=False, callbacks=[lap])
    return lap.milliseconds()


def loop(teacher, data):
    """A compiled forward of the teacher, called as `fit` calls its step, and nothing else."""
    forward = tf.function(lambda iterator: teacher(next(iterator)[0], training=False), autograph=False)

    def run(steps):
        iterator, lap = iter(data), Lap(steps)
        for step in range(UNCOUNTED + steps + 1):
            lap.on_train_batch_begin(step)
            forward(iterator)
        return lap.milliseconds()

    return run


def count_traces(model):
    """A list that grows with every trace: Python runs the step of a compiled model only then."""
    traces, step = [], model.train_step

    def train_step(data):
        traces.append(data)
        return step(data)

    model.__dict__["train_step"] = train_step
    return traces


def measure(pair, rounds):
    """Milliseconds a step of each model, `(rounds, [processor, clock])`; and how often each was traced."""
    keras.utils.set_random_seed(0)
    teacher = pair.teacher()
    data, taught = batches(pair, teacher)
    runs, traces, first = {TEACHER: loop(teacher, data)}, {}, {}
    for name, model in models(pair, teacher).items():
        traces[name] = count_traces(model)
        given = taught if name.endswith(TAUGHT) else data
        first[name] = model.fit(given, steps_per_epoch=1, verbose=0, shuffle=False).history["loss"][0]
        runs[name] = functools.partial(fit, model, given)
    check_same(first)
    times, order = {name: [] for name in runs}, list(runs)
    for counted in [False] + [True] * rounds:
        order.append(order.pop(0))
        for name in order:
            lap = runs[name](pair.steps)
            if counted:
                times[name].append(lap)
    times = {name: np.array(laps) for name, laps in times.items()}
    times[PARTS] = times[PLAIN] + times[TEACHER]
    return times, {name: len(each) for name, each in traces.items()}


def check_same(losses):
    """Raise unless the first loss is that of keras.distillation, also with signals from the data."""
    for name, value in losses.items():
        terms = LOGITS if name.endswith(TAUGHT) else name.partition(", ")[2]
        other = losses[f"{THEIRS}, {terms}"] if name.startswith(OURS) else value
        if not np.isclose(value, other, rtol=1e-4):
            raise AssertionError(f"{name}: the first loss is {value}, that of keras.distillation {other}.")


def peak(name, short):
    """Peak memory in MB of this process after it trained one model."""
    pair = pairs(short)["MLP" if short else "ResNet"]
    make, terms = {OURS: ours, THEIRS: theirs}[name.partition(", ")[0]], name.partition(", ")[2]
    teacher = pair.teacher()
    model = make(pair.student(), teacher, TERMS[terms])
    model.fit(batches(pair, teacher)[0], steps_per_epoch=2 * pair.steps, verbose=0, shuffle=False)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


def peaks(short):
    """Peak memory of each model in processes of its own, which take turns, `(times, [MB])`.

    A process inherits the peak of the one that starts it, so this runs before anything else has grown.
    """
    names = [f"{kind}, {terms}" for terms in (LOGITS, ONE) for kind in (OURS, THEIRS)]
    if short:  # a process of its own is for good figures
        return {name: np.array([[peak(name, short)]]) for name in names[-2:-1]}
    found = {name: [] for name in names}
    for _ in range(3):
        for name in names:
            command = [sys.executable, __file__, "--peak", name]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[name].append([float(output.split()[-1])])
    return {name: np.array(values) for name, values in found.items()}


# ---- what is asked of it, and said about it

# What, the two that are compared, in which measurement, and the limit. A unit: the difference counts.
TARGETS = [
    ("ResNet", f"{OURS}, {LOGITS}", FLOOR, "<=", 1.03, ""),
    ("ResNet", f"{OURS}, {LOGITS}", f"{THEIRS}, {LOGITS}", "<=", 1.0, ""),
    ("ResNet", f"{OURS}, {ONE}", FLOOR, "<=", 1.05, ""),
    ("ResNet", f"{THEIRS}, {ONE}", f"{OURS}, {ONE}", ">=", 1.4, ""),
    ("ResNet", f"{OURS}, {FIVE}", f"{OURS}, {ONE}", "<=", 1.10, ""),
    ("ResNet", f"{OURS}, {TAUGHT}", PLAIN, "<=", 1.03, ""),
    ("MLP", f"{OURS}, {LOGITS}", FLOOR, "<=", 0.3, "ms"),
    ("peak memory", f"{OURS}, {LOGITS}", f"{THEIRS}, {LOGITS}", "<=", 1.0, ""),
    ("peak memory", f"{OURS}, {ONE}", f"{THEIRS}, {ONE}", "<=", 1.0, ""),
]


@dataclass(frozen=True)
class Spread:
    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values):
        return cls(*(float(value) for value in np.percentile(values, [25, 50, 75])))

    def __str__(self):
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


def judge(measured):
    """Each target whose two sides were measured, with what was found: processor time, or memory."""
    for case, first, second, sign, limit, unit in TARGETS:
        if not {first, second} <= measured.get(case, {}).keys():
            continue
        a, b = measured[case][first][:, 0], measured[case][second][:, 0]
        found = Spread.of(a - b if unit else a / b)
        met = found.median <= limit if sign == "<=" else found.median >= limit
        near = found.low <= limit <= found.high
        yield {
            "case": case,
            "what": f"{first} {'-' if unit else '/'} {second}",
            "target": f"{sign} {limit:g} {unit}".strip(),
            "found": found,
            "verdict": "met" if met else "equal within noise" if near else "missed",
        }


def costs(times, traces):
    """One row a model: milliseconds and ratios to the floor."""
    rows = []
    for name, laps in times.items():
        ratios = laps / times[FLOOR]
        row = {"what": name, "traces": traces.get(name)}
        for i, clock in enumerate(("processor", "clock")):
            row |= {f"{clock} ms": Spread.of(laps[:, i]), f"{clock} / floor": Spread.of(ratios[:, i])}
        rows.append(row)
    return rows


def show(console, title, rows):
    table = Table(*rows[0], title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
    console.print(table)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="tiny models and few steps, to see that it runs")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    # It warns of retracing because each model's step is another function of the same name.
    tf.get_logger().setLevel("ERROR")
    if arguments.peak:
        print(peak(arguments.peak, arguments.short))
        return
    measured = {"peak memory": peaks(arguments.short)}
    tables = {}
    for case, pair in pairs(arguments.short).items():
        measured[case], traces = measure(pair, 1 if arguments.short else 15)
        tables[f"{case}, batch {pair.batch}: a step"] = costs(measured[case], traces)
    memory = [{"what": name, "MB": Spread.of(mb)} for name, mb in measured["peak memory"].items()]
    tables["Peak memory of a process" + ("" if arguments.short else ", ResNet")] = memory
    tables["Targets, processor time"] = list(judge(measured))
    for title, rows in tables.items():
        show(Console(width=150), title, rows)
    if arguments.short:
        print("Short: the sizes are too small, and the rounds too few, for these figures to mean anything.")
    if arguments.json:
        figures = {"short": arguments.short, "tables": tables}
        arguments.json.write_text(json.dumps(figures, indent=1, default=asdict) + "\n")


if __name__ == "__main__":
    main()

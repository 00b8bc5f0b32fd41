"""What a step of each scheme costs, compared with the sum of its parts.

    python benchmarks/schemes.py [--short]

Mutual learning is compared with the steps of its peers, each trained alone; a mean teacher with a step and a
forward pass of the same network; an adversarial step with the attack's gradients of the inputs, two steps of
the student (on clean and on attacked inputs) and the teacher's forward pass; a distillation token with a step
of the same transformer and the teacher's forward pass. The parts are compiled functions of their own.

As in `benchmarks/step.py`: every model trains in `fit` on one batch over and over, laps alternate in one
process, a ratio compares laps of the same round, and medians [quartiles] of processor time are shown.
"""

import argparse
import functools

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from step import CLASSES, Spread, compiled, count_traces, fit, loop, resnet, show

import keras_kd as kd

ATTACK_STEPS = 3


class Networks:
    """What schemes train: networks of one family, the first two of which are peers."""

    def __init__(self, short):
        depth, side = (8, 8) if short else (8, 32)
        self.shape, self.batch, self.steps = (side, side, 3), (4 if short else 32), (2 if short else 6)
        self.student = functools.partial(resnet, depth, side)
        self.teacher = functools.partial(resnet, 8 if short else 20, side)
        sizes = {"patch": 4, "width": 16, "depth": 1} if short else {"patch": 4, "width": 64, "depth": 4}
        self.transformer = functools.partial(kd.models.vision_transformer, self.shape, CLASSES, **sizes)

    def data(self):
        random = np.random.default_rng(0)
        x = random.random((self.batch, *self.shape)).astype("float32")
        return tf.data.Dataset.from_tensors((x, random.integers(0, CLASSES, self.batch))).repeat()


def named(network, name):
    made = network()
    return keras.Model(made.input, made.output, name=name)


def schemes(networks, teacher):
    """The model of each scheme, compiled."""
    student = networks.student
    box = {"epsilon": 8 / 255, "step_size": 4 / 255, "steps": ATTACK_STEPS}
    token = kd.Objective(kd.losses.HardTargets(), student="output/distillation", weight=0.5)
    of_token = kd.Distiller(networks.transformer(), teacher, [token])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    of_token.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss={"class": loss})
    return {
        "mutual": compiled(kd.Mutual([named(student, "a"), named(student, "b")])),
        "mean teacher": compiled(kd.MeanTeacher(student())),
        "adversarial": compiled(kd.Adversarial(student(), teacher, **box)),
        "distillation token": of_token,
    }


def input_gradients(model, data):
    """A compiled gradient of the loss with respect to the inputs, in inference: a step of an attack."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def gradients(x, training=False):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = loss(tf.zeros(tf.shape(x)[0], "int32"), model(x, training=False))
        return tape.gradient(value, x)

    return loop(gradients, data)


def parts(networks, teacher, data):
    """What runs a number of steps of each part, and returns its time."""
    student = networks.student()
    plain = {"student": compiled(networks.student()), "transformer": compiled_transformer(networks)}
    return {
        **{name: functools.partial(fit, model, data) for name, model in plain.items()},
        "forward": loop(student, data),
        "teacher": loop(teacher, data),
        "attack": input_gradients(student, data),
    }


def compiled_transformer(networks):
    """Both tokens, on labels."""
    model, loss = networks.transformer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss={"class": loss, "distillation": loss})
    return TwoLabels(model)


class TwoLabels:
    """A model with two outputs of the same labels."""

    def __init__(self, model):
        self._model = model

    def fit(self, data, **options):
        return self._model.fit(data.map(lambda x, y: (x, {"class": y, "distillation": y})), **options)


# The parts of each scheme, and how often each runs in a step.
PARTS = {
    "mutual": {"student": 2},
    "mean teacher": {"student": 1, "forward": 1},
    "adversarial": {"attack": ATTACK_STEPS, "student": 2, "teacher": 1},
    "distillation token": {"transformer": 1, "teacher": 1},
}


def measure(networks, rounds):
    """Milliseconds of processor time a step, by name, `(rounds,)`; and how often each scheme was traced."""
    keras.utils.set_random_seed(0)
    teacher, data = networks.teacher(), networks.data()
    models = schemes(networks, teacher)
    traces = {name: count_traces(model) for name, model in models.items()}
    runs = parts(networks, teacher, data)
    runs |= {name: functools.partial(fit, model, data) for name, model in models.items()}
    times, order = {name: [] for name in runs}, list(runs)
    for counted in [False] + [True] * rounds:
        order.append(order.pop(0))
        for name in order:
            lap = runs[name](networks.steps)
            if counted:
                times[name].append(lap[0])
    return {name: np.array(laps) for name, laps in times.items()}, {k: len(v) for k, v in traces.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="tiny models and few steps, to see that it runs")
    arguments = parser.parse_args()
    tf.get_logger().setLevel("ERROR")
    times, traces = measure(Networks(arguments.short), 1 if arguments.short else 9)
    rows = []
    for name, counts in PARTS.items():
        total = sum(count * times[part] for part, count in counts.items())
        what = " + ".join(f"{count} x {part}" if count > 1 else part for part, count in counts.items())
        ratio, ms = Spread.of(times[name] / total), Spread.of(times[name])
        rows.append({"scheme": name, "parts": what, "ms": ms, "step / parts": ratio, "traces": traces[name]})
    show(Console(width=150), "A step, processor time", rows)
    if arguments.short:
        print("Short: the sizes are too small, and the rounds too few, for these figures to mean anything.")


if __name__ == "__main__":
    main()

"""keras_kd against keras.distillation: the same models, data, seeds and steps.

    python benchmarks/versus_keras.py [--short]

Prints accuracy after the same number of steps, the cost of a step, the effect of zero sample weights,
and the effect of `evaluate` on BatchNorm. Costs are CPU time, medians of interleaved rounds.
"""

import argparse
import functools
import statistics
import sys
import time

import keras
import numpy as np
from pruning import tiny

import keras_kd as kd

TEMPERATURE, ALPHA, BATCH = 4.0, 0.1, 64
OURS, THEIRS, MENDED = "keras_kd", "keras.distillation", "keras.distillation, KLDivergence()"

# Most of the short form is compiling, which takes the real models several times as long.
small = functools.partial(tiny, 16), functools.partial(tiny, 8)
make_teacher, make_student = (
    small if "--short" in sys.argv else (kd.models.digits_teacher, kd.models.digits_student)
)


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def logits_distiller(kind, student, teacher):
    if kind == OURS:
        return kd.Distiller(student, teacher, temperature=TEMPERATURE, alpha=ALPHA)
    loss = {} if kind == THEIRS else {"loss": keras.losses.KLDivergence()}
    distillation = keras.distillation.LogitsDistillation(temperature=TEMPERATURE, **loss)
    return keras.distillation.Distiller(teacher, student, distillation, student_loss_weight=ALPHA)


def feature_distiller(kind, student, teacher):
    loss = kd.losses.AttentionTransfer()
    if kind == OURS:
        return kd.Distiller(student, teacher, [kd.Objective(loss, student="stage2", teacher="stage2")])
    distillation = keras.distillation.FeatureDistillation(
        loss=loss, teacher_layer_name="stage2", student_layer_name="stage2"
    )
    return keras.distillation.Distiller(teacher, student, distillation, student_loss_weight=0.5)


def trained_teacher(data, epochs):
    keras.utils.set_random_seed(0)
    say("training the teacher")
    teacher = make_teacher()
    teacher.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy())
    teacher.fit(data.train, epochs=epochs, verbose=0, shuffle=False)
    return teacher


def accuracy(model, data):
    split = data.arrays["test"]
    return 100 * float((model(split.x, training=False).numpy().argmax(-1) == split.y).mean())


def accuracies(kind, teacher, data, epochs, seeds):
    found = []
    for seed in range(seeds):
        say(f"training {kind}, seed {seed + 1} of {seeds}")
        keras.utils.set_random_seed(seed)
        student = make_student()
        model = student if kind == "student alone" else logits_distiller(kind, student, teacher)
        steps = epochs * int(data.train.cardinality())
        rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
        model.compile(keras.optimizers.Adam(rate), loss=cross_entropy())
        model.fit(data.train, epochs=epochs, verbose=0, shuffle=False)
        found.append(accuracy(student, data))
    return found


def step_times(models, data, rounds, steps):
    """Processor milliseconds a step of each model: medians over rounds in which all take turns."""
    batches = data.train.take(1).cache().repeat()
    for model in models.values():
        model.fit(batches, steps_per_epoch=3, verbose=0, shuffle=False)  # traces
    times = {name: [] for name in models}
    say(f"timing {len(models)} kinds of steps in turns")
    for _ in range(rounds):
        for name, model in models.items():
            start = time.process_time()
            model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)
            times[name].append(1000 * (time.process_time() - start) / steps)
    return {name: statistics.median(values) for name, values in times.items()}


def timed(teacher, data, rounds, steps):
    def compiled(model):
        model.compile(keras.optimizers.Adam(1e-3), loss=cross_entropy())
        return model

    models = {"student alone": compiled(make_student())}
    for kind in (OURS, THEIRS):
        models[f"{kind}, logits"] = compiled(logits_distiller(kind, make_student(), teacher))
        models[f"{kind}, one feature"] = compiled(feature_distiller(kind, make_student(), teacher))
    return step_times(models, data, rounds, steps)


def moved_by_zero_weights(kind, teacher, data):
    """The largest change of a trained weight in one step in which no sample counts."""
    student = make_student()
    model = logits_distiller(kind, student, teacher)
    model.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    before = [w.numpy() for w in student.trainable_weights]
    split = data.arrays["train"]
    model.fit(split.x[:BATCH], split.y[:BATCH], sample_weight=np.zeros(BATCH), batch_size=BATCH, verbose=0)
    return max(
        float(np.abs(w.numpy() - b).max()) for w, b in zip(student.trainable_weights, before, strict=True)
    )


def moved_by_evaluate(kind, teacher, data):
    """The largest change of a BatchNorm statistic in `evaluate` with a feature objective."""
    student = make_student()
    model = feature_distiller(kind, student, teacher)
    model.compile("sgd", loss=cross_entropy())
    model.fit(data.train.take(1), verbose=0, shuffle=False)
    before = [w.numpy() for w in student.non_trainable_weights]
    model.evaluate(data.validation, verbose=0)
    pairs = zip(student.non_trainable_weights, before, strict=True)
    return max(float(np.abs(w.numpy() - b).max()) for w, b in pairs)


def say(text):
    """Where it is, on standard error."""
    print(text, file=sys.stderr, flush=True)


def show(title, rows):
    print(f"\n{title}")
    for name, value in rows:
        print(f"  {name:<38}{value:>16}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--short", action="store_true", help="tiny models, one seed and few steps, to see that it runs"
    )
    short = parser.parse_args().short
    epochs, seeds, rounds, steps = (1, 1, 2, 3) if short else (20, 5, 15, 30)
    data = kd.datasets.digits(batch_size=BATCH)
    teacher = trained_teacher(data, epochs)
    print(f"{data}; teacher {accuracy(teacher, data):.2f} % on the test split")

    rows = []
    # The step times have a model of each kind, too.
    for kind in (OURS, MENDED) if short else ("student alone", OURS, THEIRS, MENDED):
        found = accuracies(kind, teacher, data, epochs, seeds)
        spread = f" +- {statistics.stdev(found):.2f}" if seeds > 1 else ""
        rows.append((kind, f"{statistics.mean(found):.2f} %{spread}"))
    show(
        f"Test accuracy after {epochs} epochs, {seeds} seeds, T = {TEMPERATURE}, alpha = {ALPHA}",
        rows,
    )

    times = timed(teacher, data, rounds, steps)
    for what in ("logits", "one feature"):
        ours, theirs = times[f"{OURS}, {what}"], times[f"{THEIRS}, {what}"]
        rows = [
            (OURS, f"{ours:.2f} ms"),
            (THEIRS, f"{theirs:.2f} ms"),
            (f"{THEIRS} / {OURS}", f"{theirs / ours:.2f}"),
        ]
        show(f"Processor time of a step, {what}, batch {BATCH}", rows)
    print(f"  {'student alone, no teacher':<38}{times['student alone']:>13.2f} ms")

    rows = [(kind, f"{moved_by_zero_weights(kind, teacher, data):.2g}") for kind in (OURS, THEIRS)]
    show("Largest change of a weight in a step in which every sample weight is 0", rows)
    rows = [(kind, f"{moved_by_evaluate(kind, teacher, data):.2g}") for kind in (OURS, THEIRS)]
    show("Largest change of a BatchNorm statistic in evaluate()", rows)


if __name__ == "__main__":
    main()

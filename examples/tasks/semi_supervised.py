"""40 labels among 1,257 digits: what the student's own average says of the rest.

Run: python examples/tasks/semi_supervised.py [--short] [--seeds N] [--out FOLDER]

The mean teacher (Tarvainen and Valpola 2017, arXiv 1703.01780) judges each digit as it is; the student sees
it moved and noisy, and learns its soft targets, and as labels the answers that it is sure of (FixMatch, Sohn
et al. 2020, arXiv 2001.07685). The student alone sees the 40 digits, moved and noisy, too, for as many steps.
Beside: without the pseudo-labels; and soft targets of a teacher that knew all labels.
"""

import keras
import numpy as np
import tensorflow as tf
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LABELS, BATCH, SHARE = 40, 64, 16  # digits with a label: of all, and of a batch
SOFT, PSEUDO, NOISE = 1.0, 0.5, 0.2


def trial(seed, place):
    data = kd.datasets.digits()
    (x, y, _), test = data.arrays["train"], data.arrays["test"][:2]
    known = data.labelled_only(LABELS, seed).arrays["train"]
    epochs = 1 if place.short else 40

    def fit(model, batches):
        decay = keras.optimizers.schedules.CosineDecay(5e-3, epochs * len(batches))
        model.compile(keras.optimizers.Adam(decay), CROSS_ENTROPY)
        model.fit(batches, epochs=epochs, verbose=0)

    def student():
        keras.utils.set_random_seed(seed)
        return kd.models.digits_student()

    def taught(objectives):
        scheme = kd.MeanTeacher(student(), objectives, momentum=0.99, **VIEWS)
        fit(scheme, partly(known, x, seed))
        return scheme.average

    def teacher():
        model = kd.models.digits_teacher()
        model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
        model.fit(x, y, batch_size=32, epochs=epochs // 2, verbose=0)
        return model

    keras.utils.set_random_seed(seed)
    teacher = place.model(f"teacher{seed}", teacher)
    alone, told = student(), student()
    fit(alone, partly(known, x, seed).map(lambda x, y, weight: (x["strong"][:SHARE], y[:SHARE])))
    fit(kd.Distiller(told, teacher, [soft(1.0, 4.0)], **VIEWS), partly(known, x, seed))
    models = {
        "teacher": teacher,
        "alone": alone,
        "distilled": taught([soft(later(SOFT, epochs)), pseudo_labels(epochs)]),
    }
    models |= {
        "without pseudo-labels": taught([soft(later(SOFT, epochs))]),
        "soft targets of the teacher": told,
    }
    scores = {name: accuracy(model, *test) for name, model in models.items()}
    return Trial(scores, models["distilled"], teacher.count_params(), test, x[:200])


VIEWS = {"student_inputs": "strong", "teacher_preprocess": lambda x: x["weak"]}


def soft(weight, temperature=1.0):
    return kd.Objective(kd.losses.SoftTargets(temperature), weight=weight, use_sample_weight=False)


def later(weight, epochs):
    """0 in the first third of the steps, in which the average knows too little, then up to the weight."""
    return lambda step: weight * keras.ops.clip(keras.ops.cast(step, "float32") / (9 * epochs) - 1, 0, 1)


def pseudo_labels(epochs):
    sure = kd.losses.ConfidenceFiltered("hard_targets", threshold=0.95)
    return kd.Objective(sure, weight=later(PSEUDO, epochs), use_sample_weight=False, name="pseudo_labels")


def partly(known, x, seed):
    """Batches of digits with and, weighted 0, without a label, in two views."""
    keras.utils.set_random_seed(seed)
    labelled = tf.data.Dataset.from_tensor_slices((known.x, known.y)).shuffle(LABELS).repeat()
    every = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x))
    batches = tf.data.Dataset.zip(
        labelled.batch(SHARE, drop_remainder=True), every.batch(BATCH - SHARE, drop_remainder=True)
    )
    weight = tf.constant([BATCH / SHARE] * SHARE + [0.0] * (BATCH - SHARE))

    def views(some, others):
        weak = tf.concat([some[0], others], 0)
        y = tf.pad(some[1], [[0, BATCH - SHARE]])
        padded = tf.pad(weak, [[0, 0], [1, 1], [1, 1], [0, 0]])
        moved = tf.image.random_crop(padded, weak.shape)  # all digits of a batch alike
        strong = tf.clip_by_value(moved + tf.random.normal(weak.shape, stddev=NOISE), 0, 1)
        return {"weak": weak, "strong": strong}, y, weight

    return batches.map(views)


def accuracy(model, x, y):
    return np.mean(np.argmax(model.predict(x, verbose=0), -1) == y)


ROWS = [Row("semi-supervised", "digits, 40 labels", "accuracy, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)

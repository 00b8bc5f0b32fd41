"""Digits without data: a student learns from what a generator makes to please a teacher.

Run: python examples/tasks/data_free.py [--short] [--seeds N] [--out FOLDER]

Chen et al. (2019, arXiv 1904.01186, DAFL), and the statistics of Yin et al. (2020, arXiv 1912.08795,
DeepInversion): the generator makes images of which the teacher is sure, of all classes alike, and on which
its BatchNorms meet the means and variances of the digits that it was trained on. The student sees no digit.
"""

import keras
import numpy as np
from keras import layers
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def trial(seed, place):
    data = kd.datasets.digits()
    (x, y, _), test = data.arrays["train"], data.arrays["test"][:2]
    steps = 20 if place.short else 2500

    def fit(model):
        model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
        model.fit(x, y, batch_size=32, epochs=1 if place.short else 40, verbose=0)
        return model

    def student():
        keras.utils.set_random_seed(seed)
        return kd.models.digits_student()

    def without_data(**weights):
        model = student()
        scheme = kd.DataFree(model, teacher, generator(), temperature=4.0, **weights)
        decay = keras.optimizers.schedules.CosineDecay(3e-3, steps)
        scheme.compile(keras.optimizers.Adam(decay))
        scheme.fit(kd.random_codes(32, batch_size=64, seed=seed), steps_per_epoch=steps, verbose=0)
        return model

    keras.utils.set_random_seed(seed)
    teacher = place.model(f"teacher{seed}", lambda: fit(kd.models.digits_teacher()))
    distilled = without_data(statistics=10.0, one_hot=0.1)
    models = {"teacher": teacher, "alone": fit(student()), "distilled": distilled}
    models["DAFL's loss alone"] = without_data(feature="pool")
    scores = {name: accuracy(model, *test) for name, model in models.items()}
    scores["of the teacher's"] = scores["distilled"] / scores["teacher"]
    return Trial(scores, distilled, teacher.count_params(), test, x[:200])


def generator():
    """From a code of 32 numbers to an image; BatchNorms keep codes apart."""
    steps = [
        layers.Dense(4 * 4 * 48, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Reshape((4, 4, 48)),
        layers.UpSampling2D(),
        layers.Conv2D(24, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    return keras.Sequential([keras.Input((32,)), *steps], name="generator")


def accuracy(model, x, y):
    return np.mean(np.argmax(model.predict(x, verbose=0), -1) == y)


ROWS = [Row("data-free", "digits, none of them shown", "accuracy, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)

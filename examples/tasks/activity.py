"""Activity on a phone: an ensemble teaches about 1,400 parameters, asked about people it has never seen.

Run: python examples/tasks/activity.py [--short] [--seeds N] [--out FOLDER]

HAPT (Reyes-Ortiz et al. 2016): six activities of 30 people with a phone at the waist. The test users are the
nine that its authors chose. Three larger networks are one teacher (Hinton et al. 2015, arXiv 1503.02531); the
int8 file of the student is asked about windows of six seconds. Beside the accuracy stands that of the user
who fares worst. In short form, the motions are noisy oscillations of made-up users.
"""

from functools import partial

import keras
import numpy as np
from keras import layers
from parts.motions import generated_motions, read_hapt
from parts.rows import Row, Trial, main
from scipy.spatial.transform import Rotation

import keras_kd as kd

VALIDATION, TEST = (1, 8, 16, 25), (2, 4, 9, 10, 12, 13, 18, 20, 24)  # users
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TEACHER, STUDENT = ((64, 5), (96, 5), (128, 5)), ((8, 5), (12, 3), (16, 3))
MEMBERS, TEACHERS_EPOCHS, EPOCHS = 3, 3, 10
COPIES, ANGLE = 3, 0.15  # of each window, in radians
TEMPERATURE, ALPHA, RATE, RATE_ALONE = 4.0, 0.1, 3e-3, 3e-3


def network(sizes, length, dropout=0.0):
    x = motion = keras.Input((length, 6), name="motion")
    for width, kernel in sizes:
        x = layers.Conv1D(width, kernel, 2, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(motion, layers.Dense(6, name="logits")(x))


def fit(model, x, y, epochs, rate):
    rate = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(y) // 64))
    model.compile(keras.optimizers.Adam(rate), CROSS_ENTROPY)
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    return model


def read(place):
    """Windows, activities and users."""
    if place.short:
        x, y = generated_motions(60, (0.2, 0.3, 0.5, 0.7, 1.1, 1.6), np.random.default_rng(0))
        return x, y, 1 + np.arange(len(y)) % 30
    return read_hapt()


def turned(x, random, angle):
    """Windows as if each user wore the phone a little differently: rotated, in three dimensions."""
    turns = Rotation.from_rotvec(random.normal(0, angle, (len(x), 3))).as_matrix()
    axes = np.einsum("nij,ntkj->ntki", turns, x.reshape(*x.shape[:2], 2, 3))
    return axes.reshape(x.shape).astype("float32")


def teach(x, y, seed, epochs):
    keras.utils.set_random_seed(seed)
    return fit(network(TEACHER, x.shape[1], 0.3), x, y, epochs, 1e-3)


def by_user(model, x, y, users):
    """Whether each window's activity is recognized: the accuracy of all, and that of the worst user."""
    right = np.argmax(model.predict(x, batch_size=1024, verbose=0), -1) == y
    return right.mean(), min(right[users == user].mean() for user in np.unique(users))


def compare(seed, place, tested):
    x, y, users = read(place)
    test, train = np.isin(users, tested), ~np.isin(users, VALIDATION + TEST)
    random, epochs = np.random.default_rng(0), 1 if place.short else EPOCHS
    x_train = np.concatenate([x[train]] + [turned(x[train], random, ANGLE) for _ in range(COPIES)])
    y_train = np.tile(y[train], COPIES + 1)
    members = []
    for number in range(2 if place.short else MEMBERS):  # one ensemble for all seeds
        make = partial(teach, x_train, y_train, number, 1 if place.short else TEACHERS_EPOCHS)
        members.append(place.model(f"member{number}", make))
    teacher = kd.ensemble(members)
    answers = teacher.predict(x_train, batch_size=1024, verbose=0)

    def student():
        keras.utils.set_random_seed(seed)
        return network(STUDENT, x.shape[1])

    alone, distilled = fit(student(), x_train, y_train, epochs, RATE_ALONE), student()
    distiller = kd.Distiller(distilled, temperature=TEMPERATURE, alpha=ALPHA)
    fit(distiller, kd.Taught(x_train, {"output": answers}), y_train, epochs, RATE)
    scores = {}
    for name, model in {"teacher": teacher, "alone": alone, "distilled": distilled}.items():
        scores[name], scores[f"worst user {name}"] = by_user(model, x[test], y[test], users[test])
    return scores, distilled, teacher, (x[test], y[test]), x_train


def trial(seed, place):
    scores, student, teacher, test, x = compare(seed, place, TEST)
    data = "generated motions" if place.short else None
    samples = x[:: max(len(x) // 200, 1)]
    return Trial(scores, student, teacher.count_params(), test, samples, data)


ROWS = [Row("activity", "HAPT, nine users not seen", "accuracy, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)

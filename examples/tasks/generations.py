"""Born-again generations and a chain of teacher assistants, with 300 digits.

Run: python examples/tasks/generations.py [--short] [--seeds N] [--out FOLDER]

Furlanello et al. (2018, arXiv 1805.04770): a network learns from the same network, trained before it; three
generations make an ensemble, beside which stands one of three that learned alone. Mirzadeh et al. (2020,
arXiv 1902.03393): between a big teacher and a small student stands an assistant of middle size; beside it,
the student that learned straight from the teacher.
"""

import keras
import numpy as np
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DATA = kd.datasets.digits().labelled_only(300)
(X, Y, _), TEST = DATA.arrays["train"], DATA.arrays["test"][:2]
SOFT = {"temperature": 4.0, "alpha": 0.3}


def generations(makes, seed, place, folder, **options):
    """The models of `kd.train_generations`, all with the same budget."""
    epochs = 1 if place.short else 80
    decay = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(X) // 32))
    return kd.train_generations(
        makes,
        (X, Y),
        place.folder / f"{folder}{seed}",
        compile=lambda: {"optimizer": keras.optimizers.Adam(decay), "loss": CROSS_ENTROPY},
        distiller=SOFT,
        seed=10 * seed,
        batch_size=32,
        epochs=epochs,
        verbose=0,
        **options,
    )


def born_again(seed, place):
    models = generations(kd.models.digits_student, seed, place, "generations", generations=3)
    alone = [
        generations(kd.models.digits_student, seed + 1000 * number, place, "alone", generations=1)[0]
        for number in (1, 2)
    ]
    first, second, third = map(accuracy, models)
    scores = {"alone": np.mean([first, *map(accuracy, alone)]), "distilled": third, "second": second}
    scores["ensemble of generations"] = accuracy(together(models))
    scores["ensemble of those alone"] = accuracy(together([models[0], *alone]))
    return Trial(scores, models[-1], models[0].count_params(), TEST, X[:200])


def assistants(seed, place):
    (teacher,) = generations(kd.models.digits_teacher, seed, place, "teacher", generations=1)
    (alone,) = generations([small], seed, place, "small")
    (straight,) = generations([small], seed, place, "straight", teacher=teacher)
    middle, student = generations([kd.models.digits_student, small], seed, place, "chain", teacher=teacher)
    models = {"teacher": teacher, "alone": alone, "distilled": student, "assistant": middle}
    models["straight from the teacher"] = straight
    scores = {name: accuracy(model) for name, model in models.items()}
    return Trial(scores, student, teacher.count_params(), TEST, X[:200])


def small():
    """A quarter of `digits_student`."""
    return kd.models.plain("small", (8, 8, 1), widths=(4, 8, 12), strides=(1, 2, 2))


def together(models):
    return kd.ensemble(models, names=[f"member{number}" for number in range(len(models))])


def accuracy(model):
    x, y = TEST
    return np.mean(np.argmax(model.predict(x, verbose=0), -1) == y)


ROWS = [
    Row("born-again", "300 digits", "accuracy, %", born_again, 5),
    Row("teacher assistant", "300 digits", "accuracy, %", assistants, 5),
]

if __name__ == "__main__":
    main(ROWS, __doc__)

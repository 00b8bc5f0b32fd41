"""A class that the student never sees: digits without the threes, of which the teacher's answers tell.

Run: python examples/tasks/omitted_class.py [--short] [--seeds N] [--out FOLDER]

Hinton, Vinyals and Dean (2015, arXiv 1503.02531, section 3) left all threes out of what the student is
trained on. Only what the teacher thinks of other digits tells of them, and their student recognized 98.6 %
once its bias for the class was raised. A student alone can know none. The bias is raised here, too, until
threes are as frequent among the answers to all training digits as among their labels.
"""

import keras
import numpy as np
from parts.rows import Row, Trial, main

import keras_kd as kd

OMITTED = 3
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def recall(labels, outputs):
    """The part of the omitted digit that is recognized."""
    return np.mean(np.argmax(outputs[labels == OMITTED], -1) == OMITTED)


def trial(seed, place):
    data = kd.datasets.digits()
    (x, y, _), (x_test, y_test, _) = data.arrays["train"], data.arrays["test"]
    kept = y != OMITTED
    epochs = 2 if place.short else 40

    def fit(model, x, y):
        model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
        model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
        return model

    def student():
        keras.utils.set_random_seed(seed)
        return kd.models.digits_student()

    keras.utils.set_random_seed(seed)
    teacher = place.model(f"teacher{seed}", lambda: fit(kd.models.digits_teacher(), x, y))
    alone, distilled = fit(student(), x[kept], y[kept]), student()
    fit(kd.Distiller(distilled, teacher, temperature=8.0, alpha=0.0), x[kept], y[kept])
    scores = {"teacher": recall(y_test, teacher.predict(x_test, verbose=0))}
    scores["alone"] = recall(y_test, alone.predict(x_test, verbose=0))
    scores["before the bias"] = recall(y_test, distilled.predict(x_test, verbose=0))
    raise_bias(distilled, x, np.mean(y == OMITTED))
    outputs = distilled.predict(x_test, verbose=0)
    scores["distilled"] = recall(y_test, outputs)
    scores["accuracy of all"] = np.mean(np.argmax(outputs, -1) == y_test)
    return Trial(scores, distilled, teacher.count_params(), (x_test, y_test), x[:200])


def raise_bias(model, x, frequency):
    """Raise the omitted class's bias until the model gives it as often as it occurs."""
    outputs = model.predict(x, verbose=0)
    behind = np.delete(outputs, OMITTED, 1).max(1) - outputs[:, OMITTED]
    values = model.layers[-1].bias.numpy()
    values[OMITTED] += np.quantile(behind, frequency)
    model.layers[-1].bias.assign(values)


ROWS = [Row("omitted class", "digits without threes", "recall of threes, %", trial, 5, measure=recall)]

if __name__ == "__main__":
    main(ROWS, __doc__)

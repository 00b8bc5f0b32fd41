"""Tables: boosted trees teach a small network, also with rows that nobody has measured.

Run: python examples/tasks/tables.py [--short] [--seeds N] [--out FOLDER]

Bucila, Caruana and Niculescu-Mizil (KDD 2006, "Model Compression") let a teacher label made-up rows, which
take values from rows nearby. Here boosted trees of scikit-learn answer, and a small network learns their
answers: prices of houses in California, and who earns more than $50,000 (Adult). It reads each number as how
far it has come through each of 32 intervals (Gorishniy et al. 2022, arXiv 2203.05556), which is worth more
than the teacher. In short form, the tables are those that come with scikit-learn.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from parts.rows import Row, Trial, main
from parts.tables import TABLES, accuracy, in_intervals, made_up, one_call, rmse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import keras_kd as kd

BATCH = 256


class Recipe(NamedTuple):
    """How a table is learned; chosen on validation rows."""

    regression: bool
    trees: int  # how many are boosted
    steps: int  # of batches of 256
    steps_alone: int  # more of them made it worse
    copies: int  # made-up rows for each row
    width: int
    swapped: float = 0.3  # the part of their values that comes from a row nearby
    rate: float = 3e-3
    rate_alone: float = 2e-3


def network(x, width, outputs):
    row = keras.Input((x.shape[1],), name="row")
    hidden = in_intervals(row, x, 32)
    for _ in range(2):
        hidden = layers.Dense(width, "relu")(hidden)
    return keras.Model(row, layers.Dense(outputs, name="answer")(hidden))


def fit(model, x, y, recipe, rate, steps, loss_weight=1.0):
    """As many steps for many rows as for few."""
    losses = keras.losses
    loss = losses.MeanSquaredError() if recipe.regression else losses.SparseCategoricalCrossentropy(True)
    rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.AdamW(rate, 1e-4)
    model.compile(optimizer, loss, loss_weights=loss_weight, steps_per_execution=min(steps, 20))
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y), 0).repeat()
    model.fit(data.batch(min(BATCH, len(y))), steps_per_epoch=steps, verbose=0, shuffle=False)
    return model


def boosted(table, recipe, short):
    """Trees, and a function that gives their numbers or their logits."""
    kind = HistGradientBoostingRegressor if recipe.regression else HistGradientBoostingClassifier
    count = 20 if short else recipe.trees
    trees = kind(learning_rate=0.06, max_iter=count, l2_regularization=1.0, early_stopping=False)
    trees.set_params(random_state=0).fit(*table.train)
    if recipe.regression:
        return trees, lambda x: trees.predict(x)[:, None]
    return trees, lambda x: np.log(np.clip(trees.predict_proba(x), 1e-6, 1))


def compare(seed, place, name, recipe, part="test"):
    table = TABLES[name](place.short)
    (x, y), (x_test, y_test) = table.train, getattr(table, part)
    trees, teach = boosted(table, recipe, place.short)

    def student():
        keras.utils.set_random_seed(seed)
        return network(x, recipe.width, 1 if recipe.regression else 2)

    rows = np.concatenate([x, *made_up(x, 1 if place.short else recipe.copies, recipe.swapped)])
    labels, answers = np.resize(y, len(rows)), teach(rows).astype("float32")
    steps, steps_alone = (20, 20) if place.short else (recipe.steps, recipe.steps_alone)
    found = {"alone": fit(student(), x, y, recipe, recipe.rate_alone, steps_alone)}
    for way, count in {"own rows only": len(x), "distilled": len(rows)}.items():
        found[way] = student()
        distiller = kd.Distiller(
            found[way], None, ["mse" if recipe.regression else kd.losses.SoftTargets(1.0)]
        )
        taught = kd.Taught(rows[:count], {"output": answers[:count]})
        fit(distiller, taught, labels[:count], recipe, recipe.rate, steps, 0.0)  # no label is read
    metric = rmse if recipe.regression else accuracy
    scores = {"teacher": metric(y_test, teach(x_test))}
    scores |= {way: metric(y_test, model.predict(x_test, verbose=0)) for way, model in found.items()}
    gap, gain = (scores["alone"] - scores[way] for way in ("teacher", "distilled"))
    scores["part of the gap closed"] = gain / gap
    samples = x[:: max(len(x) // 500, 1)]

    def facts(path):
        """The trees' time for one row beside the file's."""
        times = one_call(trees.predict, x_test), kd.benchmark(path, seconds=1).median_ms
        return f"trees {times[0]:.1f} ms, {times[0] / times[1]:,.0f} times as long"

    return Trial(scores, found["distilled"], 0, (x_test, y_test), samples, table.name, facts)


HOUSES = Recipe(True, trees=600, steps=8000, steps_alone=1900, copies=20, width=128)
INCOMES = Recipe(False, trees=200, steps=8000, steps_alone=1700, copies=8, width=64)
ROWS = [
    Row("prices", "California housing", "RMSE, $100,000", partial(compare, name="houses", recipe=HOUSES)),
    Row("incomes", "Adult", "accuracy, %", partial(compare, name="incomes", recipe=INCOMES)),
]
errors = {"measure": rmse, "percent": False, "less_is_better": True}
ROWS[0] = ROWS[0]._replace(quantization="dynamic", **errors)
ROWS[1] = ROWS[1]._replace(quantization="dynamic", measure=accuracy)

if __name__ == "__main__":
    main(ROWS, __doc__)

"""Tables: boosted trees and a deep network teach a small one, also with rows that nobody has measured.

Run: python examples/tasks/tables.py [--short] [--seeds N] [--out FOLDER]

Bucila, Caruana and Niculescu-Mizil (KDD 2006, "Model Compression") let an ensemble label made-up rows, which
take values from rows nearby. Here boosted trees of scikit-learn and three deep networks answer together, and
a small network learns their answers: prices of houses in California, and who earns more than $50,000 (Adult).
All read the same standardized numbers. In short form, the tables are those that come with scikit-learn.
"""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from parts.rows import Row, Trial, main
from parts.tables import TABLES, accuracy, made_up, one_call, rmse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import keras_kd as kd

BATCH = 256


class Recipe(NamedTuple):
    """How a table is learned; chosen on validation rows."""

    regression: bool
    width: int = 64
    copies: int = 4  # made-up rows for each row
    swapped: float = 0.3  # the part of their values that comes from a row nearby
    alpha: float = 0.0  # weight of the labels
    trees: float = 0.5  # the trees' part of the teacher's answer
    trees_rate: float = 0.06
    deep_epochs: int = 40
    rate: float = 3e-3
    rate_alone: float = 2e-3
    epochs: int = 40


def network(features, width, depth, outputs, dropout=0.0):
    x = row = keras.Input((features,), name="row")
    for _ in range(depth):
        x = layers.Dropout(dropout)(layers.Dense(width, "relu")(x))
    return keras.Model(row, layers.Dense(outputs, name="answer")(x))


def fit(model, x, y, recipe, rate, steps, loss_weight=1.0):
    """As many steps for many rows as for few."""
    losses = keras.losses
    loss = losses.MeanSquaredError() if recipe.regression else losses.SparseCategoricalCrossentropy(True)
    rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.AdamW(rate, 1e-4), loss, loss_weights=loss_weight)
    batch = min(BATCH, len(y))
    model.fit(x, y, batch_size=batch, epochs=max(1, round(steps * batch / len(y))), verbose=0)
    return model


def boosted(table, recipe, short):
    """Trees, and a function that gives their numbers or their logits."""
    kind = HistGradientBoostingRegressor if recipe.regression else HistGradientBoostingClassifier
    count = 20 if short else 600
    trees = kind(learning_rate=0.06, max_iter=count, max_leaf_nodes=31, l2_regularization=1.0)
    trees.set_params(
        early_stopping=False, random_state=0, max_iter=count if recipe.regression else count // 3
    )
    trees.fit(*table.train)
    if recipe.regression:
        return trees, lambda x: trees.predict(x)[:, None]
    return trees, lambda x: np.log(np.clip(trees.predict_proba(x), 1e-6, 1))


def deep(table, recipe, short, number):
    keras.utils.set_random_seed(number)
    x, y = table.train
    model = network(x.shape[1], 256, 3, 1 if recipe.regression else 2, 0.1)
    return fit(model, x, y, recipe, 1e-3, 20 if short else recipe.deep_epochs * len(y) // BATCH)


def compare(seed, place, name, recipe, part="test"):
    table = TABLES[name](place.short)
    (x, y), (x_test, y_test) = table.train, getattr(table, part)
    trees, of_trees = boosted(table, recipe, place.short)
    nets = [
        place.model(f"deep{number}", partial(deep, table, recipe, place.short, number))
        for number in range(1 if place.short else 3)
    ]

    def teach(x):
        of_nets = [net.predict(x, batch_size=4096, verbose=0) for net in nets]
        if not recipe.regression:
            of_nets = [keras.ops.convert_to_numpy(keras.ops.log_softmax(values)) for values in of_nets]
        return recipe.trees * of_trees(x) + (1 - recipe.trees) * np.mean(of_nets, 0)

    def student():
        keras.utils.set_random_seed(seed)
        return network(x.shape[1], recipe.width, 2, 1 if recipe.regression else 2)

    rows = np.concatenate([x, *made_up(x, recipe.copies, recipe.swapped)])
    known = np.arange(len(rows)) < len(y)  # made-up rows have no label
    labels, answers = np.resize(y, len(rows)), teach(rows).astype("float32")
    steps = 20 if place.short else recipe.epochs * len(y) // BATCH
    found = {"alone": fit(student(), x, y, recipe, recipe.rate_alone, steps)}
    for way, chosen in {"own rows only": known, "distilled": np.ones_like(known)}.items():
        found[way] = student()
        loss = "mse" if recipe.regression else kd.losses.SoftTargets(1.0)
        distiller = kd.Distiller(found[way], None, [kd.Objective(loss, weight=1 - recipe.alpha)])
        taught = kd.Taught(rows[chosen], {"output": answers[chosen]})
        fit(distiller, taught, labels[chosen], recipe, recipe.rate, steps, recipe.alpha)
    metric = rmse if recipe.regression else accuracy
    scores = {"teacher": metric(y_test, teach(x_test)), "trees": metric(y_test, of_trees(x_test))}
    scores |= {way: metric(y_test, model.predict(x_test, verbose=0)) for way, model in found.items()}
    if recipe.regression:  # other scores are printed in percent
        scores["trees, ms of one call"] = one_call(trees.predict, x_test)
    parameters = sum(net.count_params() for net in nets)
    samples = x[:: max(len(x) // 500, 1)]
    return Trial(scores, found["distilled"], parameters, (x_test, y_test), samples, table.name)


HOUSES, INCOMES = Recipe(True), Recipe(False, 32, epochs=15, trees_rate=0.02, deep_epochs=8)
ROWS = [
    Row("prices", "California housing", "RMSE, $100,000", partial(compare, name="houses", recipe=HOUSES)),
    Row("incomes", "Adult", "accuracy, %", partial(compare, name="incomes", recipe=INCOMES)),
]
errors = {"measure": rmse, "percent": False, "less_is_better": True}
ROWS[0] = ROWS[0]._replace(quantization="dynamic", **errors)
ROWS[1] = ROWS[1]._replace(quantization="dynamic", measure=accuracy)

if __name__ == "__main__":
    main(ROWS, __doc__)

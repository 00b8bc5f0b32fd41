"""Peers that teach one another: two and three small networks with 300 digits, no teacher at all.

Run: python examples/tasks/mutual.py [--short] [--seeds N] [--out FOLDER]

Zhang et al. (2018, arXiv 1706.00384). All peers are the same network, begun at different places. Alone, each
learns the labels; together, each learns in every step what the others say, too. The accuracies are means
over the peers; beside them stand the least that a peer gained, and the ensembles of those alone and together.
Two peers gained 0.8 points on average (five seeds); in single seeds a peer was up to 0.6 points worse.
"""

import functools

import keras
import numpy as np
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TEMPERATURE = 2.0


def trial(count, seed, place):
    data = kd.datasets.digits().labelled_only(300)
    (x, y, _), (x_test, y_test, _) = data.arrays["train"], data.arrays["test"]
    names = "abc"[:count]

    def fit(model):
        keras.utils.set_random_seed(seed)  # the same order of batches for all
        epochs = 2 if place.short else 80
        decay = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // 32))
        model.compile(keras.optimizers.Adam(decay), CROSS_ENTROPY)
        model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)

    def peers():
        made = {}
        for number, name in enumerate(names):
            keras.utils.set_random_seed(10 * seed + number)
            made[name] = keras.models.clone_model(kd.models.digits_student())
            made[name].name = name
        return made

    alone, together = peers(), peers()
    for model in alone.values():
        fit(model)
    fit(kd.Mutual(list(together.values()), [kd.losses.SoftTargets(TEMPERATURE)]))
    accuracies = {
        kind: np.array([accuracy(model, x_test, y_test) for model in models.values()])
        for kind, models in (("alone", alone), ("distilled", together))
    }
    scores = {kind: found.mean() for kind, found in accuracies.items()}
    scores["least gain of a peer"] = np.min(accuracies["distilled"] - accuracies["alone"])
    scores["ensemble of those alone"] = accuracy(kd.ensemble(list(alone.values())), x_test, y_test)
    scores["ensemble of peers"] = accuracy(kd.ensemble(list(together.values())), x_test, y_test)
    return Trial(scores, together["a"], 0, (x_test, y_test), x[:200])


def accuracy(model, x, y):
    return np.mean(np.argmax(model.predict(x, verbose=0), -1) == y)


ROWS = [
    Row(f"mutual, {words} peers", "300 digits", "accuracy, %", functools.partial(trial, count), 5)
    for count, words in ((2, "two"), (3, "three"))
]

if __name__ == "__main__":
    main(ROWS, __doc__)

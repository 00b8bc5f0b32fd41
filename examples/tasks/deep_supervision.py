"""Be your own teacher: the deepest exit of a network teaches its earlier ones, with 300 digits.

Run: python examples/tasks/deep_supervision.py [--short] [--seeds N] [--out FOLDER]

Zhang et al. (2019, arXiv 1905.08094). Each exit learns the labels and what the deepest one says, and the
features before it those of the deepest. Alone, there is a network for each exit, which ends there; the
distilled student has all exits in one network. The table's accuracies are those of the deepest exit.
"""

import keras
import numpy as np
from keras import layers
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
EXITS = "first", "second", "deepest"
TEMPERATURE, SOFT, HINT = 3.0, 1.0, 0.01


def trial(seed, place):
    data = kd.datasets.digits().labelled_only(300)
    (x, y, _), (x_test, y_test, _) = data.arrays["train"], data.arrays["test"]

    def fit(model, names):
        keras.utils.set_random_seed(seed)  # the same order of batches for all
        epochs = 2 if place.short else 80
        decay = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // 32))
        model.compile(keras.optimizers.Adam(decay), dict.fromkeys(names, CROSS_ENTROPY))
        model.fit(x, dict.fromkeys(names, y), batch_size=32, epochs=epochs, verbose=0)

    def accuracies(model):
        return {
            name: np.mean(np.argmax(outputs, -1) == y_test)
            for name, outputs in model.predict(x_test, verbose=0).items()
        }

    alone = {}
    for name in EXITS:
        model = network(seed, [name])
        fit(model, [name])
        alone |= accuracies(model)
    student = network(seed, EXITS)
    fit(kd.Distiller(student, objectives=objectives()), EXITS)
    found = accuracies(student)
    scores = {"alone": alone["deepest"], "distilled": found["deepest"]}
    for name in EXITS[:-1]:
        scores |= {f"{name} exit alone": alone[name], f"{name} exit": found[name]}
    deepest = keras.Model(student.input, student.output["deepest"], name="deepest_exit")
    return Trial(scores, deepest, 0, (x_test, y_test), x[:200])


def objectives():
    """What the deepest exit tells each earlier one: its answer and its features."""
    terms = []
    for name in EXITS[:-1]:
        soft = kd.losses.SoftTargets(TEMPERATURE)
        taps = {"student": f"output/{name}", "teacher": "output/deepest", "from_student": True}
        terms.append(kd.Objective(soft, weight=SOFT, name=f"soft_{name}", **taps))
        taps = {"student": f"{name}_features", "teacher": "deepest_features", "from_student": True}
        terms.append(kd.Objective("mse", weight=HINT, name=f"hint_{name}", **taps))
    return terms


def network(seed, exits):
    """Three convolutions; earlier exits have one more each, so that all end with the same features."""
    keras.utils.set_random_seed(seed)
    inputs = x = keras.Input((8, 8, 1), name="image")
    outputs = {}
    for name, width, stride, rest in zip(EXITS, (24, 32, 48), (1, 2, 2), (4, 2, None), strict=True):
        x = convolution(x, width, 3, stride)
        y = convolution(x, 48, 3, rest) if rest else x
        features = layers.GlobalAveragePooling2D(name=f"{name}_features")(y)
        outputs[name] = layers.Dense(10, name=name)(features)
    return keras.Model(inputs, {name: outputs[name] for name in exits})


def convolution(x, width, kernel, stride):
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


ROWS = [Row("deep supervision", "300 digits", "accuracy of the deepest exit, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)

"""Several teachers: a forest that knows all digits, and two networks that know half of them each.

Run: python examples/several_teachers.py [--short]

The forest is one of scikit-learn, the networks are Keras models with five classes. `kd.ensemble` makes one
teacher of them: each network decides how the probability of its digits is shared among them, and the forest
decides the rest. The student sees no label.
"""

import argparse

import keras
import numpy as np
from sklearn.ensemble import RandomForestClassifier

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
epochs = 1 if parser.parse_args().short else 20

data = kd.datasets.digits()
x, y, _ = data.arrays["train"]
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(width, classes, name):
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(width, activation="relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes)(hidden), name=name)


def specialist(name, digits):
    """A network that was trained on these digits only."""
    model, known = network(128, len(digits), name), np.isin(y, digits)
    model.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
    model.fit(x[known], np.searchsorted(digits, y[known]), epochs=epochs, verbose=0)
    return model


keras.utils.set_random_seed(0)
knows = {"even": [0, 2, 4, 6, 8], "odd": [1, 3, 5, 7, 9]}
forest = RandomForestClassifier(50, random_state=0).fit(x.reshape(len(x), -1), y)
members = {name: specialist(name, digits) for name, digits in knows.items()}
members["forest"] = kd.as_teacher(
    forest, inputs=(8, 8, 1), host=True
)  # asked in each step, outside TensorFlow
teacher = kd.ensemble(members, classes=knows)

student = network(16, 10, "student")
distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(temperature=2.0)])
distiller.compile(keras.optimizers.Adam(2e-3))
distiller.fit(x, epochs=epochs, batch_size=32, verbose=2)

test_x, test_y, _ = data.arrays["test"]
for name, model in (("forest", members["forest"]), ("ensemble", teacher), ("student", student)):
    right = model.predict(test_x, verbose=0).argmax(-1) == test_y
    print(f"{name}: {100 * right.mean():.1f} % of the test digits are right")

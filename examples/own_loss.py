"""Bring your own loss function, loss class, projection, and a teacher with a different input size.

Run: python examples/own_loss.py [--short]
"""

import argparse

import keras
from keras import layers, ops

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
epochs = 1 if parser.parse_args().short else 20


def cosine_distance(teacher, student):
    """A function: two signals in, one value per sample (or per position) out."""
    return 1 + keras.losses.cosine_similarity(teacher, student)


@keras.saving.register_keras_serializable("my_project")  # so that a saved Distiller can be loaded
class Margin(keras.losses.Loss):
    """A class: a Keras loss whose `call` returns one value per sample. Nothing else is needed.

    The student's margin between its top two classes should be at least the teacher's.
    """

    reads_logits = True  # even if a model ends in a softmax, this loss gets its logits

    def call(self, teacher, student):
        return ops.relu(self.margin(teacher) - self.margin(student))

    def margin(self, logits):
        best = ops.top_k(logits, 2)[0]
        return best[:, 0] - best[:, 1]


def double(name):
    """A teacher for digits of 16x16 pixels."""
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(48, 3, strides=2, padding="same", activation="relu", name="features")(x)
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)), name=name)


keras.utils.set_random_seed(0)
data = kd.datasets.digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
enlarge = layers.UpSampling2D(2, interpolation="bilinear")

teacher = double("teacher_of_16x16")
teacher.compile("adam", loss=cross_entropy, metrics=["accuracy"])
large = data.train.map(lambda x, y: (enlarge(x), y))
teacher.fit(large, epochs=epochs, verbose=2)

student = kd.models.digits_student()
projection = keras.Sequential([layers.Conv2D(32, 1, activation="relu"), layers.Conv2D(48, 1)])
distiller = kd.Distiller(
    student,
    teacher,
    objectives=[
        kd.Objective(kd.losses.SoftTargets(temperature=4.0), weight=0.9),
        kd.Objective(cosine_distance, student="stage2", teacher="features", project=projection),
        kd.Objective(Margin(), weight=0.01),
    ],
    teacher_preprocess=enlarge,  # the data has 8x8 pixels
)
distiller.compile("adam", loss=cross_entropy, loss_weights=0.1, metrics=["accuracy"])
history = distiller.fit(data.train, validation_data=data.validation, epochs=epochs, verbose=2).history

for objective in distiller.objectives:
    first, last = history[objective.name][0], history[objective.name][-1]
    print(f"{objective.name}: {first:.4g} in the first epoch, {last:.4g} in the last")
accuracy = distiller.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
print(f"student: {100 * accuracy:.1f} % of the test digits are right")

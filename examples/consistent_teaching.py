"""Teach a student to be the same function as its teacher: same views, mixtures, many epochs, no labels.

Beyer and others 2022, arXiv 2106.05237: both models see the same crop of an image and the same mixture of
two, drawn anew in each epoch, and training takes long. The rival sees the same images as they are.

Run: python examples/consistent_teaching.py [--short]
"""

import argparse

import keras
import tensorflow as tf

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
short = parser.parse_args().short

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
test = data.arrays["test"]


def shift(image, seed):
    padded = tf.pad(image, [[1, 1], [1, 1], [0, 0]])
    return tf.image.stateless_random_crop(padded, image.shape, seed)


def right(model):
    return 100 * float((model.predict(test.x, verbose=0).argmax(-1) == test.y).mean())


teacher = kd.models.digits_teacher()
teacher.compile(
    keras.optimizers.Adam(2e-3), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
)
teacher.fit(data.train, epochs=1 if short else 20, verbose=0, shuffle=False)
print(f"teacher: {right(teacher):.1f} % of the test digits are right")
answers = teacher.predict(test.x, verbose=0).argmax(-1)

images = data.train.map(lambda x, y: x)  # the teacher labels mixtures
for epochs in (1,) if short else (20, 200):
    ways = {
        "images as they are": images,
        "consistent views": kd.augmented(images, shift),
        "and mixtures": kd.augmented(images, shift, mixup=1.0),
    }
    for name, train in ways.items():
        student = kd.models.digits_student()
        distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(temperature=2.0)])
        steps = epochs * int(train.cardinality())
        distiller.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps)))
        distiller.fit(train, epochs=epochs, verbose=0, shuffle=False)
        agreement = 100 * float((student.predict(test.x, verbose=0).argmax(-1) == answers).mean())
        print(f"{name}, {epochs} epochs: {right(student):.1f} %, as the teacher {agreement:.1f} %")

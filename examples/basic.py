"""Distill a large model into a small one: the shortest example of keras_kd.

Run: python examples/basic.py [--short]
"""

import argparse

import keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
epochs = 1 if parser.parse_args().short else 20

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

teacher = kd.models.digits_teacher()
teacher.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy, metrics=["accuracy"])
teacher.fit(data.train, validation_data=data.validation, epochs=epochs, verbose=2)

student = kd.models.digits_student()
distiller = kd.Distiller(student, teacher, temperature=4.0, alpha=0.1)
distiller.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy, metrics=["accuracy"])
distiller.fit(data.train, validation_data=data.validation, epochs=epochs, verbose=2)
student.save("student.keras")  # the student alone: no teacher, no distiller

for name, model in (("teacher", teacher), ("student", distiller)):
    accuracy = model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
    print(f"{name}: {100 * accuracy:.1f} % of the test digits are right")

"""Prune a student to 80 % sparsity, with its teacher and from labels alone, and measure the file.

With all labels available, the teacher may not help: compare the two accuracies.

Run: python examples/pruning.py [--short]
"""

import argparse

import keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
short = parser.parse_args().short
epochs = 1 if short else 20

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fit(model, epochs, *callbacks):
    model.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
    model.fit(data.train, epochs=epochs, callbacks=list(callbacks), verbose=0, shuffle=False)


def accuracy(model):
    test = data.arrays["test"]
    return 100 * float((model.predict(test.x, verbose=0).argmax(-1) == test.y).mean())


teacher, student = kd.models.digits_teacher(), kd.models.digits_student()
fit(teacher, epochs)
fit(kd.Distiller(student, teacher), epochs)
print(f"before pruning: {accuracy(student):.1f} % of the test digits are right")

alone = keras.models.clone_model(student)
alone.set_weights(student.get_weights())
fit(alone, epochs, kd.Prune(0.8, frequency=5))
fit(kd.Distiller(student, teacher), epochs, kd.Prune(0.8, frequency=5))
print(f"80 % zeros, from labels alone: {accuracy(alone):.1f} %; with the teacher: {accuracy(student):.1f} %")
print(kd.sparsity(student))

plain = kd.export(student, "pruned.tflite", overwrite=True)
sparse = kd.export(student, "sparse.tflite", sparse=True, overwrite=True)
print(f"pruned.tflite: {plain.bytes:,} bytes, {plain.gzip_bytes:,} after gzip")
print(f"sparse.tflite: {sparse.bytes:,} bytes, {sparse.gzip_bytes:,} after gzip")

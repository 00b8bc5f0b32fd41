"""Make a student from its teacher with `kd.shrink`, bring its accuracy back, and measure the file.

The original is recalibrated first, so that nothing is credited with what recalibration alone gives.

Run: python examples/shrinking.py [--short]
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


def fit(model, epochs):
    model.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
    model.fit(data.train, epochs=epochs, verbose=0, shuffle=False)


def accuracy(model):
    test = data.arrays["test"]
    return 100 * float((model.predict(test.x, verbose=0).argmax(-1) == test.y).mean())


teacher = kd.models.digits_student() if short else kd.models.digits_teacher()  # compiles faster
fit(teacher, epochs)
teacher = kd.recalibrate(teacher, data.train)
print(kd.channel_groups(teacher))

small = kd.shrink(teacher, 0.25, budget="macs", verbose=True)
print(f"of {kd.cost(teacher).macs:,} multiply-adds {kd.cost(small).macs:,} are left")
print(f"teacher: {accuracy(teacher):.1f} % of the test digits are right; shrunk: {accuracy(small):.1f} %")

student = kd.recalibrate(small, data.train)
print(f"with new BatchNorm statistics: {accuracy(student):.1f} %")
alone = keras.models.clone_model(student)
alone.set_weights(student.get_weights())
fit(alone, epochs)
fit(kd.Distiller(student, teacher), epochs)
print(f"trained on labels alone: {accuracy(alone):.1f} %; with the original: {accuracy(student):.1f} %")

for model, path in ((teacher, "teacher.tflite"), (student, "shrunk.tflite")):
    file = kd.export(model, path, overwrite=True)
    print(f"{path}: {file.bytes:,} bytes, {1000 * kd.benchmark(path).median_ms:.0f} µs")

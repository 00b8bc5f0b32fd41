"""Run the teacher once, store its answers, and train students on them at the cost of the student alone.

Each image is turned and shifted four ways, and the teacher labels each of the four. A student sees them in
turn, with the answers for just these pixels; the teacher is not needed again.

Run: python examples/teach_once.py [--short]
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
short = parser.parse_args().short
epochs, views = (1, 1) if short else (20, 4)

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
augment = keras.Sequential([keras.layers.RandomRotation(0.05), keras.layers.RandomTranslation(0.1, 0.1)])


def fit(model, train):
    model.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
    start = time.perf_counter()
    model.fit(train, epochs=epochs, verbose=0, shuffle=False)
    return time.perf_counter() - start


def accuracy(model):
    test = data.arrays["test"]
    return 100 * float((model.predict(test.x, verbose=0).argmax(-1) == test.y).mean())


teacher = kd.models.digits_teacher()
fit(teacher, data.train)

# Called again, it goes on where it was interrupted, and labels samples that are new.
path = Path(tempfile.mkdtemp()) / "taught"
taught = kd.precompute(teacher, data.train, path, top_k=5, augment=augment, views=views)

student = kd.models.digits_student()
seconds = fit(kd.Distiller(student), taught)
print(f"on stored answers, {seconds:.1f} s: {accuracy(student):.1f} % of the test digits are right")

# Later, in another process, with the data in another order: the answers are found by each image's content.
again = kd.load_taught(path, data.train.shuffle(10), augment=augment, teacher=teacher)
other = kd.models.digits_student()
seconds = fit(kd.Distiller(other, temperature=2.0), again)
print(f"at another temperature, {seconds:.1f} s: {accuracy(other):.1f} %")

alone = kd.models.digits_student()
seconds = fit(alone, data.train)
print(f"from labels alone, {seconds:.1f} s: {accuracy(alone):.1f} %")

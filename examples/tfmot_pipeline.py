"""A Keras 3 student in a tensorflow-model-optimization pipeline, with and without a teacher.

Run: python examples/tfmot_pipeline.py [--short]

Writes student-taught.tflite and student-alone.tflite into the current folder.
"""

import argparse

import keras
import numpy as np
import tf_keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
epochs = 1 if parser.parse_args().short else 20

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
steps = epochs * int(data.train.cardinality())
sparsity = kd.tfmot.import_tfmot().sparsity.keras

teacher = kd.models.digits_teacher()
cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
teacher.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
teacher.fit(data.train, epochs=epochs, verbose=2)


def trained(distil):
    """A Keras 3 student, with the same initial weights each time."""
    keras.utils.set_random_seed(1)
    student = kd.models.digits_student()
    model = kd.Distiller(student, teacher) if distil else student
    model.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
    model.fit(data.train, epochs=epochs, verbose=2)
    return student


def pruned(student, distil):
    """The student, pruned to 80 % sparsity by tfmot in tf_keras, and converted back to Keras 3."""
    schedule = sparsity.PolynomialDecay(0.0, 0.8, begin_step=0, end_step=steps // 2, frequency=5)
    wrapped = kd.tfmot.prune_low_magnitude(kd.tfmot.to_tf_keras(student), schedule)
    model = kd.tfmot.Distiller(wrapped, teacher) if distil else wrapped
    hard = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.Adam(1e-3), loss=hard)
    model.fit(data.train, epochs=epochs, verbose=2, callbacks=[sparsity.UpdatePruningStep()])
    return kd.tfmot.from_tf_keras(kd.tfmot.strip_pruning(wrapped))


for name, distil in (("taught", True), ("alone", False)):
    model = pruned(trained(distil), distil)
    exported = kd.export(model, f"student-{name}.tflite", overwrite=True)
    print(kd.verify(model, exported.path, data.test))
    predicted = kd.LiteModel(exported.path).predict(data.arrays["test"].x).argmax(-1)
    right = np.mean(predicted == data.arrays["test"].y)
    print(
        f"{name}: {exported.gzip_bytes} bytes after gzip, {100 * right:.1f} % of the test digits are right\n"
    )

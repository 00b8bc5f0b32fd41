"""From a trained student to a verified .tflite file: export, verify, benchmark, report.

Run: python examples/deploy.py [--short]

Writes student-int8.tflite and report.html into the current folder.
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
teacher.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
teacher.fit(data.train, epochs=epochs, verbose=2)

student = kd.models.digits_student()
distiller = kd.Distiller(student, teacher)
distiller.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy)
distiller.fit(data.train, epochs=epochs, verbose=2)

# The calibration data is a subset of the training inputs, never of the test inputs.
exported = kd.export(
    student, "student-int8.tflite", quantization="int8", calibration=data.calibration, overwrite=True
)
print(exported, end="\n\n")
print(kd.verify(student, "student-int8.tflite", data.test), end="\n\n")
print(kd.benchmark("student-int8.tflite"), end="\n\n")

report = kd.compare(
    data.test,
    baseline="teacher",
    teacher=teacher,
    student=student,
    int8="student-int8.tflite",
    title="Digits: a student and its int8 file",
)
print(report, end="\n\n")
print("Open", report.save("report.html", overwrite=True))

digit, label = data.arrays["test"].x[:1], data.arrays["test"].y[0]
logits = kd.LiteModel("student-int8.tflite").predict(digit)
print(f"The file takes the first test digit, a {label}, for a {logits.argmax()}.")

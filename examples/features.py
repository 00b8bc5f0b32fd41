"""Let a student also imitate the intermediate features of its teacher.

Run: python examples/features.py [--short]
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
print("taps of the student:", ", ".join(kd.tap_names(student)))

# The weight of the feature loss fades to zero over the first half of training.
steps = epochs * int(data.train.cardinality())
fade = keras.optimizers.schedules.PolynomialDecay(1.0, steps // 2, 0.0)
distiller = kd.Distiller(
    student,
    teacher,
    objectives=[
        kd.Objective(kd.losses.SoftTargets(temperature=4.0), weight=0.9),
        # 16 channels against 48: project=True inserts a 1x1 convolution.
        kd.Objective("mse", student="stage2", teacher="stage2", project=True, weight=fade),
        # Attention maps have no channels, so nothing is projected.
        kd.Objective(kd.losses.AttentionTransfer(), student="stage3", teacher="stage3", weight=100.0),
    ],
)
distiller.compile(keras.optimizers.Adam(2e-3), loss=cross_entropy, loss_weights=0.1, metrics=["accuracy"])
history = distiller.fit(data.train, validation_data=data.validation, epochs=epochs, verbose=2).history

for objective in distiller.objectives:
    first, last = history[objective.name][0], history[objective.name][-1]
    print(f"{objective.name}: {first:.4g} in the first epoch, {last:.4g} in the last")
for name, model in (("teacher", teacher), ("student", distiller)):
    accuracy = model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
    print(f"{name}: {100 * accuracy:.1f} % of the test digits are right")

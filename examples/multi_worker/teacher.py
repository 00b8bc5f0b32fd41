"""Train the teacher for this example, once, on one machine.

Run: python examples/multi_worker/teacher.py [--short]
"""

import argparse
from pathlib import Path

import keras

import keras_kd as kd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
parser.add_argument("--folder", type=Path, help="output folder; default runs/multi_worker")
options = parser.parse_args()
epochs = 1 if options.short else 20
folder = options.folder or Path("runs/multi_worker_short" if options.short else "runs/multi_worker")

keras.utils.set_random_seed(0)
data = kd.datasets.digits()
teacher = kd.models.digits_teacher()
teacher.compile(
    keras.optimizers.Adam(2e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
teacher.fit(data.train, validation_data=data.validation, epochs=epochs, verbose=2)
folder.mkdir(parents=True, exist_ok=True)
teacher.save(folder / "teacher.keras")
accuracy = teacher.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]
print(f"teacher: {100 * accuracy:.1f} % of the test digits are right")

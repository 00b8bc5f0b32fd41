"""Label the digits with several processes, start again those that die, and train a student on the answers.

Run: python examples/teach_at_scale/launch.py [--short] [--ray]

On a cluster, the scheduler starts teach.py on every machine, and again when it dies.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

import keras_kd as kd

HERE = Path(__file__).parent
FILES = 8


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss=loss)
    return model


def make(folder, epochs):
    """A teacher, and the digits in files."""
    keras.utils.set_random_seed(0)
    data = kd.datasets.digits()
    teacher = compiled(kd.models.digits_teacher())
    teacher.fit(data.train, epochs=epochs, verbose=0, shuffle=False)
    folder.mkdir(parents=True)
    x, y = data.arrays["train"].x, data.arrays["train"].y
    for number in range(FILES):
        np.savez(folder / f"train-{number}.npz", x=x[number::FILES], y=y[number::FILES])
    teacher.save(folder / "teacher.keras")


def label(folder, workers, tries=3):
    """Start a process for each part; those that fail are started again."""
    left = list(range(workers))
    for _ in range(tries):
        command = [sys.executable, str(HERE / "teach.py"), "--data", str(folder)]
        started = [subprocess.Popen([*command, "--part", str(i), str(workers)]) for i in left]
        left = [i for i, process in zip(left, started, strict=True) if process.wait() != 0]
        if not left:
            return
        print(f"Started again: parts {left} of {workers}", flush=True)
    sys.exit(f"Parts {left} failed {tries} times.")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ray", action="store_true", help="let Ray start them")
    parser.add_argument("--short", action="store_true", help="one epoch, to see that it runs")
    options = parser.parse_args()
    folder = Path("runs/teach_at_scale_short" if options.short else "runs/teach_at_scale")
    epochs = 1 if options.short else 20
    if not folder.exists():
        make(folder, epochs)
    if options.ray:
        command = [sys.executable, HERE / "teach.py", "--data", folder, "--ray", str(options.workers)]
        subprocess.run(command, check=True)
    else:
        label(folder, options.workers)

    data = kd.datasets.digits()  # in any order: answers are found by each image's content
    taught = kd.load_taught(folder / "taught", data.train)
    student = kd.models.digits_student()
    compiled(kd.Distiller(student)).fit(taught, epochs=epochs, verbose=0)
    test = data.arrays["test"]
    accuracy = (student.predict(test.x, verbose=0).argmax(-1) == test.y).mean()
    print(f"student: {100 * accuracy:.1f} % of the test digits are right")


if __name__ == "__main__":
    main()

"""Quantization-aware training with tensorflow-model-optimization and a teacher, against post-training int8.

    python benchmarks/quantization_aware.py [--short] [--seeds N] [--json FILE]

Fashion-MNIST (`--short`: the 8x8 digits). A student is distilled for each seed. "post-training" exports it as
it is, calibrated on training data; "post-training, trained on" exports it after as many extra epochs with the
teacher as quantization-aware training takes. The others go over the bridge to tf_keras, are wrapped by
`quantize_model`, trained, and exported from there. Accuracy is that of the int8 *files* on the test data, in
LiteRT; the float32 file of the same student is listed for comparison.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import keras
from rich.console import Console
from rich.table import Table

import keras_kd as kd

sys.path.insert(0, str(Path(__file__).parent))
from pruning import ALPHA, RATE, TEMPERATURE, compiled, copied, distilled, fit, spread, tasks, with_decay

POST, LATER = "post-training", "post-training, trained on"
ALONE, TAUGHT = "aware, labels alone", "aware, teacher"


def trained_on(student, task, seed):
    student = copied(student)
    model = kd.Distiller(student, task.teacher, temperature=TEMPERATURE, alpha=ALPHA)
    fit(compiled(model, RATE / 10), task, task.epochs[2], seed)
    return student


def aware(student, teacher, task, seed):
    """A quantization-aware tf_keras student, trained."""
    import tf_keras

    student = kd.tfmot.quantize_model(kd.tfmot.to_tf_keras(student))
    keras.utils.set_random_seed(seed)
    model = student
    if teacher is not None:
        model = kd.tfmot.Distiller(student, teacher, temperature=TEMPERATURE, alpha=ALPHA)
    fit(compiled(model, RATE / 10, tf_keras), task, task.epochs[2], seed)
    return student


def accuracy(path, task):
    test = task.data.arrays["test"]
    return 100 * float((kd.LiteModel(path).predict(test.x).argmax(-1) == test.y).mean())


def measured(model, task, folder, quantization):
    calibrated = isinstance(model, keras.Model) and quantization
    options = {"calibration": task.data.calibration} if calibrated else {}
    file = kd.export(model, folder / "student.tflite", quantization=quantization, overwrite=True, **options)
    return {
        "accuracy": accuracy(file.path, task),
        "bytes": file.bytes,
        "left in float": len(file.float_tensors),
    }


def figures(task, seeds, folder):
    found = {name: [] for name in ("float32", POST, LATER, ALONE, TAUGHT)}
    for seed in range(seeds):
        student = distilled(task, seed)
        models = {
            "float32": student,
            POST: student,
            LATER: trained_on(student, task, seed),
            ALONE: aware(student, None, task, seed),
            TAUGHT: aware(student, task.teacher, task, seed),
        }
        for name, model in models.items():
            found[name].append(measured(model, task, folder, None if name == "float32" else "int8"))
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="digits, few epochs, to see that it runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    task, seeds = tasks(arguments.short), 1 if arguments.short else arguments.seeds
    keras.utils.set_random_seed(0)
    fit(compiled(task.teacher, with_decay(task, task.epochs[0])), task, task.epochs[0], 0)
    with tempfile.TemporaryDirectory() as folder:
        found = figures(task, seeds, Path(folder))
    table = Table("file", "accuracy %", "minus post-training, points", "bytes", "tensors left in float")
    for name, each in found.items():
        values = [row["accuracy"] for row in each]
        gaps = [value - other["accuracy"] for value, other in zip(values, found[POST], strict=True)]
        gap = "" if name == POST else f"{statistics.mean(gaps):+.2f}"
        table.add_row(name, spread(values), gap, f"{each[0]['bytes']:,}", str(each[0]["left in float"]))
    Console(width=110).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

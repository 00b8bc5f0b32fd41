"""Whether what a report says about speed changes its meaning with the load of the machine.

    python benchmarks/busy_machine.py [--runs N] [--programs N]

The same files are compared a few times as the machine is, and then a few times while programs that only
compute keep every core busy. Every sentence about speed is a range of ratios, or withheld; two sentences on
the same two files contradict each other if their ranges have nothing in common. One file is a copy of
another, under a second name; the calls of one take so long that other programs interrupt nearly all of them.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import keras
import numpy as np

import keras_kd as kd
from keras_kd.reports.speed import busy_sentence, speed_sentence

SIZE, CLASSES = 8, 10
PAIRS = [("student", "teacher"), ("float32", "teacher"), ("int8", "teacher"), ("int16x8", "teacher")]
PAIRS += [("int8", "float32"), ("int16x8", "float32"), ("copy", "float32"), ("heavy", "teacher")]
SPIN = "while True: pass"
APART_WHEN_SHORT = 0.25


def heavy():
    """A model with calls of tens of milliseconds: far longer than a program may compute while others wait."""
    inputs = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.UpSampling2D(20)(inputs)
    for _ in range(3):
        x = keras.layers.Conv2D(48, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(x)))


def make_files(folder, samples, short):
    """Name -> file."""
    student = kd.models.digits_student()
    models = {"teacher": kd.models.digits_teacher(), "student": student}
    if not short:
        models["heavy"] = heavy()
    files = {name: kd.export(model, folder / f"{name}.tflite").path for name, model in models.items()}
    for kind in ("float32",) if short else ("float32", "int8", "int16x8"):
        path, options = folder / f"{kind}.tflite", {}
        if kind != "float32":
            options = {"quantization": kind, "calibration": samples}
        files[kind] = kd.export(student, path, **options).path
    files["copy"] = folder / "copy.tflite"
    files["copy"].write_bytes(files["float32"].read_bytes())
    return files


@contextlib.contextmanager
def load(programs):
    started = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(programs)]
    try:
        yield
    finally:
        for program in started:
            program.kill()
            program.wait()


def ratios(sentence):
    """The range of ratios that a sentence allows, or None if it claims nothing."""
    figures = [
        float(text.replace(",", "")) for text in re.findall(r"[\d,]*\.?\d+", sentence.split("16-bit")[0])
    ]
    if "times as fast" in sentence:
        return tuple(figures[-2:])
    if "times as long" in sentence:
        return 1 / figures[-1], 1 / figures[-2]
    if "do not differ" in sentence:
        noise = figures[-1] / 100
        return 1 / (1 + noise), 1 + noise
    return None


def contradictions(said, apart=0.0):
    """Pairs of sentences on the same files with ranges more than the part `apart` from each other."""
    claims = [sentence for sentence in dict.fromkeys(said) if ratios(sentence) is not None]
    for first, second in combinations(claims, 2):
        (low, high), (other_low, other_high) = ratios(first), ratios(second)
        if high * (1 + apart) < other_low or other_high * (1 + apart) < low:
            yield first, second


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of either kind")
    parser.add_argument(
        "--programs", type=int, default=2 * (os.cpu_count() or 1), help="that keep cores busy"
    )
    parser.add_argument("--short", action="store_true", help="one run of either kind, to see that it runs")
    options = parser.parse_args()
    if options.short:
        options.runs = options.programs = 1
    rng = np.random.default_rng(0)
    data = rng.random((64, SIZE, SIZE, 1), "float32"), rng.integers(0, CLASSES, 64)
    few = data[0][:16], data[1][:16]
    said = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        files = make_files(Path(name), data[0], options.short)
        for programs in (0, options.programs):
            for run in range(options.runs):
                with load(programs):
                    report = kd.compare(few, baseline="teacher", models=files)
                print(f"\nrun {run + 1} with {programs} programs besides", flush=True)
                print(busy_sentence(report.rows) or "The machine was not too busy.")
                for row, reference in (pair for pair in PAIRS if files.keys() >= set(pair)):
                    sentence = speed_sentence(report[row], report[reference])
                    said[row, reference].append(sentence)
                    print(f"- {sentence}")
    apart = APART_WHEN_SHORT if options.short else 0.0
    found = [pair for sentences in said.values() for pair in contradictions(sentences, apart)]
    claims = [ratios(sentence) is not None for sentences in said.values() for sentence in sentences]
    withheld = claims.count(False)
    print(f"\n{len(claims)} sentences, {withheld} of them withheld, {len(found)} contradictions")
    for first, second in found:
        print(f"- {first} <> {second}")
    return bool(found)


if __name__ == "__main__":
    if main():
        sys.exit(1)

"""Converts every model of keras.applications to tf_keras over the bridge, and back.

    python benchmarks/bridge.py [--short] [--markdown FILE]

Weights are random, inputs are small, and the final activation is omitted, so that no saturated softmax hides
a difference. Outputs on the same images are compared: the largest difference, and the same divided by the
spread (the standard deviation) of the outputs. Each model runs in its own process, without --short.
"""

import argparse
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_kd as kd

SHORT = ["MobileNetV3Small"]
# What smaller images are refused by, or end as a map without pixels.
SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71, "NASNetLarge": 331, "NASNetMobile": 224}
COLUMNS = ["model", "layers", "over: difference", "over: difference / spread", "back: difference / spread"]


def constructors():
    """The models that keras.applications has, by name."""
    found = {name: getattr(keras.applications, name) for name in dir(keras.applications)}
    return {name: make for name, make in found.items() if inspect.isfunction(make)}


def made(name):
    """A model with random weights, in each of which two exchanged weights would show."""
    make, size = constructors()[name], SIZES.get(name, 64)
    arguments = {
        "weights": None,
        "input_shape": (size, size, 3),
        "classes": 10,
        "classifier_activation": None,
    }
    taken = inspect.signature(make).parameters
    keras.utils.set_random_seed(0)
    model = make(**{key: value for key, value in arguments.items() if key in taken})
    random = np.random.default_rng(0)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in layer.weights:
                centre = 0.0 if weight.name in ("beta", "moving_mean") else 1.0
                weight.assign(random.normal(centre, 0.05, weight.shape))
    return model, random.uniform(0, 255, (4, size, size, 3)).astype("float32")


def difference(found, expected):
    """The largest difference."""
    return float(np.abs(np.asarray(found) - expected).max())


def measure(name):
    """One row: what the bridge makes of a model, or why it refuses it."""
    model, images = made(name)
    expected = np.asarray(model(images, training=False))
    row = {"model": name, "layers": len(list(model._flatten_layers()))}
    try:
        over = kd.tfmot.to_tf_keras(model)
        row["over"] = difference(over(images, training=False), expected)
        row["spread"] = float(expected.std())
        back = kd.tfmot.from_tf_keras(over)
        row["back"] = difference(back(images, training=False), expected)
    except ValueError as error:
        row["refused"] = str(error)
    return row


def cells(row):
    """A row as text."""
    if "refused" in row:
        return [row["model"], str(row["layers"]), f"refused: {row['refused']}", "", ""]
    over, back = ("exact" if row[way] == 0 else f"{row[way] / row['spread']:.1e}" for way in ("over", "back"))
    return [
        row["model"],
        str(row["layers"]),
        "exact" if over == "exact" else f"{row['over']:.1e}",
        over,
        back,
    ]


def alone(name):
    """The row of a model, measured in a process of its own: 40 models do not fit into one."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--one", name]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{name}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def summary(rows):
    """How the models fared, in one line."""
    bridged = [row for row in rows if "refused" not in row]
    exact, back = (sum(row[way] == 0 for row in bridged) for way in ("over", "back"))
    worst = max((row["over"] / row["spread"] for row in bridged), default=0.0)
    return (
        f"{len(bridged)} of {len(rows)} models bridged, {exact} bit for bit; "
        f"largest difference / spread {worst:.1e}; {back} back bit for bit"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one small model, to see that it runs")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one)))
        return
    rows = [measure(name) for name in SHORT] if given.short else [alone(name) for name in constructors()]
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row))
    Console(width=140).print(table)
    print(summary(rows))
    if given.markdown:
        lines = [COLUMNS, ["---"] * len(COLUMNS), *(cells(row) for row in rows)]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        given.markdown.write_text(f"{text}\n\n{summary(rows)}.\n")


if __name__ == "__main__":
    main()

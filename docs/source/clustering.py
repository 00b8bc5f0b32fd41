"""Draw the picture of the page on clustering: the weights of a kernel before and after.

    python docs/source/clustering.py [--check] [--measure]

`--measure` trains the student of the page, and keeps what the picture shows in clustering.json.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import WIDTH, box, label, picture  # noqa: E402

FIGURES = HERE / "clustering.json"
LAYER, CLUSTERS, BINS, EDGE = "conv3", 8, 60, 0.24
HIGH = 110  # of the tallest bar, in pixels


def measure():
    """The weights of a layer of the student of the digits, counted, before it is clustered and after."""
    import keras

    import keras_kd as kd

    keras.utils.set_random_seed(0)
    data, student = kd.datasets.digits(batch_size=64), kd.models.digits_student()
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student.compile("adam", loss=cross_entropy)
    student.fit(data.train, epochs=4, verbose=0)
    before = student.get_layer(LAYER).kernel.numpy()
    student.fit(data.train, epochs=2, callbacks=[kd.Cluster(CLUSTERS)], verbose=0)
    after = student.get_layer(LAYER).kernel.numpy()
    values, counts = np.unique(after, return_counts=True)
    clipped = np.clip(before, -EDGE, EDGE)
    return {
        "before": np.histogram(clipped, BINS, (-EDGE, EDGE))[0].tolist(),
        "distinct": len(np.unique(before)),
        "values": [round(float(value), 4) for value in values],
        "after": counts.tolist(),
    }


def histograms(figures):
    """The weights by their value: above as they were trained, below as they share few values."""
    tops = 30, 60 + HIGH
    first = f"before: {figures['distinct']:,} different weights of {LAYER}"
    marks = [label(0, 18, first, "start strong")]
    wide, tallest = WIDTH / BINS, max(figures["before"])
    for number, count in enumerate(figures["before"]):
        height = HIGH * count / tallest
        marks.append(box(wide * number, tops[0] + HIGH - height, wide - 1, height, "plain", ' opacity="0.6"'))
    second = f"after: {len(figures['values'])} values, each with the number of its weights"
    marks.append(label(0, tops[1] - 10, second, "start strong"))
    tallest = max(figures["after"])
    for value, count in zip(figures["values"], figures["after"], strict=True):
        x, height = place(value), 0.8 * HIGH * count / tallest
        top = tops[1] + 20 + 0.8 * HIGH - height
        marks += [box(x - 4, top, 8, height, "full"), label(x, top - 6, f"{count:,}")]
    bottom = tops[1] + 20 + 0.8 * HIGH
    for value in (-0.2, -0.1, 0, 0.1, 0.2):
        marks.append(label(place(value), bottom + 20, f"{value:g}"))
    text = (
        f"Two histograms of the weights of one kernel. Above, {figures['distinct']:,} different values form "
        f"a bell. Below, the same weights have {len(figures['values'])} values, from {figures['values'][0]} "
        f"to {figures['values'][-1]}."
    )
    return picture("clustering", "The weights of a kernel before and after", text, bottom + 30, marks)


def place(value):
    """Where a value stands, in pixels."""
    return WIDTH * (value + EDGE) / (2 * EDGE)


def main():
    """Draw, or say whether the picture is up to date."""
    arguments = parser(__doc__)
    arguments.add_argument("--measure", action="store_true", help="train the student anew")
    arguments = arguments.parse_args()
    if arguments.measure:
        FIGURES.write_text(json.dumps(measure()) + "\n")
    figure = histograms(json.loads(FIGURES.read_text()))
    save({HERE.parent / "clustering.svg": figure}, __file__, arguments.check)


if __name__ == "__main__":
    main()

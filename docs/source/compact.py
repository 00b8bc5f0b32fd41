"""Draw the picture of the page on compact convolutions: a trained kernel and its closest separable one.

    python docs/source/compact.py [--check] [--measure]

`--measure` trains the network of the page, and keeps the part of its last convolution that is drawn in
compact.json.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import box, label, picture  # noqa: E402

from keras_kd.compression.separable.approximation import separated  # noqa: E402

KERNEL = HERE / "compact.json"
CELL, STEP, LEFT = 8, 29, 10  # of a filter's weights, and from one filter to the next, in pixels


def measure():
    """The filters of one channel in the last convolution of the page's network: of medium error."""
    names = {}
    exec(re.search(r"<!-- setup\n(.*?)-->", (HERE.parent / "compact.md").read_text(), re.DOTALL)[1], names)
    kernel = np.asarray(names["model"].get_layer("conv4").kernel)
    errors = [separated(kernel[:, :, i : i + 1]).error for i in range(kernel.shape[2])]
    return kernel[:, :, np.argsort(errors)[len(errors) // 2]].round(4).tolist()


def compact(kernel):
    """The filters from one channel to each output, and what stands in their place."""
    found = separated(kernel[:, :, None])
    one, mixed = found.depthwise[:, :, 0, 0], found.pointwise[0]
    closest = one[:, :, None] * mixed
    most, outputs = np.abs(kernel).max(), kernel.shape[2]
    marks = [label(LEFT, 18, f"trained: from one channel to {outputs} others, a filter each", "start strong")]
    marks += filters(kernel / most, 30)
    marks.append(label(LEFT, 92, "in their place: one filter", "start strong"))
    marks += weights(one / np.abs(one).max(), 212, 76)
    marks.append(label(246, 92, "and a factor for each", "start strong"))
    marks += factors(mixed / np.abs(mixed).max(), 132)
    marks += [label(LEFT, 184, "their products: the closest there are", "start strong")]
    marks += filters(closest / most, 196)
    told = f"{kernel.size} weights become {one.size + outputs}. Colored: above 0, gray: below"
    marks.append(label(LEFT, 246, told, "start"))
    text = (
        "Sixteen filters of three by three weights, all different. Below, one filter and sixteen factors, "
        "and their products, which are the same filter, stronger or weaker or reversed. "
        f"They resemble the trained ones, with an error of {100 * found.error:.0f} percent."
    )
    return picture("compact", "A kernel and its closest separable one", text, 256, marks)


def filters(kernel, top):
    """A square for each output."""
    return [mark for i in range(kernel.shape[2]) for mark in weights(kernel[:, :, i], LEFT + STEP * i, top)]


def weights(window, left, top):
    """The weights of a filter: the stronger, the darker."""
    marks = [
        box(
            left + CELL * column,
            top + CELL * row,
            CELL,
            CELL,
            shade(value),
            f' fill-opacity="{abs(value):.2f}"',
        )
        for row, line in enumerate(window)
        for column, value in enumerate(line)
        if abs(value) >= 0.01
    ]
    return [*marks, box(left, top, CELL * len(window[0]), CELL * len(window), "")]


def factors(values, middle):
    """A bar below each filter, up or down."""
    marks = [f'<path d="M{LEFT} {middle}H{LEFT + STEP * (len(values) - 1) + 3 * CELL}"/>']
    for i, value in enumerate(values):
        height = 24 * abs(value)
        top = middle - height if value > 0 else middle
        marks.append(box(LEFT + STEP * i + 4, top, 16, height, shade(value), ' fill-opacity="0.7"'))
    return marks


def shade(value):
    """Of what is above 0, and below."""
    return "full" if value > 0 else "plain"


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--measure", action="store_true", help="train the network anew")
    given = arguments.parse_args()
    if given.measure:
        KERNEL.write_text(json.dumps(measure()) + "\n")
    figure = compact(np.array(json.loads(KERNEL.read_text())))
    save({HERE.parent / "compact.svg": figure}, __file__, given.check)

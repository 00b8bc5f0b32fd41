"""Draw the picture of the page on low rank: what becomes of a matrix and of a convolution.

python docs/source/low_rank.py [--check]
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import arrow, box, label, picture  # noqa: E402

WIDE, NARROW = 120, 36  # heights: a model's channels, and a rank


def low_rank():
    """A matrix as a product, and a convolution as three."""
    marks = [label(0, 18, "Dense", "start strong"), *matrix(2, 32, WIDE, 90, "hidden", "64 × 48")]
    marks += [label(122, 98, "≈", "strong"), *matrix(150, 32, WIDE, 26, "hidden_in", "64 × 12")]
    marks += [label(205, 98, "·", "strong"), *matrix(230, 32, 30, 90, "hidden", "12 × 48")]
    marks += [label(340, 62, "3,072 weights", "start"), label(340, 84, "become 1,344", "start strong")]
    top = 212
    marks += [
        label(0, top, "Conv2D", "start strong"),
        *stack(2, top + 14, WIDE, "64"),
        *stack(86, top + 14, WIDE, "64"),
    ]
    marks += [*arrow(28, top + 74, 58, "right"), label(53, top + 66, "3×3")]
    marks += [label(140, top + 79, "≈", "strong")]
    xs, heights = (170, 256, 342, 428), (WIDE, NARROW, NARROW, WIDE)
    for x, height, size in zip(xs, heights, ("64", "16", "16", "64"), strict=True):
        marks += stack(x, top + 14 + (WIDE - height) / 2, height, size)
    for x, kind, name in zip(xs, ("1×1", "3×3", "1×1"), ("conv_in", "conv_core", "conv"), strict=False):
        marks += [*arrow(x + 26, top + 74, 60, "right"), label(x + 55, top + 66, kind)]
        marks.append(label(x + 55, top + 172, name, "strong"))
    marks.append(label(53, top + 172, "conv", "strong"))
    marks.append(label(240, top + 202, "36,864 weights become 4,352", "strong"))
    marks.append(label(240, top + 222, "the last layer has the name, the bias and the activation"))
    text = (
        "A Dense kernel of 64 by 48 is nearly a product of 64 by 12 and 12 by 48. A 3 by 3 convolution of "
        "64 channels is nearly a 1 by 1 convolution to 16 channels, a 3 by 3 one from 16 to 16, and a 1 by "
        "1 one back to 64."
    )
    return picture("low-rank", "What becomes of a kernel", text, top + 232, marks)


def matrix(x, y, height, width, name, size):
    """A kernel with its name and its shape."""
    return [
        box(x, y, width, height, "full", ' fill-opacity="0.5"'),
        box(x, y, width, height, ""),
        label(x + width / 2, 170, name, "strong") if name == "hidden" else label(x + 14, 170, name, "strong"),
        label(x + width / 2, 188, size),
    ]


def stack(x, y, height, size):
    """Channels, as high as they are many."""
    return [box(x, y, 26, height, "faint"), box(x, y, 26, height, ""), label(x + 13, y + height + 16, size)]


if __name__ == "__main__":
    save({HERE.parent / "low-rank.svg": low_rank()}, __file__, parser(__doc__).parse_args().check)

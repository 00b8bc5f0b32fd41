"""Draw the picture of the page on shrinking: which channels go together, and what is left.

python docs/source/shrinking.py [--check]
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import arrow, box, label, picture  # noqa: E402

# A residual block: the layers, where they stand, and which of their six channels are removed.
TRUNK, INNER = {1, 4}, {0, 3, 4}
NAMES, PLACES = ("stem", "first", "conv", "add", "next"), (4, 112, 220, 316, 424)
LAYERS = list(zip(NAMES, PLACES, (TRUNK, INNER, TRUNK, TRUNK, set()), strict=True))
CELL = 18


def shrinking():
    """The block before and after."""
    marks = [label(0, 18, "before: one color is tied, dashed is removed", "start strong")]
    marks += block(34, full=True)
    marks += [label(0, 222, "after", "start strong"), *block(238, full=False)]
    text = (
        "A residual block. The convolutions stem and conv are added to one another, so their six channels "
        "are tied place by place: if the second and the fifth are removed, then in both. The channels of the "
        "convolution first, inside the block, are read by conv alone, and three of them go. The layer next "
        "reads fewer channels and keeps its own."
    )
    return picture("shrinking", "Which channels are removed together", text, 388, marks)


def block(top, full):
    """The layers in a row, with their channels as cells."""
    marks = []
    for name, x, removed in LAYERS:
        cells = [i for i in range(6) if full or i not in removed]
        kind = "plain" if name == "first" else "full" if removed else "faint"
        for row, i in enumerate(cells):
            y = top + CELL * row
            gone = full and i in removed
            style = ' class="dashed"' if gone else ""
            marks.append(box(x, y, 40, CELL - 3, "dashed" if gone else kind, ' fill-opacity="0.55"'))
            marks.append(f'<rect{style} x="{x}" y="{y}" width="40" height="{CELL - 3}"/>')
        marks.append(label(x + 20, top + 6 * CELL + 18, name, "strong"))
        marks.append(label(x + 20, top + 6 * CELL + 36, str(len(cells))))
    middle = top + 3 * CELL - 2
    for start, end in ((46, 108), (154, 216), (262, 312), (358, 420)):
        marks += arrow(start, middle, end - start, "right")
    above = top - 8
    shortcut = f"M24 {top - 2}V{above}H336V{top - 2}"
    return [*marks, f'<path class="dashed" d="{shortcut}"/>']


if __name__ == "__main__":
    save({HERE.parent / "shrinking.svg": shrinking()}, __file__, parser(__doc__).parse_args().check)

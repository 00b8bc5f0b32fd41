"""Draw the picture of the page on costs: where the parameters, the work and the memory of a model are.

python docs/source/cost.py [--check]
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import box, label, picture  # noqa: E402

import keras_kd as kd  # noqa: E402

LEFT, TOP, WIDE, HIGH = 66, 44, 84, 24  # of the columns and rows, in pixels
COLUMNS = {"parameters": 70, "multiply-adds": 212, "KiB alive": 364}  # and where they begin
FIELDS = {"parameters": "parameters", "multiply-adds": "macs"}  # what is drawn as bars


def costs(found):
    """A row for each layer, in the order in which they run; bars for what they cost."""
    bottom = TOP + HIGH * len(found.layers)
    marks = [label(x, 18, name, "start strong") for name, x in COLUMNS.items()]
    for row, layer in enumerate(found.layers):
        y = TOP + HIGH * row
        marks.append(label(LEFT - 8, y + 16, layer.path, "end strong"))
        for name, field in FIELDS.items():
            most = max(getattr(each, field) for each in found.layers)
            marks += bar(COLUMNS[name], y, getattr(layer, field), most)
    marks += memory(found, COLUMNS["KiB alive"], bottom)
    text = (
        "The layers of a small network from top to bottom. Most of its parameters are in the last "
        "convolution, most multiply-adds in the one before, and most memory is needed while that one runs, "
        "when what it reads and what it writes are both alive."
    )
    return picture("cost", "What each layer of a model costs", text, bottom + 34, marks)


def bar(x, y, count, most):
    """A bar with its number behind it."""
    if not count:
        return []
    width = max(WIDE * count / most, 1.5)
    return [
        box(x, y + 4, width, HIGH - 8, "full", ' fill-opacity="0.55"'),
        label(x + width + 5, y + 17, f"{count:,}", "start"),
    ]


def memory(found, left, bottom):
    """What is alive while each layer runs, as steps, and the largest of them."""
    most = found.peak_memory
    steps = [left + WIDE * layer.memory / most for layer in found.layers]
    path = f"M{left} {TOP}"
    for row, x in enumerate(steps, 1):
        path += f"H{x:.1f}V{TOP + HIGH * row}"
    path += f"H{left}"
    x = left + WIDE
    return [
        f'<path class="full" fill-opacity="0.55" d="{path}Z"/>',
        f'<path d="{path}"/>',
        f'<path class="dashed" d="M{x} {TOP - 6}V{bottom + 6}"/>',
        label(x, bottom + 24, f"{most / 1024:.1f} KiB at most", "end"),
    ]


if __name__ == "__main__":
    figure = costs(kd.cost(kd.models.digits_student()))
    save({HERE.parent / "cost.svg": figure}, __file__, parser(__doc__).parse_args().check)

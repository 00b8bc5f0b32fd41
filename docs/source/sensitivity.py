"""Draw the picture of the page on sensitivity: a heat map of layers and amounts.

    python docs/source/sensitivity.py [--check]

sensitivity.json is what the program of the page saves, as a `.json` file.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from generated import parser, save  # noqa: E402
from pictures import box, label, picture  # noqa: E402

from keras_kd.compression.sensitivity.result import LayerScore, Sensitivity  # noqa: E402

LEFT, TOP, WIDE, HIGH = 120, 52, 70, 34  # of the cells, in pixels
DARKEST = 0.55


def read(path):
    """The result that was saved."""
    saved = json.loads(path.read_text())
    return Sensitivity(**{**saved, "rows": tuple(LayerScore(**row) for row in saved["rows"])})


def heat_map(found):
    """A cell for each layer and amount, the darker the more is lost."""
    marks = [label(LEFT + WIDE * len(found.amounts) / 2, 16, "channels kept", "strong")]
    for column, amount in enumerate(found.amounts):
        marks.append(label(LEFT + WIDE * (column + 0.5), TOP - 12, f"{100 * amount:.0f} %"))
    worst = max(map(found.loss, found.rows))
    for number, layer in enumerate(found.layers):
        y = TOP + HIGH * number
        marks.append(label(LEFT - 10, y + 22, layer, "end strong"))
        for column, row in enumerate(row for row in found.rows if row.layer == layer):
            x, shade = LEFT + WIDE * column, DARKEST * (max(found.loss(row), 0.0) / worst) ** 0.5
            marks.append(box(x, y, WIDE, HIGH, "full", f' fill-opacity="{shade:.2f}"'))
            change = 100 * (row.score - found.baseline)
            marks.append(label(x + WIDE / 2, y + 22, f"{change:+.1f}" if change else "0"))
    bottom = TOP + HIGH * len(found.layers)
    marks.append(
        label(240, bottom + 26, f"change of the accuracy in points, from {100 * found.baseline:.1f} %")
    )
    text = (
        "A table of layers and fractions of channels that are kept. The first layer loses much at once; "
        "the last one keeps its accuracy with half of its channels."
    )
    return picture("sensitivity", "What fewer channels cost, layer by layer", text, bottom + 40, marks)


if __name__ == "__main__":
    figure = heat_map(read(HERE / "sensitivity.json"))
    save({HERE.parent / "sensitivity.svg": figure}, __file__, parser(__doc__).parse_args().check)

"""Write docs/losses.md from the docstrings of the losses, the measured figures, and losses.md beside this.

    python docs/source/losses.py [--check]

The figures are what these commands wrote:

    python benchmarks/training.py --accuracy 3 --json docs/source/training.json
    python benchmarks/losses.py --json docs/source/cost.json
"""

import inspect
import json
import math
import re
import statistics
import sys
from pathlib import Path

import keras_kd as kd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]  # the rows of the losses are in tests/
from generated import parser, save  # noqa: E402

from tests.contract import FAMILIES  # noqa: E402

PAGE, CHART = HERE.parent / "losses.md", HERE.parent / "losses.svg"
PARTS = ["Formula", "Reads", "Defaults", "Equals", "Source"]
TASKS = {
    "digits": "Which digit it is, with a convolutional network",
    "tokens": "Which digit it is, with the rows of the image as tokens",
    "attributes": "Four yes/no questions about the digit, and the fraction of correct answers",
    "value": "The digit as a number, and the fraction of which it is the nearest",
}
INPUTS = {  # what a loss reads, by its first shape
    "128x1000": "Class scores",
    "128x512": "Vectors",
    "128x32x32x64": "Feature maps",
    "128x32x32x100": "Class maps",
    "8x128x256": "Tokens",
    "8x128x8x32": "Attention heads",
}


def exported():
    """The losses by name, without the base."""
    names = [name for name in kd.losses.__all__ if isinstance(getattr(kd.losses, name), type)]
    return {name: getattr(kd.losses, name) for name in names if name != "SignalLoss"}


def parts(loss):
    """The paragraphs of a docstring that `PARTS` names, and its first line."""
    paragraphs = [" ".join(p.split()) for p in inspect.getdoc(loss).split("\n\n")]
    found = {
        part: p.removeprefix(f"{part}: ") for part in PARTS for p in paragraphs if p.startswith(f"{part}: ")
    }
    missing = [part for part in PARTS if part not in found]
    if missing:
        raise ValueError(
            f"The docstring of {loss.__name__} has no paragraph that starts with {missing[0]!r}."
        )
    return {"Summary": paragraphs[0], **found}


def cell(text):
    """Text for a cell of a table, which a bar would end, so that bars are those of mathematics."""
    return text.replace("||", "\u2016").replace("|", "\u2223")


def family(modules):
    """The losses whose rows stand in some modules of `tests/oracles`, as a table."""
    names = {name for module in modules for name in module.ROWS}
    rows = ["| Loss | What it compares, and reads |", "|---|---|"]
    for name, loss in exported().items():
        if name in names:
            found = parts(loss)
            reads = re.split(r"[:;]|, `|\.( |$)", found["Reads"])[0]  # without the examples
            text = cell(f"{found['Summary']}<br>Reads {reads}.")
            rows.append(f"| [`{name}`](api/losses.md#keras_kd.losses.{name}) | {text} |")
    return "\n".join(rows)


def training(rows):
    """What each loss does for a student of 100 labels, and how far it falls, task by task."""
    tables = []
    for task in dict.fromkeys(row["task"] for row in rows):
        found = [row for row in rows if row["task"] == task]
        (alone,) = {spread(row["alone"]) for row in found}
        text = [f"{TASKS[task]}. The student alone: {alone} %.", ""]
        text += ["| Loss | With it, % | Difference | Falls to |", "|---|--:|--:|--:|"]
        for row in found:
            cells = [spread(row["with"]), difference(row), f"{row['last'] / row['first']:.3f}"]
            text.append("| " + " | ".join([f"`{row['loss']}`", *cells]) + " |")
        tables.append("\n".join(text))
    return "\n\n".join(tables)


def gain(row):
    """The mean difference that a loss makes, and its standard error, in points."""
    differences = [b - a for a, b in zip(row["alone"], row["with"], strict=True)]
    return statistics.mean(differences), statistics.stdev(differences) / len(differences) ** 0.5


def spread(accuracies):
    """Accuracies as mean and standard deviation."""
    return f"{statistics.mean(accuracies):.2f} ± {statistics.stdev(accuracies):.2f}"


def difference(row):
    """The gain and its standard error: bold beyond twice that."""
    mean, error = gain(row)
    text = f"{mean:+.2f} ({error:.2f})"
    return f"**{text}**" if abs(mean) > 2 * error else text


STYLE = """<style>
.gains text { fill: currentColor; font: 14px/1 system-ui, sans-serif; }
.gains line { stroke: currentColor; }
.gains .grid { opacity: 0.25; }
.gains .bar { stroke-width: 2; }
.gains circle { fill: currentColor; }
</style>"""
LEFT, WIDTH, LINE, TOP = 215, 240, 20, 8  # of the chart, in pixels


def chart(rows):
    """The gains on the digit task as dots with bars of twice the standard error, largest first."""
    found = sorted((gain(row), row["loss"]) for row in rows if row["task"] == "digits")[::-1]
    low = min(0.0, *(mean - 2 * error for (mean, error), _ in found))
    high = max(0.0, *(mean + 2 * error for (mean, error), _ in found))

    def x(value):
        return round(LEFT + WIDTH * (value - low) / (high - low), 1)

    bottom = TOP + LINE * len(found)
    size = f'viewBox="0 0 {LEFT + WIDTH + 25} {bottom + 42}" width="{LEFT + WIDTH + 25}"'
    label = "points over the student alone"
    text = [
        f'<svg {size} role="img" style="max-width: 100%; height: auto" aria-labelledby="gains" '
        'xmlns="http://www.w3.org/2000/svg">',
        '<title id="gains">Points of test accuracy gained with each loss over the student alone</title>',
        STYLE,
        '<g class="gains">',
        *(tick(x(value), value, bottom) for value in range(math.ceil(low), math.floor(high) + 1, 2)),
        f'<line x1="{x(0)}" x2="{x(0)}" y1="{TOP}" y2="{bottom}"/>',
    ]
    for line, ((mean, error), name) in enumerate(found):
        ends = x(mean - 2 * error), x(mean + 2 * error)
        text.append(mark(TOP + LINE * (line + 0.5), ends, x(mean), name))
    text.append(f'<text x="{LEFT + WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">{label}</text>')
    return "\n".join([*text, "</g>", "</svg>", ""])


def tick(x, value, bottom):
    """A line of the grid and its number."""
    label = f"{value:+d}" if value else "0"
    line = f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>'
    return f'{line}<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>'


def mark(y, ends, x, name):
    """One loss: its name, a bar and a dot."""
    text = f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end">{name}</text>'
    bar = f'<line class="bar" x1="{ends[0]}" x2="{ends[1]}" y1="{y}" y2="{y}"/>'
    return f'{text}{bar}<circle cx="{x}" cy="{y}" r="4"/>'


def cost(rows):
    """What each loss costs beside a mean squared error, table by table of what it reads."""
    tables = []
    for shape in dict.fromkeys(row["shapes"].split(",")[0] for row in rows):
        found = [row for row in rows if row["shapes"].split(",")[0] == shape]
        text = [
            f"{INPUTS[shape]}, {shape}. The mean squared error holds {found[0]['mse_largest_mb']:.2f} MB.",
            "",
        ]
        text += ["| Loss | ms | / MSE | MB |", "|---|--:|--:|--:|"]
        for row in found:
            others = "".join(f"<br>and {other}" for other in row["shapes"].split(", ")[1:])
            figures = [f"{row[key]:.2f}" for key in ("ms", "ratio", "largest_mb")]
            text.append("| " + " | ".join([f"`{row['loss']}`{others}", *figures]) + " |")
        tables.append("\n".join(text))
    return "\n\n".join(tables)


def figures(name):
    """The rows of a file that a benchmark wrote in its full form."""
    found = json.loads((HERE / name).read_text())
    if found["short"]:
        raise ValueError(f"{name} was written by a --short run, which measures nothing.")
    return found["rows"]


def page():
    """The text of docs/losses.md."""
    text = (HERE / "losses.md").read_text()
    blocks = {name: family(modules) for name, modules in FAMILIES.items()}
    blocks |= {"training": training(figures("training.json")), "cost": cost(figures("cost.json"))}
    for name, block in blocks.items():
        text = text.replace(f"<!-- table: {name} -->", block)
    return text


def main():
    """Write the page and its chart, or say whether they are up to date."""
    arguments = parser(__doc__).parse_args()
    save({PAGE: page(), CHART: chart(figures("training.json"))}, __file__, arguments.check)


if __name__ == "__main__":
    main()

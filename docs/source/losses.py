"""Write docs/losses.md from the docstrings of the losses, the measured figures, and losses.md beside this.

    python docs/source/losses.py [--check]

The figures are what these commands wrote:

    python benchmarks/training.py --accuracy 3 --json docs/source/training.json
    python benchmarks/losses.py --json docs/source/cost.json
"""

import argparse
import inspect
import json
import math
import statistics
import sys
from pathlib import Path

import keras_kd as kd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # the rows of the losses are in tests/
from tests.contract import FAMILIES  # noqa: E402

PAGE, CHART = HERE.parent / "losses.md", HERE.parent / "losses.svg"
PARTS = ["Formula", "Reads", "Defaults", "Equals", "Source"]


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
    rows = ["| Loss | |", "|---|---|"]
    for name, loss in exported().items():
        if name in names:
            texts = {part: cell(text) for part, text in parts(loss).items()}
            first = f"[`{name}`](api/losses.md#keras_kd.losses.{name})<br>{texts['Summary']}"
            second = "<br>".join(f"**{part}:** {texts[part]}" for part in PARTS)
            rows.append(f"| {first} | {second} |")
    return "\n".join(rows)


def training(rows):
    """How far each loss falls, and what it does for a student of 100 labels."""
    text = [
        "| Loss | First value | Last value | Last / first | Weighted first value "
        "| Alone, % | With it, % | Difference |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        ratio = f"{row['last'] / row['first']:.3f}"
        values = [f"{row['first']:.4g}", f"{row['last']:.4g}", ratio, f"{row['weight']:.0f}"]
        text.append("| " + " | ".join([f"`{row['loss']}`{task(row)}", *values, *accuracy(row)]) + " |")
    return "\n".join(text)


def task(row):
    """The task, where it is not to classify the digit."""
    return "" if row["task"] == "digits" else f" ({row['task']})"


def gain(row):
    """The mean difference that a loss makes, and its standard error, in points."""
    differences = [b - a for a, b in zip(row["alone"], row["with"], strict=True)]
    return statistics.mean(differences), statistics.stdev(differences) / len(differences) ** 0.5


def accuracy(row):
    """Accuracies as mean and standard deviation; a difference is bold beyond twice its standard error."""
    mean, error = gain(row)
    difference = f"{mean:+.2f} ({error:.2f})"
    both = [f"{statistics.mean(v):.2f} ± {statistics.stdev(v):.2f}" for v in (row["alone"], row["with"])]
    return [*both, f"**{difference}**" if abs(mean) > 2 * error else difference]


STYLE = """<style>
.gains text { fill: currentColor; font: 13px/1 system-ui, sans-serif; }
.gains line { stroke: currentColor; }
.gains .grid { opacity: 0.25; }
.gains .bar { stroke-width: 2; }
.gains circle { fill: currentColor; }
</style>"""
LEFT, WIDTH, LINE, TOP = 215, 400, 20, 8  # of the chart, in pixels


def chart(rows):
    """The gains on the digit task as dots with bars of twice the standard error, largest first."""
    found = sorted((gain(row), row["loss"]) for row in rows if row["task"] == "digits")[::-1]
    low = min(0.0, *(mean - 2 * error for (mean, error), _ in found))
    high = max(0.0, *(mean + 2 * error for (mean, error), _ in found))

    def x(value):
        return round(LEFT + WIDTH * (value - low) / (high - low), 1)

    bottom = TOP + LINE * len(found)
    size = f'viewBox="0 0 {LEFT + WIDTH + 25} {bottom + 42}" width="{LEFT + WIDTH + 25}"'
    label = "points over the student alone; bars are twice the standard error"
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
    """What each loss costs beside a mean squared error."""
    text = [
        "| Loss | Student's shapes | ms | MSE, ms | Loss / MSE | Largest tensor, MB | MSE's, MB |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        figures = [f"{row[key]:.2f}" for key in ("ms", "mse_ms", "ratio", "largest_mb", "mse_largest_mb")]
        text.append("| " + " | ".join([f"`{row['loss']}`", row["shapes"], *figures]) + " |")
    return "\n".join(text)


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    check = parser.parse_args().check
    for path, text in {PAGE: page(), CHART: chart(figures("training.json"))}.items():
        if not check:
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"docs/{path.name} is not what docs/source/losses.py writes. Run it.")


if __name__ == "__main__":
    main()

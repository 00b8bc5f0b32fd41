"""Draw the pictures of the tasks and write their figures: each seed a dot, the student alone and distilled.

    python docs/source/tasks.py [--check] [--measure FOLDER]

`--measure` reads what `examples/run_all.py --out FOLDER` kept, and keeps the figures in tasks.json.
"""

import importlib
import json
import re
import sys
from datetime import date
from pathlib import Path
from statistics import mean
from textwrap import fill

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "examples" / "tasks")]
from generated import parser, save  # noqa: E402
from pictures import WIDTH, label, picture  # noqa: E402

FIGURES = HERE / "tasks.json"
PAGES = HERE.parent / "tasks"
LEFT, RIGHT, LINE = 122, 64, 24  # where dots begin and end, and from one line to the next, in pixels
BEFORE = {"teacher": 0, "alone": 1, "distilled": 2}
NAMES = {"alone": "student alone"}
SHOWN = ("teacher", "student alone", "distilled", "better by", "parameters", "file", "its metric", "one call")
NOT_YET = "This task has not been run in full yet: nothing is known of what distillation gives here."


def measure(folder):
    """Today, and of rows with all their seeds: task -> row -> its cells in the table, its scores by seed."""
    from parts.rows import cells

    found = {}
    for script in sorted((ROOT / "examples" / "tasks").glob("*.py")):
        for row in importlib.import_module(script.stem).ROWS:
            kept = [folder / row.name.replace(" ", "-") / f"seed{seed}.json" for seed in range(row.seeds)]
            if all(path.exists() for path in kept):
                seeds = [json.loads(path.read_text("utf-8")) for path in kept]
                scores = {name: [one["scores"][name] for one in seeds] for name in seeds[0]["scores"]}
                figures = {"metric": row.metric, "percent": row.percent, "cells": cells(row, seeds)}
                found.setdefault(script.stem, {})[row.name] = figures | {"scores": scores}
            else:
                print(f"{row.name}: not all of its {row.seeds} seeds are in {folder}")
    return {"date": str(date.today()), "tasks": found}


def drawn(name, rows):
    """A panel for each row of a task."""
    marks, top, told = [], 0, []
    for row, figures in rows.items():
        marks += panel(row, figures, top)
        lines = shown(figures)
        top += LINE * (len(lines) + 1) + 22
        scale = 100 if figures["percent"] else 1
        means = ", ".join(f"{one} {scale * mean(values):.4g}" for one, values in lines.items())
        told.append(f"{row}, {figures['metric']}: {means}")
    return picture(f"task-{name}", "Each seed of each network", ". ".join(told), top, marks)


def shown(figures):
    """The scores of a row that are drawn, in order: those of networks that solve the task."""
    names = sorted(figures["scores"], key=lambda name: BEFORE.get(name, 3))
    return {name: figures["scores"][name] for name in names if name in BEFORE}


def panel(row, figures, top):
    """A line for each network: a dot for each seed, and their mean."""
    lines, scale = shown(figures), 100 if figures["percent"] else 1
    values = [value for line in lines.values() for value in line]
    low, high = min(values), max(values)
    span = (high - low) or 1

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / span

    marks = [label(0, top + 16, f"{row}: {figures['metric']}", "start strong")]
    for number, (name, line) in enumerate(lines.items(), 1):
        y = top + LINE * number + 12
        kind = "full" if name == "distilled" else "plain"
        marks.append(label(LEFT - 12, y + 5, NAMES.get(name, name), "end"))
        marks.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke-opacity="0.2"/>')
        marks += [f'<circle cx="{x(value):.1f}" cy="{y}" r="4.5" class="{kind}"/>' for value in line]
        marks.append(label(WIDTH, y + 5, f"{scale * mean(line):.4g}", "end"))
    return marks


def table(found):
    """The table, in the order of the tasks."""
    from parts.rows import markdown

    return markdown([figures["cells"] for rows in found.values() for figures in rows.values()])


def result(name, rows, until):
    """What a task's page says of its rows: the picture, a table, and what stands beside."""
    from parts.rows import TITLES

    at = [TITLES.index(title) for title in ("task", *SHOWN)]
    lines = (
        ["task", *SHOWN],
        ["---"] * len(at),
        *([figures["cells"][i] for i in at] for figures in rows.values()),
    )
    beside = {row: figures["cells"][TITLES.index("beside")] for row, figures in rows.items()}
    several = len(rows) > 1
    notes = [fill(f"Beside {row if several else 'it'}: {text}.", 120) for row, text in beside.items() if text]
    counts = dict.fromkeys(str(len(figures["scores"]["alone"])) for figures in rows.values())
    told = f"`python examples/tasks/{name}.py`: {' and '.join(counts)} seeds, measured until {until}."
    shown = f'<figure>\n--8<-- "docs/tasks/{name}.svg"\n</figure>'
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return "\n\n".join([shown, table.rstrip(), *notes, told])


def best(found):
    """The rows whose gain is more than three standard errors, for the README."""
    from parts.rows import TITLES

    titles = ("task", "data", "metric", "student alone", "distilled", "better by", "file")
    at = [TITLES.index(title) for title in titles]
    rows = [figures["cells"] for rows in found.values() for figures in rows.values()]
    chosen = [cells for cells in rows if clear(cells[TITLES.index("better by")])]
    lines = [titles, ["---"] * len(at), *([cells[i] for i in at] for cells in chosen)]
    others = f"The other {len(rows) - len(chosen)} gain less or nothing."
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + f"\n{others}"


def clear(gain):
    """Whether a gain, `"+0.78 ± 0.38"`, is more than three times its standard error."""
    mean, _, error = gain.partition(" ± ")
    return bool(error) and float(mean) > 3 * float(error)


def between(text, mark, new):
    """A page with other text between two marks."""
    before, _, after = re.split(f"(?<=<!-- {mark} -->)(.*)(?=<!-- end {mark} -->)", text, flags=re.S)
    return f"{before}\n{new}\n{after}"


def pages(measured):
    """The files of the site that hold figures: of each task its picture and its page, and the whole table."""
    tasks, until = measured["tasks"], measured["date"]
    texts = {PAGES / f"{name}.svg": drawn(name, rows) for name, rows in tasks.items()}
    for script in sorted((ROOT / "examples" / "tasks").glob("*.py")):
        name, page = script.stem, PAGES / f"{script.stem}.md"
        told = result(name, tasks[name], until) if name in tasks else NOT_YET
        texts[page] = between(page.read_text(), "RESULT", told)
    index = PAGES / "index.md"
    readme = ROOT / "README.md"
    texts[readme] = between(readme.read_text(), "TASKS", best(tasks))
    texts[index] = between(index.read_text(), "TABLE", f"{table(tasks)}\nMeasured until {until}.")
    return texts


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--measure", type=Path, metavar="FOLDER")
    given = arguments.parse_args()
    if given.measure:
        FIGURES.write_text(json.dumps(measure(given.measure), indent=1) + "\n")
    save(pages(json.loads(FIGURES.read_text("utf-8"))), __file__, given.check)

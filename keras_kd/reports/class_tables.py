"""How well each class is recognized, and what is taken for what: as rows of text for every format."""

from typing import TYPE_CHECKING

from keras_kd.reports import table
from keras_kd.reports.verdict import ClassFigures

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

WORST = 10
# More columns than these say less than the accuracies do.
_MOST_ROWS = 4


def rows_in_focus(report: "Report") -> list[str]:
    """The rows whose classes are shown: the file to ship, the model it was made from and the baseline.

    Without a file to ship, the first few rows.
    """
    if report.choice is None:
        return [row.name for row in report.rows][:_MOST_ROWS]
    chosen = report[report.choice.name]
    known = {row.name for row in report.rows}
    wanted = (report.choice.name, chosen.source, report.baseline)
    return [name for name in dict.fromkeys(wanted) if name is not None and name in known]


def class_table(report: "Report") -> list[list[str]]:
    """Heads and a row for each class with samples, those that the first row in focus knows least first."""
    measured = [figures for figures in report.classes if figures.samples]
    if not measured:
        return []
    names = [name for name in rows_in_focus(report) if name in measured[0].accuracies]

    def worst(figures: ClassFigures) -> float:
        return figures.accuracies[names[0]] if names else 0.0

    rows = []
    for figures in sorted(measured, key=worst):
        shares = (f"{100 * figures.accuracies[name]:.1f} %" for name in names)
        rows.append([figures.label, f"{figures.samples:,}", *shares])
    return [["Class", "Samples", *names], *rows]


def confusion_tables(report: "Report") -> dict[str, list[list[str]]]:
    """Name of a row -> the heads, and a row for each pair of classes that it confuses most."""
    heads = ["Class", "Taken for", "Samples"]
    names = rows_in_focus(report)
    names = [names[0], report.baseline] if report.baseline is not None else names[:2]
    found = {
        name: [[c.label, c.answer, f"{c.samples:,}"] for c in report.confusions if c.name == name]
        for name in names
        if name is not None
    }
    return {name: [heads, *rows] for name, rows in found.items() if rows}


def note(report: "Report") -> str:
    """What to keep in mind about figures of few samples."""
    fewest = min((figures.samples for figures in report.classes if figures.samples), default=0)
    one = f"{100 / fewest:.1f}" if fewest else table.MISSING
    return f"The smallest class has {fewest:,} samples: there, one sample is {one} points."

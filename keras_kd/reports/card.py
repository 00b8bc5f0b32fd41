"""What a report concludes, in words: every format says it first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from keras_kd.reports import table
from keras_kd.reports.paired_test import LEVEL
from keras_kd.reports.quality import Quality, in_words
from keras_kd.reports.rows import Row
from keras_kd.reports.verdict import Effect, Verdict

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

WORDS: dict[Effect, str] = {"helped": "It helped", "inconclusive": "No clear difference", "hurt": "It hurt"}
SIZE, ACCURACY, TIME = "Size", "Accuracy", "Time per call"
BUSY_TIME = f"{TIME} (the machine was busy)"
# Surely a difference, and too small to matter.
NEXT_TO_NONE = "Next to no difference"
# More rows than these say less than the table does.
_FEW = 3


@dataclass(frozen=True)
class Card:
    """The figures of one row that is worth naming.

    Args:
        row: The row.
        title: The name of its file, or its own.
        figures: Title -> figure, such as its size.
        beside: How accurate it is beside the baseline and the model that it was made from.
    """

    row: Row
    title: str
    figures: dict[str, str]
    beside: Sequence[str]

    def __str__(self) -> str:
        words = {SIZE: "{}", ACCURACY: "accuracy {}", TIME: "{} per call"}
        words[BUSY_TIME] = "{} per call (the machine was busy)"
        figures = ", ".join(words.get(title, f"{title} {{}}").format(f) for title, f in self.figures.items())
        beside = f" ({', '.join(self.beside)})" if self.beside else ""
        return f"{self.title}: {figures}{beside}"


def badge(verdict: Verdict) -> str:
    """The verdict in a few words, which say the same as its sentence begins with."""
    surely = verdict.effect == "inconclusive" and verdict.p < LEVEL
    return NEXT_TO_NONE if surely else WORDS[verdict.effect]


def chosen(report: "Report") -> Card | None:
    """The file to ship."""
    return None if report.choice is None else _card(report, report[report.choice.name])


def others(report: "Report") -> list[Card]:
    """What a report without a choice is about: its rows besides the baseline, if they are few."""
    rows = [row for row in report.rows if row.name != report.baseline]
    cards = [_card(report, row) for row in rows if len(rows) <= _FEW]
    return [card for card in cards if card.figures and report.choice is None]


def without_choice(report: "Report") -> str:
    """Why no file is named as the one to ship; empty if one is, or if nothing was compared that could be."""
    if report.choice is not None:
        return ""
    files = [row for row in report.rows if row.kind != "keras"]
    if not files:
        return ""
    if report.verdict is not None and report.verdict.nothing_to_ship:
        return f"Nothing to ship yet: {report.verdict.nothing_to_ship}"
    metric = next((row.metric for row in files if row.metric), None)
    if any(row.accuracy is not None for row in files):
        if all(row.accuracy_low is None for row in files):
            return ""  # a report of an earlier version, which did not choose
        return "No file to ship was found: none is known to be as accurate as the model it was made from."
    if metric is not None:
        name = in_words(metric)
        return f"No file is named as the one to ship: weigh {name} against size and time in the table."
    return "No file is named as the one to ship: there is no accuracy to judge the files by."


def sentences(report: "Report") -> list[str]:
    """The conclusions as lines of text."""
    card, lines = chosen(report), []
    if report.verdict is not None:
        lines.append(f"verdict: {report.verdict.text}")
    if card is not None and report.choice is not None:
        lines += [f"ship: {card}", f"why: {report.choice.why}"]
    return [*lines, *filter(None, [without_choice(report)])]


def size(count: int) -> str:
    """A size in words."""
    return f"{count / 1024:,.1f} KiB"


def file_name(row: Row) -> str:
    """The name of a row's file, or of the row where the file is not known."""
    return PurePath(row.path).name if row.path and row.kind != "keras" else row.name


def _card(report: "Report", row: Row) -> Card:
    figures: dict[str, str | None] = {
        SIZE: None if row.bytes is None else size(row.bytes),
        ACCURACY: None if row.accuracy is None else table.accuracy(row),
        Quality(row.metric).axis: None if row.metric_value is None else table.metric(row),
        BUSY_TIME if row.busy else TIME: None if row.median_ms is None else table.median(row),
    }
    others = [name for name in dict.fromkeys((report.baseline, row.source)) if name not in (None, row.name)]
    rows = [other for other in report.rows if other.name in others]
    known = {title: figure for title, figure in figures.items() if figure is not None}
    beside = [text for other in rows for text in _beside(row, other, report.baseline) if text]
    return Card(row, file_name(row), known, beside)


def _beside(row: Row, other: Row, baseline: str | None) -> tuple[str, str]:
    """What a row has gained or lost against another one, in accuracy and in the metric of both."""
    return _beside_accuracy(row, other, baseline), _beside_metric(Quality(row.metric), row, other)


def _beside_accuracy(row: Row, other: Row, baseline: str | None) -> str:
    if row.accuracy is None or other.accuracy is None:
        return ""
    points = 100 * (row.accuracy - other.accuracy)
    if round(points, 2) == 0:
        return f"as accurate as {other.name}"
    # More accurate than what it learned from: how accurate that was is worth saying.
    known = f" ({100 * other.accuracy:.2f} %)" if points > 0 and other.name == baseline else ""
    return f"{abs(points):.2f} points {'gained' if points > 0 else 'lost'} against {other.name}{known}"


def _beside_metric(quality: Quality, row: Row, other: Row) -> str:
    if quality.metric is None or row.metric_value is None or other.metric_value is None:
        return ""
    if not quality.less_is_better:
        return f"{quality.name} of {other.name}: {table.metric(other)}"
    score, of_other = quality.score(row), quality.score(other)
    assert score is not None
    assert of_other is not None
    if score == of_other:
        same = "as accurate" if row.accuracy is None else f"the same {quality.name}"
        return f"{same} as {other.name}"
    change = "gained" if score > of_other else "lost"
    return f"{abs(score - of_other):.3g} {change} in {quality.name} against {other.name}"

"""A report as Markdown."""

import re
from typing import TYPE_CHECKING

from keras_kd.reports import provenance, table
from keras_kd.reports.twins import as_shown

if TYPE_CHECKING:
    from keras_kd.reports.report import Report


def markdown(report: "Report") -> str:
    """The whole report as GitHub-flavored Markdown."""
    report = as_shown(report)
    columns = table.nonempty_columns(report.rows)
    lines = [f"# {escape(report.meta.title)}", ""]
    lines += [f"- {escape(fact)}" for fact in report.facts] + ([""] if report.facts else [])
    if report.baseline is not None:
        lines += [f"Baseline: **{escape(report.baseline)}**", ""]
    lines.append(_line([column.title for column in columns]))
    lines.append(_line(["---" if i < 2 else "---:" for i in range(len(columns))]))
    lines += [_line([escape(column.text(row)) for column in columns]) for row in report.rows]
    lines += _section("Notes", provenance.remarks(report))
    lines += _section("Not measured", [f"{gap.what}: {gap.why}" for gap in report.not_measured])
    lines += _section("How it was measured", provenance.methods(report))
    lines += _section(
        "Columns", [f"{title}: {meaning}" for title, meaning in table.meanings(report.rows).items()]
    )
    lines += _curves(report)
    lines += _section("Where it was measured", _pairs(provenance.origin(report)))
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text, on one line, escaped so that Markdown and the HTML made from it show it as typed."""
    return re.sub(r"([\\`*_\[\]<>|&#]|^[-+])", r"\\\1", " ".join(text.split()))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _section(title: str, items: list[str]) -> list[str]:
    return ["", f"## {title}", "", *[f"- {escape(item)}" for item in items]] if items else []


def _pairs(pairs: dict[str, str]) -> list[str]:
    return [f"{key}: {value}" for key, value in pairs.items()]


def _curves(report: "Report") -> list[str]:
    if not report.curves:
        return []
    lines = ["", "## Training", "", _line(["Model", "Metric", "Epochs", "First", "Last"]), _line(["---"] * 5)]
    for cells in provenance.curve_summary(report):
        lines.append(_line([escape(cell) for cell in cells]))
    return lines

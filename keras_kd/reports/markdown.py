"""A report as Markdown."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from keras_kd.reports import card, class_tables, curves, provenance, table
from keras_kd.reports.rows import Row
from keras_kd.reports.twins import as_shown

if TYPE_CHECKING:
    from keras_kd.reports.report import Report


def markdown(report: "Report") -> str:
    """The whole report as GitHub-flavored Markdown."""
    report = as_shown(report)
    columns = table.nonempty_columns(report.rows)
    lines = [f"# {escape(report.meta.title)}", ""]
    lines += [part for warning in report.warnings for part in (f"**Warning: {escape(warning)}**", "")]
    lines += _conclusion(report)
    lines += [f"- {escape(fact)}" for fact in report.facts] + ([""] if report.facts else [])
    if report.baseline is not None:
        lines += [f"Baseline: **{escape(report.baseline)}**", ""]
    cells = [[column.text(row) for column in columns] for row in report.rows]
    lines += _table([[column.title for column in columns], *cells], 2)
    lines += _section("Notes", provenance.remarks(report))
    lines += _section("Not measured", [f"{gap.what}: {gap.why}" for gap in report.not_measured])
    lines += _section("How it was measured", provenance.methods(report))
    lines += _section(
        "Columns", [f"{title}: {meaning}" for title, meaning in table.meanings(report.rows).items()]
    )
    lines += _classes(report)
    lines += _curves(report)
    lines += _section("How it was trained", _pairs(report.meta.settings))
    lines += _section("Where it was measured", _pairs(provenance.origin(report)))
    lines += _snippets(report)
    return "\n".join(lines) + "\n"


def _conclusion(report: "Report") -> list[str]:
    """Whether it helped and what to ship, with a link to the file."""
    ship, lines = card.chosen(report), []
    if report.verdict is not None:
        lines.append(f"**{card.badge(report.verdict)}.** {escape(report.verdict.text)}")
    if ship is not None and report.choice is not None:
        lines += [f"**Ship {_linked(ship.row, str(ship))}**", escape(report.choice.why)]
    lines += [escape(text) for text in [card.without_choice(report)] if text]
    files = [row for row in report.rows if row.path and row.kind != "keras"]
    if files:
        lines.append("Files: " + ", ".join(_linked(row, card.file_name(row)) for row in files))
    return [part for line in lines for part in (line, "")]


def _linked(row: Row, text: str) -> str:
    return f"[{escape(text)}]({quote(row.path)})" if row.path else escape(text)


def _snippets(report: "Report") -> list[str]:
    lines = []
    for language, text in report.snippets.items():
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        title = f"## Run the file: {escape(language)}"
        lines += ["", title, "", f"{fence}{language.lower()}", text.rstrip(), fence]
    return lines


def _classes(report: "Report") -> list[str]:
    rows = class_tables.class_table(report)
    lines = ["", "## Classes", "", *_table(rows, 1)] if rows else []
    for name, pairs in class_tables.confusion_tables(report).items():
        lines += ["", f"### What {escape(name)} confuses most", "", *_table(pairs, 2)]
    return lines


def _table(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """A table whose first row is the heads, of which so many are aligned left."""
    rule = ["---" if i < left else "---:" for i in range(len(rows[0]))]
    first, *others = [_line([escape(cell) for cell in row]) for row in rows]
    return [first, _line(rule), *others]


def escape(text: str) -> str:
    """Text, on one line, escaped so that Markdown and the HTML made from it show it as typed."""
    return re.sub(r"([\\`*_\[\]<>|&#]|^[-+])", r"\\\1", " ".join(text.split()))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _section(title: str, items: list[str]) -> list[str]:
    return ["", f"## {title}", "", *[f"- {escape(item)}" for item in items]] if items else []


def _pairs(pairs: Mapping[str, str]) -> list[str]:
    return [f"{key}: {value}" for key, value in pairs.items()]


def _curves(report: "Report") -> list[str]:
    heads = ("Model", "Metric", "Epochs", "First", "Last")
    rows = [heads, *curves.curve_summary(report.curves)]
    return ["", "## Training", "", *_table(rows, len(heads))] if report.curves else []

"""The card at the top of a page: whether it helped, and what to ship."""

from html import escape
from typing import TYPE_CHECKING

from keras_kd.reports import card, markup
from keras_kd.reports.card import Card
from keras_kd.reports.rows import Row
from keras_kd.reports.verdict import Effect

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

# Not by color alone.
_SIGNS: dict[Effect, str] = {"helped": "▲", "inconclusive": "=", "hurt": "▼"}


def card_of(report: "Report") -> str:
    """The card, or nothing for a report without any conclusion."""
    ship = card.chosen(report)
    parts = [
        _verdict(report),
        _stats(ship, "Ship ", _why(report)) if ship is not None else "",
        _paragraph(card.without_choice(report)),
        *(_stats(other, "", "") for other in card.others(report)),
        _files(report),
    ]
    content = "\n".join(part for part in parts if part)
    return f'<section class="card" aria-label="Conclusion">\n{content}\n</section>' if content else ""


def _verdict(report: "Report") -> str:
    verdict = report.verdict
    if verdict is None:
        return ""
    badge = f'<span aria-hidden="true">{_SIGNS[verdict.effect]}</span> {escape(card.badge(verdict))}'
    return (
        f'<p class="verdict {verdict.effect}"><strong class="badge">{badge}</strong> '
        f"{markup.prose(verdict.text)}</p>"
    )


def _stats(named: Card, verb: str, why: str) -> str:
    """A row with its figures in large type."""
    title = _linked(named.row, named.title)
    items = "\n".join(
        f"<div><dt>{escape(name[:1].upper() + name[1:])}</dt><dd>{escape(figure)}</dd></div>"
        for name, figure in named.figures.items()
    )
    beside = escape(", ".join(named.beside))
    return (
        f'<div class="stats">\n<h2>{escape(verb)}{title}</h2>\n<dl>\n{items}\n</dl>\n'
        f"{_paragraph(beside[:1].upper() + beside[1:], escaped=True)}{why}\n</div>"
    )


def _why(report: "Report") -> str:
    return "" if report.choice is None else f'\n<p class="small">{escape(report.choice.why)}</p>'


def _paragraph(text: str, escaped: bool = False) -> str:
    return f"<p>{text if escaped else escape(text)}</p>" if text else ""


def _files(report: "Report") -> str:
    """Links to all files, with their sizes."""
    ship = None if report.choice is None else report.choice.name
    items = [
        f"<li{' class=ship' if row.name == ship else ''}>{_linked(row, card.file_name(row))}{_size(row)}</li>"
        for row in report.rows
        if row.path and row.kind != "keras"
    ]
    return f'<ul class="files" aria-label="Files">\n{"".join(items)}\n</ul>' if items else ""


def _size(row: Row) -> str:
    return "" if row.bytes is None else f" <span>{escape(card.size(row.bytes))}</span>"


def _linked(row: Row, text: str) -> str:
    return markup.link(row.path, text) if row.path and row.kind != "keras" else escape(text)

"""A report as one HTML page that needs no network, no scripts and no other files."""

from html import escape
from typing import TYPE_CHECKING

from keras_kd.reports import plots, provenance, table
from keras_kd.reports.rows import Row
from keras_kd.reports.style import SERIES, STYLE
from keras_kd.reports.twins import as_shown

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

# The browser itself refuses to load anything from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: "Report") -> str:
    """The whole report as HTML."""
    report, title = as_shown(report), escape(report.meta.title)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
        f"<header>\n<h1>{title}</h1>",
        _byline(report),
        "</header>",
        _facts(report),
        _figures(report),
        _quality_plots(report),
        _training(report),
        _section("Notes", provenance.remarks(report)),
        _section("Not measured", [f"{gap.what}: {gap.why}" for gap in report.not_measured]),
        _section("How it was measured", provenance.methods(report)),
        _pairs("What the columns mean", table.meanings(report.rows)),
        _pairs("Where it was measured", provenance.origin(report)),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _byline(report: "Report") -> str:
    meta = report.meta
    pieces = [
        meta.data,
        None if meta.samples is None else f"{meta.samples:,} samples",
        meta.cpu,
        meta.created,
    ]
    return (
        f'<p class="byline">{escape(" · ".join(piece for piece in pieces if piece))}</p>'
        if any(pieces)
        else ""
    )


def _facts(report: "Report") -> str:
    items = "\n".join(f"<li>{escape(fact)}</li>" for fact in report.facts)
    return f'<ul class="facts">\n{items}\n</ul>' if items else ""


def _figures(report: "Report") -> str:
    columns = table.nonempty_columns(report.rows)
    best = {column.key: table.best_rows(column, report.rows, report.baseline) for column in columns}
    heads = "".join(
        f'<th scope="col"{" class=text" if i < 2 else ""}>{escape(column.title)}</th>'
        for i, column in enumerate(columns)
    )
    rows = "\n".join(_row(i, row, columns, best, report.baseline) for i, row in enumerate(report.rows))
    figures = _table("figures", "Table of figures", heads, rows)
    legend = (
        "Green: the best of its column, excluding the baseline; times that noise may explain count as equal."
    )
    return f'<section>\n<h2>Figures</h2>\n{figures}\n<p class="small">{legend}</p>\n</section>'


def _table(name: str, label: str, heads: str, rows: str) -> str:
    """A table that scrolls on its own if the screen is narrow."""
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">\n<table id="{name}">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _row(
    index: int, row: Row, columns: list[table.Column], best: dict[str, set[str]], baseline: str | None
) -> str:
    swatch = f'<span class="swatch" style="background: var(--c{index % SERIES})" aria-hidden="true"></span>'
    cells = [f'<th scope="row" class="text" title="{escape(row.name)}">{swatch}{escape(row.name)}</th>']
    for column in columns[1:]:
        style = "text" if column.key == "kind" else "best" if row.name in best[column.key] else ""
        attribute = f' class="{style}"' if style else ""
        cells.append(f"<td{attribute}>{escape(column.text(row))}</td>")
    start = '<tr class="baseline">' if row.name == baseline else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def _quality_plots(report: "Report") -> str:
    quality = plots.quality_of(report.rows)
    better = "Up and to the left is better. " if quality.name == "accuracy" else ""
    caption = f"{better}The horizontal axis is logarithmic; the vertical one starts above 0."
    figures = []
    for key, title, axis, unit in (
        ("bytes", "size", "size (KiB)", 1024.0),
        ("median_ms", "latency", "median latency (ms)", 1.0),
    ):
        drawing = plots.quality_plot(report.rows, key, axis, unit, report.baseline)
        if drawing is not None:
            figures.append(_figure(f"{quality.title} against {title}", drawing, caption))
    return _plots(f"{quality.title}, size and latency", figures)


def _training(report: "Report") -> str:
    values = provenance.curve_summary(report)
    if not values:
        return ""
    held_out = "On the validation data, if there is any."
    both = any(f"val_{metric}" in curve for curve in report.curves.values() for metric in curve)
    captions = {"loss": held_out}
    usual = "Solid: validation. Dotted: training." if both else held_out
    figures = [
        _figure(metric.capitalize(), drawing, captions.get(metric, usual))
        for metric, drawing in plots.curve_plots(report.curves, report.rows)
    ]
    titles = ("Model", "Metric", "Epochs", "First", "Last")
    heads = "".join(f'<th scope="col" class="text">{title}</th>' for title in titles)
    rows = "\n".join(
        "<tr>" + "".join(f'<td class="text">{escape(cell)}</td>' for cell in cells) + "</tr>"
        for cells in values
    )
    table_of_values = _table("training", "Training values", heads, rows)
    details = f"<details>\n<summary>First and last values</summary>\n{table_of_values}\n</details>"
    return _plots("Training", figures, details)


def _figure(title: str, drawing: str, caption: str) -> str:
    words = f"<h3>{escape(title)}</h3>\n{drawing}\n<figcaption>{escape(caption)}</figcaption>"
    return f"<figure>\n{words}\n</figure>"


def _plots(title: str, figures: list[str], after: str = "") -> str:
    if not figures and not after:
        return ""
    grid = f'<div class="plots">\n{"".join(figures)}\n</div>\n' if figures else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{grid}{after}</section>"


def _section(title: str, items: list[str]) -> str:
    if not items:
        return ""
    lines = "\n".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<section>\n<h2>{escape(title)}</h2>\n<ul class="plain">\n{lines}\n</ul>\n</section>'


def _pairs(title: str, pairs: dict[str, str]) -> str:
    if not pairs:
        return ""
    lines = "\n".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs.items())
    return f"<section>\n<h2>{escape(title)}</h2>\n<dl>\n{lines}\n</dl>\n</section>"

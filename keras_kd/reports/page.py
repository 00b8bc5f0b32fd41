"""A report as one HTML page that needs no network, no scripts and no other files."""

from html import escape
from typing import TYPE_CHECKING

from keras_kd.reports import class_tables, curves, markup, plots, provenance, table
from keras_kd.reports.document import document
from keras_kd.reports.front import front
from keras_kd.reports.page_card import card_of
from keras_kd.reports.quality import quality_of
from keras_kd.reports.rows import Row
from keras_kd.reports.style import look
from keras_kd.reports.twins import as_shown

if TYPE_CHECKING:
    from keras_kd.reports.report import Report

_FRONT = (
    "A good compromise: what is better in this column is less accurate. Times whose intervals touch count as "
    "equal."
)
_BARS = "Bars: intervals at 95\u00a0%. "
# What a narrow screen shows without scrolling.
_FIRST = ("name", "accuracy", "metric_value", "bytes", "median_ms")


def page(report: "Report") -> str:
    """The whole report as HTML."""
    report = as_shown(report)
    parts = [
        f"<header>\n<h1>{escape(report.meta.title)}</h1>",
        _byline(report),
        "</header>",
        markup.warnings(report.warnings),
        card_of(report),
        markup.bullets(report.facts, "facts"),
        _figures(report),
        _quality_plots(report),
        _classes(report),
        _training(report),
        _snippets(report),
        markup.section("Notes", markup.bullets(provenance.remarks(report))),
        markup.section(
            "Not measured", markup.bullets(f"{gap.what}: {gap.why}" for gap in report.not_measured)
        ),
        markup.section("How it was measured", markup.bullets(provenance.methods(report))),
        markup.section("How it was trained", markup.pairs(report.meta.settings)),
        markup.section("What the columns mean", markup.pairs(table.meanings(report.rows))),
        markup.section("Where it was measured", markup.pairs(provenance.origin(report))),
    ]
    return document(report.meta.title, parts)


def _byline(report: "Report") -> str:
    meta = report.meta
    samples = None if meta.samples is None else f"{meta.samples:,} samples"
    pieces = [piece for piece in (meta.data, samples, meta.cpu, meta.created) if piece]
    return f'<p class="byline">{escape(" · ".join(pieces))}</p>' if pieces else ""


def _figures(report: "Report") -> str:
    columns = sorted(
        table.nonempty_columns(report.rows),
        key=lambda column: _FIRST.index(column.key) if column.key in _FIRST else len(_FIRST),
    )
    fronts = {key: set(front(report.rows, key)) for key in ("bytes", "median_ms")}
    # A front of all rows, or of one, tells nothing apart.
    fronts = {key: names for key, names in fronts.items() if 0 < len(names) < len(report.rows)}
    texts = ("name", "kind")
    heads = "".join(
        f'<th scope="col"{" class=text" if column.key in texts else ""}>{markup.head(column.title)}</th>'
        for column in columns
    )
    rows = [_row(i, row, columns, fronts, report) for i, row in enumerate(report.rows)]
    legend = f'<p class="small"><span class="front" aria-hidden="true"></span> {_FRONT}</p>'
    figures = markup.table("figures", "Table of figures", heads, rows)
    return markup.section("Figures", figures, legend if fronts else "")


def _row(
    index: int, row: Row, columns: list[table.Column], fronts: dict[str, set[str]], report: "Report"
) -> str:
    colour, shape = look(index)
    kind = f"swatch shape{shape}" if shape else "swatch"
    swatch = f'<span class="{kind}" style="background: var(--c{colour})" aria-hidden="true"></span>'
    cells = [
        f'<th scope="row" class="text" title="{escape(row.name)}">{swatch}{markup.breakable(row.name)}</th>'
    ]
    for column in columns[1:]:
        text = column.text(row)
        styles = ["text"] if column.key == "kind" else []
        styles += ["front"] if row.name in fronts.get(column.key, ()) else []
        styles += ["spread"] if "±" in text else []
        attribute = f' class="{" ".join(styles)}"' if styles else ""
        cells.append(f"<td{attribute}>{_figure(text)}</td>")
    styles = ["baseline"] if row.name == report.baseline else []
    styles += ["ship"] if report.choice is not None and row.name == report.choice.name else []
    start = f'<tr class="{" ".join(styles)}">' if styles else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def _figure(text: str) -> str:
    """A figure that breaks before its ± where there is little room, and nowhere else."""
    return escape(text.replace(" ", "\u00a0").replace("\u00a0±", " ±"))


def _quality_plots(report: "Report") -> str:
    quality = quality_of(report.rows)
    better = "Down" if quality.less_is_better else "Up"
    meaning = f"{better} and to the left is better; the dashed line joins what nothing beats. "
    caption = (
        f"{meaning if quality.is_known else ''}"
        f"{_BARS if any(quality.ends(row) for row in report.rows) else ''}"
        "The horizontal axis is logarithmic; the vertical one need not start at 0."
    )
    figures = []
    for key, title in (("bytes", "size"), ("median_ms", "latency")):
        drawing = plots.quality_plot(report, key)
        if drawing is not None:
            figures.append(markup.figure(f"{quality.title} against {title}", drawing, caption))
    return markup.section(f"{quality.title}, size and latency", markup.grid("plots", figures))


def _classes(report: "Report") -> str:
    rows, worst = class_tables.class_table(report), class_tables.WORST
    parts = []
    if rows:
        shown, hidden = rows[: worst + 1], rows[worst + 1 :]
        table_of_all = markup.text_table("classes", "Accuracy of each class", rows)
        details = markup.details(f"All {len(rows) - 1:,} classes", table_of_all)
        table_of_some = markup.text_table("worst", "The worst classes", shown)
        title = f"The worst {worst} of {len(rows) - 1:,} classes" if hidden else "Accuracy of each class"
        note = f'<p class="small">{escape(class_tables.note(report))}</p>'
        content = f"{table_of_some if hidden else table_of_all}\n{note}\n{details if hidden else ''}"
        parts.append(markup.named_table(title, content))
    for i, (name, pairs) in enumerate(class_tables.confusion_tables(report).items()):
        table_of_pairs = markup.text_table(f"confusions-{i}", "Confused classes", pairs, left=2)
        parts.append(markup.named_table(f"What {name} confuses most", table_of_pairs))
    return markup.section("Classes", markup.grid("tables", parts))


def _training(report: "Report") -> str:
    values = curves.curve_summary(report.curves)
    if not values:
        return ""
    held_out = curves.source(report.curves)
    both = any(f"val_{metric}" in curve for curve in report.curves.values() for metric in curve)
    usual = "Solid: validation. Dotted: training." if both else held_out
    figures = [
        markup.figure(plot.title, plot.svg, held_out if plot.is_loss else usual)
        for plot in curves.curve_plots(report.curves, report.rows)
    ]
    rows = [["Model", "Metric", "Epochs", "First", "Last"], *map(list, values)]
    summary = markup.text_table("training", "Training values", rows, left=2)
    return markup.section(
        "Training", markup.grid("plots", figures), markup.details("First and last values", summary)
    )


def _snippets(report: "Report") -> str:
    """Programs, the first one open."""
    parts = [
        markup.details(language, markup.code(text), shown=i == 0)
        for i, (language, text) in enumerate(report.snippets.items())
    ]
    return markup.section("Run the file", *parts)

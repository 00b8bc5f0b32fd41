"""The table of a report in a terminal: no wider than it, with what matters most."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from keras_kd.messages import printable
from keras_kd.reports.labels import shorten, shorten_all
from keras_kd.reports.rows import Row
from keras_kd.reports.table import Column, nonempty_columns

_WIDE = 100_000
_SHORTEST = 12  # characters of a name, or of a heading
# What a narrow terminal leaves out, in this order; the files of a report contain all columns.
_LEAST = (
    *("p90_ms", "gzip_bytes", "max_error", "accuracy_delta", "parameters", "macs", "compression"),
    *("accuracy_mean", "agreement", "kind", "speedup"),
)
# What is left out if the names are as short as they may be and the rest still does not fit; a metric only if
# there is an accuracy.
_LAST = ("metric_value", "median_ms", "bytes")


def plain(rows: Sequence[Row], width: int | None = None) -> str:
    """The table for a terminal: text left-aligned, figures right-aligned.

    Args:
        rows: The rows.
        width: Characters per line, which no line exceeds. Long names and headings are shortened, and the
            least informative columns are left out until the table fits.
    """
    columns = nonempty_columns(rows)
    if width is None:
        return _render(rows, columns)
    text = ""
    for shown, longest in _attempts(columns, width):
        text = _render(_with_short_names(rows, longest), shown)
        if _width(text) <= width:
            return text
    return _cut(text, width)


def _attempts(columns: Sequence[Column], width: int) -> Iterator[tuple[Sequence[Column], int]]:
    """Columns and the length of the longest name: less and less."""
    longest = max(_SHORTEST, width // 3)
    yield columns, longest
    columns = [replace(column, short=shorten(column.short, _SHORTEST, end=0)) for column in columns]
    for key in ("", *_LEAST):
        columns = [column for column in columns if column.key != key]
        yield columns, longest
    yield columns, _SHORTEST
    for key in _LAST if any(column.key == "accuracy" for column in columns) else _LAST[1:]:
        columns = [column for column in columns if column.key != key]
        yield columns, longest
        yield columns, _SHORTEST
    yield columns, _SHORTEST // 2


def _width(text: str) -> int:
    """The columns of a terminal that the widest line takes."""
    from rich.cells import cell_len

    return max(map(cell_len, text.splitlines()))


def _cut(text: str, width: int) -> str:
    from rich.cells import set_cell_size

    return "\n".join(set_cell_size(line, width).rstrip() for line in text.splitlines())


def _with_short_names(rows: Sequence[Row], longest: int) -> list[Row]:
    names = shorten_all([printable(row.name, keep="") for row in rows], longest)
    return [replace(row, name=name) for row, name in zip(rows, names, strict=True)]


def _render(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rendered = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "left" if column.key in ("name", "kind") else "right"
        rendered.add_column(column.short, justify=side, no_wrap=True)
    for row in rows:
        # As Text, so that rich does not interpret markup in a name.
        rendered.add_row(*[Text(printable(column.text(row), keep="")) for column in columns])
    file = io.StringIO()
    # Independent of the terminal: no colors, and wide enough for every line.
    Console(file=file, width=_WIDE, color_system=None, force_jupyter=False, legacy_windows=False).print(
        rendered
    )
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

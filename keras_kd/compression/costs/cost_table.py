"""A cost as a table of 80 columns."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from keras_kd.messages import number_of, printable, some_of

if TYPE_CHECKING:
    from keras_kd.compression.costs.cost import Cost, LayerCost

_WIDTH = 80
_TITLES = "layer", "output", "parameters", "%", "multiply-adds", "%", "KiB alive"


def text_of(cost: Cost) -> str:
    """The table: layers with parameters, multiply-adds or the peak of memory, the sums, what is left out."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for i, title in enumerate(_TITLES):
        table.add_column(title, justify="left" if i < 2 else "right", no_wrap=True)
    top = max(cost.layers, key=lambda layer: layer.memory, default=None)
    counted = [layer for layer in cost.layers if layer.parameters or layer.macs or layer is top]
    rows = [_row(layer, cost) for layer in counted]
    total = "whole model", "", *_figures(cost, cost, cost.peak_memory)
    widths = [max(map(len, column)) + 2 for column in zip(_TITLES, *rows, total, strict=True)]
    for path, *figures in rows:
        table.add_row(Text(_ending(path, _WIDTH - sum(widths[1:]) - 2)), *figures)
    table.add_section()
    table.add_row(*total)
    file = io.StringIO()
    console = Console(file=file, width=1000, color_system=None, force_jupyter=False, legacy_windows=False)
    console.print(table)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    return "\n".join([*lines, *_remarks(cost, top, len(cost.layers) - len(counted))])


def _ending(path: str, width: int) -> str:
    """The end of a path, which tells more than its beginning, in at least 8 characters."""
    width = max(width, 8)
    return path if len(path) <= width else f"…{path[1 - width :]}"


def _row(layer: LayerCost, cost: Cost) -> tuple[str, ...]:
    shape = "x".join(map(str, layer.output_shape[1:]))
    return printable(layer.path, keep=""), shape, *_figures(layer, cost, layer.memory)


def _figures(row: Cost | LayerCost, cost: Cost, memory: int) -> tuple[str, ...]:
    shares = [_share(row.parameters, cost.parameters), _share(row.macs, cost.macs)]
    return f"{row.parameters:,}", shares[0], f"{row.macs:,}", shares[1], f"{memory / 1024:,.1f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f}" if whole else ""


def _remarks(cost: Cost, top: LayerCost | None, others: int) -> list[str]:
    """What the table leaves out."""
    shapes = ", ".join(f"{printable(name, keep='')} {shape}" for name, shape in cost.input_shapes.items())
    lines = [f"for {shapes}; weights: {cost.bytes / 1024:,.1f} KiB"]
    if top is not None:
        lines.append(f"most is alive in {printable(top.path, keep='')}: {top.memory / 1024:,.1f} KiB")
    if others:
        lines.append(f"{number_of(others, 'layer')} without parameters and multiply-adds not shown")
    if cost.uncounted:
        names = printable(some_of(cost.uncounted), keep="")
        lines.append(f"Multiply-adds not known, and not included: {names}")
    return lines

"""What was factorized, what it saves and what it costs, and what was left alone and why."""

import io
from dataclasses import dataclass
from typing import Any

from keras_kd.messages import number_of, printable
from keras_kd.results import Result


@dataclass(frozen=True)
class FactorizedLayer(Result):
    """A layer with a kernel, before and after.

    Args:
        layer: Its path.
        kind: Its class.
        method: `"svd"`, `"tucker"`, `"spatial"` or `"heads"`; empty if it was left alone.
        ranks: The sizes between the layers that it became.
        parameters: Before and after.
        multiply_adds: Of a sample, before and after; a free axis counts as one.
        error: The norm of what is left out, relative to that of the kernel, or of its outputs if data was
            given.
        reason: Why it was left alone; empty if it was not.
    """

    layer: str
    kind: str
    method: str
    ranks: tuple[int, ...]
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    error: float
    reason: str = ""


@dataclass(frozen=True)
class Factorization(Result):
    """What `factorize` does to a model, printed as a table.

    Args:
        model: The name of the model.
        layers: Those with a kernel, in the order in which they are called.
        parameters: Of the model, before and after.
        multiply_adds: Of the model for a sample, before and after; a free axis counts as one.
        weighted: Whether errors are those of outputs on data.
    """

    model: str
    layers: tuple[FactorizedLayer, ...]
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    weighted: bool

    @property
    def factorized(self) -> tuple[FactorizedLayer, ...]:
        """The layers that became several, or smaller."""
        return tuple(layer for layer in self.layers if not layer.reason)

    @property
    def left(self) -> tuple[FactorizedLayer, ...]:
        """The layers that were left alone."""
        return tuple(layer for layer in self.layers if layer.reason)

    def __str__(self) -> str:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for i, title in enumerate(("layer", "by", "rank", "parameters", "multiply-adds", "error %")):
            table.add_column(title, justify="left" if i < 2 else "right", no_wrap=True)
        for row in self.factorized:
            ranks, error = ", ".join(map(str, row.ranks)), f"{100 * row.error:.1f}"
            name = Text(printable(row.layer, keep=""))
            table.add_row(name, row.method, ranks, *map(_change, (row.parameters, row.multiply_adds)), error)
        table.add_section()
        table.add_row("the model", "", "", *map(_change, (self.parameters, self.multiply_adds)), "")
        file = io.StringIO()
        console = Console(file=file, width=1000, color_system=None, force_jupyter=False, legacy_windows=False)
        console.print(table)
        lines = [line.rstrip() for line in file.getvalue().splitlines()]
        if self.left:
            lines.append(f"{number_of(len(self.left), 'layer')} left alone:")
        lines += [f"  {printable(row.layer, keep='')}: {row.reason}" for row in self.left]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dictionaries, lists, numbers and strings."""
        return {**super().to_dict(), "factorized": len(self.factorized), "left": len(self.left)}


def _change(sizes: tuple[int, int]) -> str:
    before, after = sizes
    return f"{before:,} -> {after:,}"

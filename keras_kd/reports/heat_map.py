"""A table whose cells are the darker the more they lose, as a page."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from keras_kd.reports import markup
from keras_kd.reports.document import document

# Text stays readable on the darkest cell, in light and in dark.
_STYLE = """
:root { --heat: 194 65 12; }
@media (prefers-color-scheme: dark) { :root { --heat: 255 154 98; } }
.scroll { width: fit-content; max-width: 100%; }
#heat { font-size: .92rem; }
#heat td { background: rgb(var(--heat) / calc(var(--shade) * .6)); }
#heat th, #heat td { padding: .5rem .8rem; }
#heat tbody th { overflow-wrap: anywhere; white-space: normal; }
@media (max-width: 560px) { #heat th, #heat td { padding: .5rem .45rem; } }
"""


class Cell(NamedTuple):
    """A figure.

    Attributes:
        text: As it is shown.
        shade: How dark the cell is, from 0 to 1.
        tip: What is said of it on demand.
    """

    text: str
    shade: float
    tip: str


class HeatMap(NamedTuple):
    """A table of figures; its texts are not marked up.

    Attributes:
        title: The title of the page.
        facts: Sentences to show first.
        heads: Those of all columns, that of the names too.
        rows: A name and its cells.
        notes: Sentences to show last.
        warnings: Sentences to show before everything else.
    """

    title: str
    facts: Sequence[str]
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    notes: Sequence[str]
    warnings: Sequence[str] = ()

    def page(self) -> str:
        """The page, which needs no network, no scripts and no other files.

        Examples:
            >>> heat = HeatMap("net", ["98 %"], ["layer", "0.5"], [("conv", [Cell("-3.0", 1.0, "95 %")])], [])
            >>> '<td style="--shade:1.00" title="95 %">-3.0</td>' in heat.page()
            True
        """
        rows = [_row(name, cells) for name, cells in self.rows]
        parts = [
            f"<header>\n<h1>{escape(self.title)}</h1>\n</header>",
            markup.warnings(self.warnings),
            markup.bullets(self.facts, "facts"),
            markup.section(
                "Layer by layer", markup.table("heat", self.title, markup.heads(self.heads), rows)
            ),
            markup.section("Notes", markup.bullets(self.notes)),
        ]
        return document(self.title, parts, _STYLE)


def _row(name: str, cells: Sequence[Cell]) -> str:
    figures = "".join(
        f'<td style="--shade:{cell.shade:.2f}" title="{escape(cell.tip)}">{escape(cell.text)}</td>'
        for cell in cells
    )
    return f'<tr><th scope="row" class="text">{markup.breakable(name)}</th>{figures}</tr>'

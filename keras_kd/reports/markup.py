"""Pieces of a page: sections, tables, lists and figures. All text is escaped here."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*( \d+\b)?")


def breakable(text: str) -> str:
    """Text that may break after an underscore, as long names of models and metrics should."""
    return escape(text).replace("_", "_<wbr>")


def prose(text: str) -> str:
    """A sentence, in which an option of a command, such as `--seeds 5`, stays on one line."""
    return _OPTION.sub(r'<code class="option">\g<0></code>', escape(text))


def head(title: str) -> str:
    """The head of a column, with its unit or the like on a line of its own."""
    return breakable(title).replace(" (", " <br>(")


def link(path: str, text: str) -> str:
    """A link to a file, relative to the page."""
    return f'<a href="{escape(quote(path))}">{escape(text)}</a>'


def cells(texts: Iterable[str], left: int = 1) -> str:
    """A row of a table: the first cell is its head, and the first `left` ones are aligned left."""
    first, *others = texts
    head = f'<th scope="row" class="text">{escape(first)}</th>'
    rest = (f"<td{' class=text' if i < left else ''}>{escape(text)}</td>" for i, text in enumerate(others, 1))
    return f"<tr>{head}{''.join(rest)}</tr>"


def heads(titles: Iterable[str], left: int = 1) -> str:
    """The heads of a table, of which the first `left` ones are aligned left."""
    return "".join(
        f'<th scope="col"{" class=text" if i < left else ""}>{escape(title)}</th>'
        for i, title in enumerate(titles)
    )


def table(name: str, label: str, head: str, rows: Iterable[str]) -> str:
    """A table that scrolls on its own if the screen is narrow, of heads and rows that are marked up."""
    body = "\n".join(rows)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0">\n'
        f'<table id="{name}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>'
    )


def text_table(name: str, label: str, rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table of texts, whose first row is the heads."""
    return table(name, label, heads(rows[0], left), [cells(row, left) for row in rows[1:]])


def details(summary: str, content: str, *, shown: bool = False) -> str:
    """Something that is shown on demand, or until it is hidden."""
    return f"<details{' open' if shown else ''}>\n<summary>{escape(summary)}</summary>\n{content}\n</details>"


def figure(title: str, drawing: str, caption: str) -> str:
    """A drawing with its title and what it shows."""
    words = f"<h3>{escape(title)}</h3>\n{drawing}\n<figcaption>{escape(caption)}</figcaption>"
    return f"<figure>\n{words}\n</figure>"


def section(title: str, *parts: str) -> str:
    """A section of the page, or nothing if there is nothing in it."""
    content = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def grid(style: str, parts: Sequence[str]) -> str:
    """Parts side by side, as many as fit."""
    content = "\n".join(parts)
    return f'<div class="{style}">\n{content}\n</div>' if parts else ""


def named_table(title: str, content: str) -> str:
    """A table, or more, with a title."""
    return f"<div>\n<h3>{escape(title)}</h3>\n{content}\n</div>"


def bullets(items: Iterable[str], style: str = "plain") -> str:
    """A list of sentences."""
    lines = "\n".join(f"<li>{prose(item)}</li>" for item in items)
    return f'<ul class="{style}">\n{lines}\n</ul>' if lines else ""


def warnings(texts: Iterable[str]) -> str:
    """Sentences that nobody should miss."""
    return "".join(f'<p class="warning">Warning: {prose(text)}</p>' for text in texts)


def pairs(texts: Mapping[str, str]) -> str:
    """A list of terms and what they mean."""
    lines = "\n".join(f"<dt>{escape(key)}</dt><dd>{prose(value)}</dd>" for key, value in texts.items())
    return f"<dl>\n{lines}\n</dl>" if lines else ""


def code(text: str) -> str:
    """A program, to select and copy."""
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'

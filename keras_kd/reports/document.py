"""The frame of a page: what its head says, its style, and that it loads nothing."""

from collections.abc import Iterable
from html import escape

from keras_kd.reports.style import STYLE

# The browser itself refuses to load anything from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """A page of parts that are marked up; empty ones are left out.

    Args:
        title: The title, as text.
        parts: The parts.
        style: What is added to the style sheet.
    """
    frame = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>",
    ]
    return "\n".join([*frame, *(part for part in parts if part), "</main>\n</body>\n</html>\n"])

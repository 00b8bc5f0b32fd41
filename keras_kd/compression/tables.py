"""Tables in plain text, for results that print well."""

import io
from collections.abc import Collection, Sequence


def draw(titles: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Draw a table.

    Args:
        titles: Of the columns.
        rows: Their cells.
        right: The columns that are aligned to the right, such as numbers.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    file = io.StringIO()
    Console(file=file, width=1000, color_system=None, force_jupyter=False, legacy_windows=False).print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())

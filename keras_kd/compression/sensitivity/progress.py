"""A progress bar on a terminal; elsewhere nothing is drawn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keras_kd.messages import printable


@contextmanager
def show_progress(total: int) -> Iterator[Callable[[str], None]]:
    """Draw a bar on standard error, if that is a terminal.

    Args:
        total: How many steps there are.

    Yields:
        A function that is called after each step, with what was done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, force_jupyter=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total)
        yield lambda text: progress.update(task, advance=1, description=printable(text, keep=""))

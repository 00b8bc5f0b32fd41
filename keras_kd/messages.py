"""Pieces of error messages, and text that is safe to print."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator


def printable(text: str, keep: str = "\n\t") -> str:
    r"""Text in which the characters that control a terminal, or reorder a line, are escaped as in JSON.

    Names in files and folders may contain any character. This is applied to everything that is printed.

    Args:
        text: The text.
        keep: Control characters that stay; an empty string where all must be on one line.

    Examples:
        >>> printable("stage\x1b[2J1")
        'stage\\u001b[2J1'
        >>> printable("first\nsecond", keep="")
        'first\\nsecond'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else json.dumps(c)[1:-1] for c in text)


def one_line(error: BaseException) -> str:
    r"""What went wrong, without the frame and the pages of detail that Keras and TensorFlow put around it.

    A message of keras_kd is one line already: further lines come from a name in it, and are escaped.

    Examples:
        >>> one_line(ValueError("Exception encountered when calling Dense.call().\n\nwrong shape\n\nmore"))
        'wrong shape'
    """
    # Of TensorFlow, without the names of its own functions and operations.
    text = re.sub(r"\x1b\[\d*m|\{\{function_node \S*\}\} | \[Op:\w+\]( name: ?)?", "", str(error))
    lines = [re.sub("[ \t]+", " ", line.strip()) for line in _lines(text) if line.strip()]
    for line in lines:
        if line.startswith("Exception encountered: "):  # after pages of the configuration that does not load
            return printable(line.removeprefix("Exception encountered: ")[:400], keep="")
    framed = len(lines) > 1 and lines[0].startswith(("Exception encountered", "in user code"))
    if not lines:
        return type(error).__name__
    if not framed and _comes_from_here(error):
        return printable(str(error).strip(), keep="")
    return printable((lines[1] if framed else lines[0])[:400], keep="")


def _lines(text: str) -> Iterator[str]:
    """The lines of a text; one that ends within quotes, in a name, goes on to the end of the name."""
    held = ""
    for line in text.split("\n"):
        held += line
        if len(re.findall(r"(?<!\w)'", held)) <= len(re.findall(r"'(?!\w)", held)):
            yield held
            held = ""
        else:
            held += "\n"
    yield held


def _comes_from_here(error: BaseException) -> bool:
    """Whether code of this package raised an error."""
    name, frame = "", error.__traceback__
    while frame is not None:
        name, frame = str(frame.tb_frame.f_globals.get("__name__", "")), frame.tb_next
    return name.partition(".")[0] == __name__.partition(".")[0]


def some_of(names: Iterable[str], most: int = 6) -> str:
    """The first names of a list, separated by commas.

    Examples:
        >>> some_of("abcdefgh", 3)
        'a, b, c and 5 more'
    """
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def number_of(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    Examples:
        >>> number_of(1, "run"), number_of(1200, "run"), number_of(2, "class", "classes")
        ('1 run', '1,200 runs', '2 classes')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def close_matches(name: str, names: Iterable[str], most: int = 1) -> list[str]:
    """The names most similar to a misspelled one, the closest first; case does not matter.

    Examples:
        >>> close_matches("soft_target", ["soft_targets", "mse"])
        ['soft_targets']
    """
    known: dict[str, str] = {}
    for other in names:
        known.setdefault(other.lower() if other.lower() not in known else other, other)
    return [known[key] for key in difflib.get_close_matches(name.lower(), known, n=most, cutoff=0.5)]


def did_you_mean(name: str, names: Iterable[str], most: int = 1) -> str:
    """`" Did you mean ...?"` if any of the names are similar, otherwise an empty string.

    Examples:
        >>> did_you_mean("soft_target", ["soft_targets", "mse"])
        " Did you mean 'soft_targets'?"
    """
    matches = close_matches(name, names, most)
    return f" Did you mean {', '.join(map(repr, matches))}?" if matches else ""

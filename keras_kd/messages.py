"""Pieces of error messages."""

import difflib
import re
from collections.abc import Iterable


def one_line(error: BaseException) -> str:
    r"""What went wrong, without the frame and the pages of detail that Keras and TensorFlow put around it.

    Examples:
        >>> one_line(ValueError("Exception encountered when calling Dense.call().\n\nwrong shape\n\nmore"))
        'wrong shape'
    """
    text = re.sub(r"\x1b\[\d*m", "", str(error))
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    for line in lines:
        if line.startswith("Exception encountered: "):  # after pages of the configuration that does not load
            return line.removeprefix("Exception encountered: ")[:400]
    framed = len(lines) > 1 and lines[0].startswith(("Exception encountered", "in user code"))
    return (lines[1] if framed else lines[0])[:400] if lines else type(error).__name__


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

"""Stages of models in words, and proposed pairs as a table."""

from collections.abc import Mapping, Sequence

from keras_kd.signals.pairing.stages import KINDS, Key, Stage


def describe_fraction(key: Key) -> str:
    """The size of maps that were halved this many times, as a fraction of the input's size.

    Examples:
        >>> describe_fraction(2), describe_fraction(-1), describe_fraction(None)
        ('1/4', '2/1', 'an unknown fraction')
    """
    if key is None:
        return "an unknown fraction"
    return f"1/{2**key:.3g}" if key >= 0 else f"{2**-key:.3g}/1"


def describe_stages(stages: Mapping[str, Mapping[str, Sequence[Stage]]], kinds: Sequence[str] = KINDS) -> str:
    """The stages of each model, for a message.

    Args:
        stages: By the role of a model, such as `"teacher"`, then by kind.
        kinds: The kinds to describe.
    """
    parts = []
    for role, by_kind in stages.items():
        found = [_describe_kind(kind, by_kind[kind]) for kind in kinds if by_kind[kind]]
        parts.append(f"the {role} has {' and '.join(found) or 'none of these before its output'}")
    return ", ".join(parts)


def _describe_kind(kind: str, stages: Sequence[Stage]) -> str:
    if kind == "maps":
        sizes = dict.fromkeys(describe_fraction(stage.key) for stage in stages)
        return f"maps at {', '.join(sizes)} of its input"
    count = sum(len(stage.ends) for stage in stages)
    blocks = f"{count} block{'s' * (count > 1)}"
    if kind == "tokens":
        lengths = ", ".join(dict.fromkeys(str(stage.key or "?") for stage in stages))
        return f"sequences of length {lengths} after {blocks}"
    return f"vectors after {blocks}"


def format_columns(rows: Sequence[tuple[str, str, str]]) -> str:
    """Rows of text, one per line, with the first two columns padded to their widest cell."""
    widths = [max(len(row[column]) for row in rows) + 4 for column in (0, 1)]
    return "\n".join(f"{first:<{widths[0]}}{second:<{widths[1]}}{third}" for first, second, third in rows)

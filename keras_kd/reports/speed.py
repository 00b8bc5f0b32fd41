"""What times say about speed, and not more: no ratio within noise, and none from a busy machine."""

import math
from collections.abc import Sequence
from dataclasses import replace

from keras_kd.deployment.intervals import LEAST_NOISE, Interval
from keras_kd.reports.rows import Row

# Two times that differ by less than this part count as the same; if they may differ by more, nobody knows.
_SAME = 0.25
# What is said to be more has to be more in the digits that are written.
_CLEARLY = 1.01


def speed_sentence(row: Row, reference: Row, noise: float = LEAST_NOISE) -> str:
    """Whether a row is faster than another one, how many times, or that it is not known.

    Args:
        row: What is compared.
        reference: What it is compared with: the baseline of the report, or another row.
        noise: The part by which ratios are off, for a reference that is not the baseline.

    Examples:
        >>> from keras_kd.reports import Row
        >>> from keras_kd.reports.speed import speed_sentence
        >>> teacher = Row("teacher", "keras", median_ms=2.0, speedup=1, speedup_low=0.95, speedup_high=1.05)
        >>> int8 = Row("int8", "int8", median_ms=0.1, speedup=20, speedup_low=18.6, speedup_high=21.2)
        >>> speed_sentence(int8, teacher)
        'int8 is 18 to 22 times as fast as teacher.'
    """
    names = f"{row.name} and {reference.name}"
    ratio = _ratio(row, reference, noise)
    if row.busy or reference.busy:
        return f"How the speeds of {names} compare is not known: the machine was busy."
    if ratio is None:
        return f"How the speeds of {names} compare is not known: too few calls were timed."
    times = Interval(1, 1).relative_to(ratio)
    if ratio.low > _CLEARLY:
        return f"{row.name} is {_range(ratio)} times as fast as {reference.name}."
    if times.low > _CLEARLY:
        why = ": its 16-bit activations have no fast kernels here" if _is_much_slower(row, times) else ""
        return f"{row.name} takes {_range(times)} times as long as {reference.name} on this processor{why}."
    most = max(ratio.high, 1 / ratio.low) - 1
    if most <= _SAME:
        return f"{names} do not differ in speed beyond noise ({100 * most:.0f} %)."
    return f"How the speeds of {names} compare is not known: the times vary too much."


def _is_much_slower(row: Row, times: Interval) -> bool:
    return row.kind == "int16x8" and times.low > 2


def speed_sentences(rows: Sequence[Row], baseline: str | None) -> list[str]:
    """A sentence for every row that was timed, against the baseline."""
    timed = [row for row in rows if row.median_ms is not None]
    reference = next((row for row in timed if row.name == baseline), None)
    if reference is None:
        return []
    return [speed_sentence(row, reference) for row in timed if row is not reference]


def busy_sentence(rows: Sequence[Row]) -> str | None:
    """That the machine was too busy for some of the times to be relied on, and by which figures."""
    figures: dict[str, list[str]] = {}
    for row in rows:
        if row.disturbance is not None:
            figures.setdefault(row.disturbance, []).append(row.name)
    if not figures:
        return None
    which = "; ".join(f"{', '.join(names)}: {figure}" for figure, names in figures.items())
    return (
        f"The machine was busy while timing ({which}). These times are not to be relied on: run again when "
        "it is idle."
    )


def with_speed_notes(rows: Sequence[Row], baseline: str | None) -> list[Row]:
    """The rows, with a note where one is slower than what it was made from, or than the baseline."""
    by_name = {row.name: row for row in rows}
    noise = _noise(by_name.get(baseline or ""))
    return [_with_note(row, [_float32_of(row, rows), by_name.get(baseline or "")], noise) for row in rows]


def _with_note(row: Row, references: Sequence[Row | None], noise: float) -> Row:
    for reference in references:
        if reference is None or reference is row:
            continue
        ratio = _ratio(row, reference, noise)
        if ratio is not None and 1 / ratio.high > _CLEARLY:
            sentence = speed_sentence(row, reference, noise).removeprefix(f"{row.name} ")
            return replace(row, notes=(*row.notes, f"{sentence[:1].upper()}{sentence[1:]}"))
    return row


def _float32_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """The row of the float32 file of the same model, or of that model, which is timed as such a file."""
    if row.kind in ("keras", "float32"):
        return None
    files = [other for other in rows if other.kind == "float32" and other.source == row.source]
    models = [other for other in rows if other.name == row.source]
    return next(iter([*files, *models] if row.source else files if len(files) == 1 else []), None)


def _noise(baseline: Row | None) -> float:
    """The part by which ratios are off, which the baseline's own ratio tells."""
    return LEAST_NOISE if baseline is None or baseline.speedup_high is None else baseline.speedup_high - 1


def _ratio(row: Row, reference: Row, noise: float) -> Interval | None:
    """How many times as fast as another row; `None` if it is not known."""
    if row.busy or reference.busy:
        return None
    if reference.speedup == 1 and row.speedup_low is not None and row.speedup_high is not None:
        return Interval(row.speedup_low, row.speedup_high)
    first, second = _median(reference), _median(row)
    return first.relative_to(second).widened(noise) if first and second else None


def _median(row: Row) -> Interval | None:
    low, high = row.median_low_ms, row.median_high_ms
    return None if low is None or high is None else Interval(low, high)


def speedup_text(row: Row) -> str:
    """The cell of a table: a ratio with the digits that are known, "same", or "~" if it is not known.

    Examples:
        >>> from keras_kd.reports import Row
        >>> from keras_kd.reports.speed import speedup_text
        >>> speedup_text(Row("int8", "int8", speedup=22.09, speedup_low=21.4, speedup_high=22.9))
        '22x'
        >>> speedup_text(Row("int8", "int8", speedup=1.03, speedup_low=0.97, speedup_high=1.09))
        'same'
    """
    value, low, high = row.speedup or 1.0, row.speedup_low, row.speedup_high
    if value == 1:
        return "1x"
    if low is None or high is None:
        if row.median_low_ms is not None or row.busy:
            return "~"
        low, high = Interval(value, value).widened(LEAST_NOISE)  # a report that was saved without intervals
    if low > _CLEARLY or 1 / high > _CLEARLY:
        decimals = _known_decimals(value, high - low)
        return f"{round(value, decimals):,.{max(decimals, 0)}f}x"
    return "same" if max(high, 1 / low) - 1 <= _SAME else "~"


def _known_decimals(value: float, width: float) -> int:
    """Decimals of which the last is about as fine as the interval is wide, but two digits at least."""
    return max(-math.floor(math.log10(width)), 1 - math.floor(math.log10(value)))


def _range(ratio: Interval) -> str:
    """An interval above 1 in words, rounded outwards, so that no more is claimed than is known."""
    decimals = _known_decimals(ratio.low, ratio.high - ratio.low)
    if ratio.low < 1.1:
        decimals = max(decimals, 2)
    # Rounded to far more digits first, as no float is exactly 1.1.
    low, high = (round(end * 10.0**decimals, 6) for end in ratio)
    ends = math.floor(low), math.ceil(high)
    return " to ".join(f"{end / 10.0**decimals:,.{max(decimals, 0)}f}" for end in ends)

"""What a comparison could not measure, and why."""

from collections.abc import Mapping, Sequence

from keras_kd.reports.rows import NotMeasured, Row
from keras_kd.reports.tally import Tally


def uncounted(tallies: Mapping[str, Tally], baseline: str | None) -> list[NotMeasured]:
    """Accuracies that could not be counted, and what lacks without a baseline."""
    gaps = []
    for why in dict.fromkeys(tally.why for tally in tallies.values() if tally.why):
        names = [name for name, tally in tallies.items() if tally.why == why]
        agreed = baseline is None or any(tallies[name].compared for name in names)
        figures = "accuracy" if agreed else "accuracy and agreement"
        gaps.append(NotMeasured(f"{figures} of {', '.join(names)}", why))
    if baseline is None:
        gaps.append(NotMeasured("agreement, smaller and faster", "no baseline was given"))
    return gaps


def untimed(fixed: set[str]) -> list[NotMeasured]:
    """Files that take more than one sample a call."""
    why = "the batch is fixed at more than one sample a call"
    return [NotMeasured(f"latency of {', '.join(sorted(fixed))}", why)] if fixed else []


def unknown(rows: Sequence[Row], sources: Mapping[str, str]) -> list[NotMeasured]:
    """Files whose origin was not told."""
    files = [row.name for row in rows if row.kind != "keras" and row.name not in sources]
    if not files:
        return []
    why = "the Keras model that a file was made from is not known; name it in sources"
    return [NotMeasured(f"parameters and max error of {', '.join(files)}", why)]

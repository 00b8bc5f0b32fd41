"""What a comparison could not measure, and why."""

from collections.abc import Mapping, Sequence

from keras_kd.reports.rows import NotMeasured, Row
from keras_kd.reports.tally import Tally


def missing_accuracies(tallies: Mapping[str, Tally], baseline: str | None) -> list[NotMeasured]:
    """Accuracies that could not be computed, and what is missing without a baseline."""
    gaps = []
    for why in dict.fromkeys(tally.why for tally in tallies.values() if tally.why):
        names = [name for name, tally in tallies.items() if tally.why == why]
        has_agreement = baseline is None or any(tallies[name].answers.compared for name in names)
        figures = "accuracy" if has_agreement else "accuracy and agreement"
        gaps.append(NotMeasured(f"{figures} of {', '.join(names)}", why))
    if baseline is None:
        gaps.append(NotMeasured("agreement, smaller and faster", "no baseline was given"))
    return gaps


def missing_latencies(fixed_batch: set[str]) -> list[NotMeasured]:
    """Files that take more than one sample per call."""
    why = "the batch size is fixed at more than one sample per call"
    return [NotMeasured(f"latency of {', '.join(sorted(fixed_batch))}", why)] if fixed_batch else []


def missing_sources(rows: Sequence[Row]) -> list[NotMeasured]:
    """Files whose source model is unknown, or is not compared."""
    files = [row for row in rows if row.kind != "keras" and row.source is None]
    unknown = [row.name for row in files if row.parameters is None]
    elsewhere = [row.name for row in files if row.parameters is not None]
    why = "the Keras model that a file was made from is not known; name it in sources"
    gaps = [NotMeasured(f"parameters and max error of {', '.join(unknown)}", why)] if unknown else []
    if elsewhere:
        why = "the Keras model that a file was made from is not among those compared"
        gaps.append(NotMeasured(f"max error of {', '.join(elsewhere)}", why))
    return gaps

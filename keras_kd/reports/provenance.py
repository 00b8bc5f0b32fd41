"""How, where and with what the figures of a report were measured."""

from typing import TYPE_CHECKING

from keras_kd.reports import speed

if TYPE_CHECKING:
    from keras_kd.reports.report import Report


def methods(report: "Report") -> list[str]:
    """How the figures were measured, one sentence each."""
    lines = []
    if report.meta.samples is not None:
        metrics = "".join(f", {name}" for name in dict.fromkeys(row.metric for row in report.rows) if name)
        lines.append(
            f"Accuracy and agreement{metrics}: all models saw the same {report.meta.samples:,} samples."
        )
    if any(row.median_ms is not None for row in report.rows):
        count = report.meta.threads
        threads = f", {count} thread{'s' if count > 1 else ''}" if count else ""
        lines.append(
            f"Latency: one sample per call{threads}, the interpreter alone; the files take turns, so "
            "that a busy moment of the machine affects all equally, and calls that other programs interrupt "
            "are timed again. Other machines give other figures."
        )
    if any(row.kind.startswith("keras") and row.bytes is not None for row in report.rows):
        lines.append(
            "A Keras model is sized and timed as the float32 .tflite file that it exports to, "
            "so that all sizes and times are comparable. Its accuracy is Keras's own."
        )
    return lines


def remarks(report: "Report") -> list[str]:
    """What a reader should know about rows, and whether the machine was too busy to time them.

    What is known of several rows is said once.
    """
    busy, names = speed.busy_sentence(report.rows), dict[str, list[str]]()
    for row in report.rows:
        for note in row.notes:
            names.setdefault(note, []).append(row.name)
    return [*([busy] if busy else []), *(f"{', '.join(rows)}: {note}" for note, rows in names.items())]


def origin(report: "Report") -> dict[str, str]:
    """Label -> text: when, on what and with which versions the figures were measured."""
    meta = report.meta
    labels = {
        "Date": meta.created,
        "Data": meta.data,
        "Samples": None if meta.samples is None else f"{meta.samples:,}",
        "Processor": meta.cpu,
        "Threads": None if meta.threads is None else str(meta.threads),
        "Versions": ", ".join(f"{name} {version}" for name, version in meta.versions.items()),
        "Command": meta.command,
    }
    return {label: text for label, text in labels.items() if text}

"""What `evaluate` reports about a student: nothing about its training."""

from collections.abc import Iterable
from typing import Any


def require_figures(loss: bool, metrics: bool) -> None:
    """Raise a `ValueError` if there is neither a loss nor a metric to evaluate."""
    if not (loss or metrics):
        raise ValueError(
            "There is nothing to evaluate: `compile` was given neither `loss` nor `metrics`. The "
            "objectives are used in training only."
        )


def without(logs: dict[str, Any], trackers: Iterable[Any]) -> dict[str, Any]:
    """The logs, without the entries of these metrics."""
    names = {tracker.name for tracker in trackers}
    return {name: value for name, value in logs.items() if name not in names}

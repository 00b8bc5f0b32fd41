"""Frozen results that convert to plain dictionaries and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any


class Result:
    """Base of the frozen result dataclasses."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dictionaries, lists, numbers and strings."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return the figures as JSON text; NaN and infinity, which JSON lacks, become null."""
        return json.dumps(self.to_dict(), indent=2)


def _plain(value: object) -> Any:
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

"""Frozen results as plain values and JSON."""

import dataclasses
import json
from pathlib import Path

from keras_kd.results import Result


@dataclasses.dataclass(frozen=True)
class Inner(Result):
    value: float


@dataclasses.dataclass(frozen=True)
class Outer(Result):
    inner: Inner
    path: Path
    values: tuple[float, ...]
    by_number: dict[int, Inner]


def test_nested_results_paths_and_tuples_become_plain():
    result = Outer(Inner(0.5), Path("a") / "b", (1.0, 2.0), {1: Inner(2.0)})
    expected = {
        "inner": {"value": 0.5},
        "path": "a/b",
        "values": [1.0, 2.0],
        "by_number": {"1": {"value": 2.0}},
    }
    assert result.to_dict() == expected
    assert json.loads(result.to_json()) == expected


def test_json_has_null_for_what_it_lacks():
    values = (float("nan"), float("inf"), 1.0)
    text = Outer(Inner(-float("inf")), Path("a"), values, {}).to_json()
    assert json.loads(text)["values"] == [None, None, 1.0]
    assert json.loads(text)["inner"] == {"value": None}

"""What could not be measured, in words."""

from types import SimpleNamespace

from keras_kd.reports import Row, gaps


def words(gaps):
    return {gap.what: gap.why for gap in gaps}


def test_accuracies_that_are_missing_for_one_reason_are_one_gap():
    tallies = {name: SimpleNamespace(why="no labels", answers=SimpleNamespace(compared=0)) for name in "ab"}
    assert words(gaps.missing_accuracies(tallies, "a")) == {"accuracy and agreement of a, b": "no labels"}
    tallies["a"].answers.compared = 5
    assert list(words(gaps.missing_accuracies(tallies, "a"))) == ["accuracy of a, b"]
    assert "agreement, smaller and faster" in words(gaps.missing_accuracies(tallies, None))


def test_a_fixed_batch_has_no_latency():
    assert gaps.missing_latencies(set()) == []
    assert list(words(gaps.missing_latencies({"b", "a"}))) == ["latency of a, b"]


def test_files_without_a_source_are_named():
    rows = [Row("model", "keras", parameters=3), Row("known", "int8", parameters=3, source="model")]
    others = [Row("foreign", "int8"), Row("strange", "int8", parameters=4)]
    missing = words(gaps.missing_sources([*rows, *others]))
    assert list(missing) == ["parameters and max error of foreign", "max error of strange"]
    assert "name it in sources" in missing["parameters and max error of foreign"]
    assert "is not among those compared" in missing["max error of strange"]
    assert gaps.missing_sources(rows) == []

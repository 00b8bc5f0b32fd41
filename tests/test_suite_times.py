"""`make test-times`: sums by room, and what is left of the budget."""

import json
from types import SimpleNamespace

from tests import suite_times


def test_the_seconds_of_a_room_are_those_of_all_its_phases():
    times = [
        ("tests/losses/test_maps.py::test_x[a::b]", 1.0),
        ("tests/losses/deep/test_a.py::test_y", 2.0),
        ("tests/test_docs.py::test_z", 4.0),
    ]
    reports = [SimpleNamespace(nodeid=node, duration=seconds) for node, seconds in times]
    assert suite_times.seconds_by_room(reports) == {"test_docs.py": 4.0, "losses": 3.0}


def test_the_table_shows_each_room_and_the_budgets():
    seconds = {"fast": {"losses": 3.0}, "fast, coverage": {"losses": 5.0}, "slow": {"jobs": 7.0}}
    clock = {"fast": suite_times.FAST - 10, "fast, coverage": 200, "slow": suite_times.WHOLE - 150}
    lines = suite_times.table(seconds, clock).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["losses", "3.0", "5.0", "0.0"],
        ["jobs", "0.0", "0.0", "7.0"],
    ]
    assert lines[-2].endswith(f"of {suite_times.FAST} s: 10 s left")
    assert lines[-1].endswith(f"of {suite_times.WHOLE} s: 50 s over")


def test_figures_are_kept_beside_those_of_before(tmp_path):
    file = tmp_path / "times.json"
    suite_times.keep("before", {"fast": 240.4}, file)
    suite_times.keep("after", {"fast": 149.6}, file)
    assert json.loads(file.read_text()) == {"before": {"fast, s": 240}, "after": {"fast, s": 150}}


def test_a_run_of_several_rooms_prints_their_seconds(tmp_path):
    def report(node):
        return SimpleNamespace(nodeid=node, duration=1.5)

    printed, file = [], tmp_path / "times.json"
    stats = {"passed": [report("tests/losses/a.py::x")], "": [report("tests/jobs/b.py::y")], "warnings": [1]}
    reporter = SimpleNamespace(stats=stats, write_line=printed.append)
    suite_times.summarize(reporter, file)
    assert printed == ["seconds by room: losses 1.5, jobs 1.5"]
    assert json.loads(file.read_text()) == {"losses": 1.5, "jobs": 1.5}
    del stats["passed"]
    suite_times.summarize(reporter, None)
    assert len(printed) == 1

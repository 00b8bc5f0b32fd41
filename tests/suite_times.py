"""How long the suite takes, room by room, beside its budget.

    make test-times
    python -m tests.suite_times [LABEL]

Runs what `make test-fast` and `make test` run, and prints a table. With a label, such as "after", the figures
are also kept in benchmarks/suite_times.json. A room is a folder of tests/, or a file that stands in tests/
itself; its seconds are summed over its tests and fixtures, on all workers, so that they exceed the clock.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "benchmarks" / "suite_times.json"

# Seconds on two idle cores. An issue that adds tests may raise WHOLE by 120 at most, and says so.
FAST, WHOLE = 240, 23 * 60

RUNS = {
    "fast": ["-n", "2", "-m", "not slow"],
    "fast, coverage": ["-n", "2", "-m", "not slow", "--cov"],
    "slow": ["-n", "4", "-m", "slow"],
}


def room(node):
    """The folder of a test, given its id: `"losses"` of `"tests/losses/test_maps.py::test_x"`."""
    return node.split("::")[0].removeprefix("tests/").split("/")[0]


def seconds_by_room(reports):
    """Room -> seconds, the longest first, from the reports of pytest: setup, call and teardown count."""
    seconds = Counter()
    for report in reports:
        seconds[room(report.nodeid)] += report.duration
    return dict(seconds.most_common())


def summarize(reporter, file):
    """Print the seconds of each room if there are several, and write them to `file`; when pytest ends."""
    reports = [report for kind in reporter.stats.values() for report in kind if hasattr(report, "duration")]
    seconds = seconds_by_room(reports)
    if len(seconds) > 1:
        rooms = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
        reporter.write_line(f"seconds by room: {rooms}")
    if file is not None:
        file.write_text(json.dumps(seconds))


def table(seconds, clock):
    """The table: a row for each room, then the budgets.

    Args:
        seconds: Run -> room -> seconds.
        clock: Run -> seconds from start to end.
    """
    runs = list(clock)
    total = Counter()
    for run in runs:
        total.update(seconds[run])
    rows = [["seconds", *runs]]
    rows += [[name, *(f"{seconds[run].get(name, 0):.1f}" for run in runs)] for name, _ in total.most_common()]
    rows += [["on the clock", *(f"{clock[run]:.0f}" for run in runs)]]
    width = max(len(row[0]) for row in rows)
    lines = [f"{name:<{width}}" + "".join(f"{cell:>16}" for cell in cells) for name, *cells in rows]
    return "\n".join([*lines, "", *budget(clock)])


def budget(clock):
    """What the two commands took of what they may take."""
    for command, taken, allowed in (
        ("make test-fast", clock["fast"], FAST),
        ("make test", clock["fast, coverage"] + clock["slow"], WHOLE),
    ):
        verdict = f"{allowed - taken:.0f} s left" if taken <= allowed else f"{taken - allowed:.0f} s over"
        yield f"{command:<15} {taken:5.0f} s of {allowed} s: {verdict}"


def measure(arguments):
    """Run pytest; the seconds of each room, those on the clock, and the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "times.json"
        command = [sys.executable, "-m", "pytest", "--dist", "worksteal", "--times", str(file)]
        start = time.monotonic()
        code = subprocess.run([*command, *arguments], cwd=ROOT).returncode
        clock = time.monotonic() - start
        return json.loads(file.read_text()), clock, code


def keep(label, clock, file=KEPT):
    """Write the seconds on the clock to the file that benchmarks/house.py reads."""
    known = json.loads(file.read_text()) if file.exists() else {}
    known[label] = {f"{run}, s": round(seconds) for run, seconds in clock.items()}
    file.write_text(json.dumps(known, indent=2) + "\n")


def main(label=None):
    measured = {run: measure(arguments) for run, arguments in RUNS.items()}
    clock = {run: clock for run, (_, clock, _) in measured.items()}
    print("\n" + table({run: seconds for run, (seconds, _, _) in measured.items()}, clock))
    if label is not None:
        keep(label, clock)
    return max(code for _, _, code in measured.values())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Every task as a row of one table: the student alone, distilled, and the file that it leaves as.

Run: python examples/run_all.py [--short] [--out FOLDER] [TASK ...]

The full table takes hours and fetches the data that it needs; what is finished is kept in FOLDER
(runs/tasks), and the same command goes on where it stopped. It is written to FOLDER/table.md. --short runs
one seed of a little training of each task, on data that is at hand, and needs no network.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

TASKS = Path(__file__).parent / "tasks"
sys.path.insert(0, str(TASKS))
NAMES = sorted(path.stem for path in TASKS.glob("*.py"))


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"all if none is named: {', '.join(NAMES)}")
    parser.add_argument("--short", action="store_true", help="a little training of each, to see that it runs")
    parser.add_argument("--out", type=Path, help="default: runs/tasks; if short, nothing is kept")
    given = parser.parse_args()
    unknown = sorted(set(given.tasks) - set(NAMES))
    if unknown:
        parser.error(f"no task is called {', '.join(unknown)}. There are {', '.join(NAMES)}.")
    return given


def main():
    given = arguments()
    from parts.rows import markdown, run

    from keras_kd.files import write_atomically

    rows = [row for name in given.tasks or NAMES for row in importlib.import_module(name).ROWS]
    with tempfile.TemporaryDirectory() as temporary:
        out = given.out or Path(temporary if given.short else "runs/tasks")
        lines = run(rows, out, given.short)
        with write_atomically(out / "table.md") as part:
            part.write_text(markdown(lines), "utf-8")


if __name__ == "__main__":
    main()

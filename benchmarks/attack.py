"""What was tried to break keras_kd, and how often it broke.

    python benchmarks/attack.py [--short] [--seed N] [--only GROUP] [--markdown FILE] [--json FILE]

Each group of attacks is a module of `attacks/`, which makes bad inputs and gives them to keras_kd in
processes of their own. An input is refused if it meets one of the errors that keras_kd documents, or a
message and an exit code; it works if nothing is found wrong with it. Everything else is a fault:

    death       the process that called keras_kd ended by a signal
    hang        no answer within the time limit of the group
    traceback   an error of a kind that keras_kd does not document, or a traceback on the command line
    lost        a file that was there before is gone or has changed
    wrong       a result that is not that of the undamaged input, without a message

What went wrong is listed below the table, with what makes it again. `--short` takes a few inputs of each
group. On two idle cores it takes under three minutes, and all of it under 40. The exit code is 1 if anything
went wrong.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from attacks import destinations, interruptions, run_folders, saved_files, streams, tflite_files
from attacks.tally import FAULTS
from rich.console import Console
from rich.table import Table

# A new group of attacks is a module with `attack(rng, folder, short)`, which yields tallies, and a line here.
GROUPS = {
    ".tflite files": tflite_files.attack,
    "saved files": saved_files.attack,
    "run folders": run_folders.attack,
    "destinations": destinations.attack,
    "streams": streams.attack,
    "interruptions": interruptions.attack,
}
COLUMNS = ("group", "inputs", "refused", "worked", *FAULTS)


def main():
    options = arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported, by the groups
    tallies, started = [], time.monotonic()
    for name in options.only or GROUPS:
        with tempfile.TemporaryDirectory(prefix="attack_") as folder:
            rng = random.Random(f"{options.seed} {name}")
            for tally in GROUPS[name](rng, Path(folder), options.short):
                print(f"{time.monotonic() - started:5.0f} s  {tally}", file=sys.stderr)
                tallies.append(tally)
    report(tallies, options)
    return int(any(tally.faults for tally in tallies))


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="a few inputs of each group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=list(GROUPS), help="a group; may be repeated")
    parser.add_argument("--markdown", type=Path, help="also write the table as Markdown")
    parser.add_argument("--json", type=Path, help="also write the figures as JSON")
    return parser.parse_args()


def report(tallies, options):
    rows = [tally.row() for tally in tallies]
    rows.append(["all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))])
    table = Table(*COLUMNS, title="keras_kd under attack")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else cell for cell in row))
    console = Console(width=max(150, Console().width), highlight=False)
    console.print(table)
    for tally in tallies:
        for fault in tally.faults:
            console.print(f"{tally.name}: {fault}", markup=False)
    if options.markdown:
        options.markdown.write_text(markdown(rows))
    if options.json:
        options.json.write_text(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))


def markdown(rows):
    """The table of the documentation, whose page has no room for a column for each kind of fault."""
    kinds = len(FAULTS)
    narrow = [[*row[:-kinds], sum(row[-kinds:])] for row in rows]
    lines = [[*COLUMNS[:-kinds], "faults"], ["---", *["--:"] * (len(COLUMNS) - kinds)], *narrow]
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in line] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


if __name__ == "__main__":
    if main():
        sys.exit(1)

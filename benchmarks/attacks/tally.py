"""What came of the inputs of one group."""

import sys
from collections import Counter
from typing import NamedTuple

FAULTS = ("deaths", "hangs", "tracebacks", "lost files", "wrong answers")
REFUSED, WORKED, DEATH, HANG, TRACEBACK, LOST, WRONG = ("refused", "worked", *FAULTS)


class Outcome(NamedTuple):
    """What came of one input: one of the kinds above, and what was seen of it."""

    kind: str
    detail: str = ""


class Tally:
    """Counts the outcomes of a group, and keeps what went wrong with what makes it again."""

    def __init__(self, name):
        self.name = name
        self.counts = Counter()
        self.faults = []

    def add(self, what, outcome):
        """Count the outcome of an input, which `what` describes so that it can be made again."""
        self.counts[outcome.kind] += 1
        if outcome.kind in FAULTS:
            self.faults.append(f"{outcome.kind}: {what}: {outcome.detail}")
            print(f"{self.name}: {self.faults[-1]}", file=sys.stderr)

    def row(self):
        counts = [self.counts[kind] for kind in (REFUSED, WORKED, *FAULTS)]
        return [self.name, sum(counts), *counts]

    def __str__(self):
        return f"{self.name}: " + ", ".join(f"{count:,} {kind}" for kind, count in self.counts.items())

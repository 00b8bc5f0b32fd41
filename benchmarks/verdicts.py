"""How often a verdict of `keras-kd distill` is wrong, and how often it finds a gain, on simulated test sets.

    python benchmarks/verdicts.py [--short]

Two students answer the same samples. Some samples are hard for both, and with several seeds every training
has its own luck. Their true accuracies are known, so that every verdict is right or wrong. The last column is
the mean gain that was found, divided by the true one.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the simulation is in tests/

from keras_kd.reports.paired_test import compare_scores
from tests.reports.simulation import simulated

CASES = [
    # true accuracies, test samples, seeds
    ((0.9, 0.9), 360, 1),
    ((0.9, 0.9), 1000, 1),
    ((0.9, 0.9), 1000, 5),
    ((0.93, 0.9), 1000, 1),
    ((0.93, 0.9), 1000, 5),
    ((0.9, 0.93), 1000, 1),
]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="few test sets, to see that it runs")
    sets = 50 if parser.parse_args().short else 1000
    titles = ("distilled", "alone", "samples", "seeds", "helped", "neither", "hurt", "found/true")
    table = Table(*titles, title=f"Verdicts on {sets:,} simulated test sets")
    for (first, second), samples, seeds in CASES:
        rng = np.random.default_rng(0)
        tests = [compare_scores(*simulated(rng, (first, second), samples, seeds)) for _ in range(sets)]
        found = [test.outcome for test in tests]
        shares = [found.count(outcome) / sets for outcome in ("better", "inconclusive", "worse")]
        gain = np.mean([test.difference for test in tests])
        ratio = f"{gain / (first - second):.2f}" if first != second else "-"
        shown = [f"{first:.0%}", f"{second:.0%}", f"{samples:,}", str(seeds)]
        table.add_row(*shown, *(f"{share:.1%}" for share in shares), ratio)
    Console().print(table)


if __name__ == "__main__":
    main()

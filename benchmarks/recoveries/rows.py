"""The rows of all seeds: their times, the table, and what they say."""

import statistics
import time

from rich.console import Console
from rich.table import Table

import keras_kd as kd

STAGES = ("before", "recalibrated", "labels", "distilled", "scratch")
TITLES = ("model", *STAGES, "parameters", "multiply-adds", "KiB", "gzip KiB", "time / teacher")


def add_times(rows, x, turns):
    """Give each row the time of its file, divided by that of the teacher of its seed: median of turns."""
    for seed in dict.fromkeys(row["seed"] for row in rows):
        same = [row for row in rows if row["seed"] == seed]
        files = [kd.LiteModel(row["file"]) for row in same]
        for file in files:
            file.predict(x)  # an interpreter keeps its inputs: what is timed is the run alone
        ratios = [[] for _ in same]
        for _ in range(turns):
            taken = [seconds_of(file) for file in files]
            for own, seconds in zip(ratios, taken, strict=True):
                own.append(seconds / taken[0])
        for row, own in zip(same, ratios, strict=True):
            row["time"] = statistics.median(own)


def seconds_of(file):
    started = time.perf_counter()
    for _ in range(50):
        file.invoke()
    return time.perf_counter() - started


def by_way(rows):
    return {way: [r for r in rows if r["way"] == way] for way in dict.fromkeys(r["way"] for r in rows)}


def print_rows(rows, name):
    table = Table(*TITLES, title=f"{name}: test accuracy in %, mean ± standard error over seeds")
    for cells in cells_of(rows):
        table.add_row(*cells)
    Console(width=190).print(table)


def markdown(rows):
    """The same table for a page."""
    lines = [TITLES, ["---", *["--:"] * (len(TITLES) - 1)], *cells_of(rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def cells_of(rows):
    for way, same in by_way(rows).items():
        shown = [percent([row[stage] for row in same if stage in row]) for stage in STAGES]
        parameters, macs, size, packed = (
            statistics.mean(row[key] for row in same) for key in ("parameters", "macs", "bytes", "gzip")
        )
        sizes = f"{parameters:,.0f}", f"{macs:,.0f}", f"{size / 1024:,.1f}", f"{packed / 1024:,.1f}"
        yield [way, *shown, *sizes, f"{time_of(same):.3f}"]


def time_of(same):
    return statistics.median(row["time"] for row in same)


def percent(values, sign=""):
    if not values:
        return "-"
    shown = f"{100 * statistics.mean(values):{sign}.2f}"
    return shown if len(values) == 1 else f"{shown} ± {100 * standard_error(values):.2f}"


def standard_error(values):
    return statistics.stdev(values) / len(values) ** 0.5


def print_findings(rows):
    """Differences, seed by seed, in points of accuracy, and which rows nothing beats in time and accuracy."""
    ways = by_way(rows)
    teachers = {row["seed"]: row["before"] for row in ways["teacher"]}
    for way, same in ways.items():
        if "distilled" not in same[0]:
            continue
        pairs = {"the teacher": [r["distilled"] - teachers[r["seed"]] for r in same]}
        for stage, of in (("labels", "labels alone"), ("scratch", "from scratch")):
            if stage in same[0]:
                pairs[of] = [r["distilled"] - r[stage] for r in same]
        shown = "; ".join(f"{percent(each, '+')} against {of}" for of, each in pairs.items())
        kept = [r["recalibrated"] / teachers[r["seed"]] for r in same if "recalibrated" in r]
        print(f"{way}, distilled: {shown}." + (f" Recalibrated it kept {percent(kept)} %." if kept else ""))
    points = {way: (time_of(same), best(same)) for way, same in ways.items()}
    front = [
        way
        for way, (at, value) in points.items()
        if not any(a <= at and v >= value and (a, v) != (at, value) for a, v in points.values())
    ]
    print(f"Nothing is both faster and more accurate than: {'; '.join(sorted(front, key=points.get))}.")


def best(same):
    """The accuracy of a way after its best training, chosen by the means over seeds; that of the teacher.

    Before its training, a way that clusters is still the model that it begins with.
    """
    trained = [stage for stage in ("labels", "distilled", "scratch") if stage in same[0]]
    return max(statistics.mean(row[stage] for row in same) for stage in trained or ["before"])

"""How labelling grows with processes: rates of one and two, as a job array and as workers of Ray.

    python benchmarks/teaching_workers.py [--short] [--workers 1 2]

A ResNet-56 labels random images of 32 x 32, each process with one thread. Rates count from when all are at
work, as each waits for the others: starting TensorFlow takes seconds, whatever there is to do. The ways take
turns over rounds; shown are medians. `least share` is what the process with fewest shards labelled, beside
an equal share.
"""

import argparse
import collections
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from step import mlp, resnet
from teaching_once import show

import keras_kd as kd

BATCH = 64
WAYS = {"processes of their own": [], "workers of Ray": ["--ray"]}


def images(shape, log, processes, driver, number):
    """The one batch of a shard; notes which process begins it, and when all are there."""
    if os.getpid() != driver and str(os.getpid()) in (begun := beginnings(log)):
        while len(begun) < processes:
            time.sleep(0.05)
            begun = beginnings(log)
    with log.open("a") as file:
        file.write(f"{os.getpid()} {time.time()}\n")
    yield np.random.default_rng(number).random((BATCH, *shape), "float32")


def beginnings(log):
    """When each process began its shards, by its number."""
    found = collections.defaultdict(list)
    for line in log.read_text().splitlines() if log.exists() else ():
        pid, at = line.split()
        found[pid].append(float(at))
    return found


def label(arguments):
    """Label a part, or all parts with workers of Ray, as one of the processes that are timed."""
    keras.utils.set_random_seed(0)
    teacher = mlp(2) if arguments.short else resnet(56, 32)
    shape, log = teacher.input.shape[1:], arguments.folder / "log"
    index, count = arguments.label
    driver = os.getpid() if arguments.ray else None  # reads a first batch, and labels none
    shards = range(8 if arguments.short else 48)
    data = [functools.partial(images, shape, log, count + arguments.ray, driver, number) for number in shards]
    if arguments.ray:
        os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        import ray

        ray.init(num_cpus=count + 1, include_dashboard=False, object_store_memory=80_000_000)
    bulk = {"engine": "ray", "workers": count} if arguments.ray else {"part": (index, count)}
    kd.precompute(teacher, data, arguments.folder / "taught", verbose=False, **bulk)


def run(options, count, short):
    """When each process began its shards."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for index in range(1 if options else count):
            command = [sys.executable, __file__, "--folder", folder, *options]
            command += ["--label", str(index), str(count), *(["--short"] if short else [])]
            started.append(subprocess.Popen(command, env=os.environ | {"TF_NUM_INTRAOP_THREADS": "1"}))
        codes = [process.wait() for process in started]
        if any(codes):
            sys.exit(f"The processes ended with {codes}.")
        begun = beginnings(Path(folder, "log"))
    return sorted(begun.values(), key=len)[-count:]  # without the one that drives Ray


def rate(begun):
    """Samples a second while all processes are at work."""
    first, last = max(own[1] for own in begun), min(own[-1] for own in begun)
    inside = [[at for at in own if first <= at <= last] for own in begun]
    return sum(BATCH * (len(own) - 1) / (own[-1] - own[0]) for own in inside)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--short", action="store_true", help="a tiny network, and no Ray, to see that it runs"
    )
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ray", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--label", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.label:
        label(arguments)
        return
    names = list(WAYS)[:1] if arguments.short else WAYS
    ways = [(name, count) for name in names for count in arguments.workers]
    rates, shares = ({way: [] for way in ways} for _ in range(2))
    for _ in range(1 if arguments.short else arguments.rounds):
        for name, count in ways:
            begun = run(WAYS[name], count, arguments.short)
            rates[name, count].append(rate(begun))
            shares[name, count].append(count * min(map(len, begun)) / sum(map(len, begun)))
    rows = []
    for (name, count), own in rates.items():
        ratios = [a / b for a, b in zip(own, rates[name, arguments.workers[0]], strict=True)]
        figures = map(statistics.median, (own, ratios, shares[name, count]))
        rows.append([name, str(count), *figures])
    show("labelling", ["", "how many", "samples/s", f"/ {arguments.workers[0]}", "least share"], rows)


if __name__ == "__main__":
    main()

"""What each loss costs, compared with a mean squared error on the same tensors.

    python benchmarks/losses.py [--short] [--json FILE]

Each loss runs forward and backward in a compiled graph, and so does Keras's mean squared error on the
same tensors (on as many as the loss reads). Times are medians of rounds in which the two take turns.
Memory is the largest tensor in the graph, forward and backward, in MB: it grows large for quadratic losses.
Batch size 128; 1,000 classes; feature maps 32x32x64; vectors of 512; 8 x 128 tokens of 8 heads x 32. Which of
these a loss reads is in its row in `tests/oracles`.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the rows of the losses are in tests/
from tests.contract import LOSSES

FULL = {"logits": (128, 1000), "map": (128, 32, 32, 64), "vector": (128, 512), "tokens": (8, 128, 256)}
FULL |= {"heads": (8, 128, 8, 32), "class map": (128, 32, 32, 100), "small map": (128, 16, 16, 128)}
SHORT = {"logits": (8, 20), "map": (8, 8, 8, 4), "vector": (8, 16), "tokens": (2, 8, 16)}
SHORT |= {"heads": (2, 8, 2, 8), "class map": (8, 8, 8, 10), "small map": (8, 4, 4, 8)}

# The row of each loss that is measured.
MEASURED = {name: row for name, row in LOSSES.items() if row.cost}


def loss_and_signals(name, sizes, random):
    """A loss, and tensors of the teacher and the student that it reads."""
    row = MEASURED[name]
    signals = tuple(tensors(spec, sizes, random) for spec in (row.cost.teacher, row.cost.student))
    return row.cost.make(sizes) if row.cost.make else row.make(), signals


def tensors(spec, sizes, random):
    """The signal of a spec, as tensors."""
    if isinstance(spec, list):
        return tuple(tensors(part, sizes, random) for part in spec)
    if spec == "labels":
        batch, classes = sizes["logits"]
        return tf.constant(random.integers(0, classes, batch))
    if spec == "channel":
        return tf.constant(random.random(sizes["map"][-1]) + 0.5, "float32")
    return tf.constant(random.normal(size=sizes[spec]), "float32")


def squared_error(teacher, student):
    """Keras's mean squared error on every pair of tensors that the loss reads."""
    mse = keras.losses.MeanSquaredError()
    pairs = zip(keras.tree.flatten(teacher), keras.tree.flatten(student), strict=False)
    return sum(mse(t, s) for t, s in pairs if t.shape == s.shape)


def step(loss, teacher, student):
    """Forward and backward as one graph, and its largest tensor in MB."""

    @tf.function(autograph=False)
    def run(teacher, student):
        with tf.GradientTape() as tape:
            tape.watch(student)
            value = loss(teacher, student)
        return value, tape.gradient(value, student)

    graph = run.get_concrete_function(teacher, student).graph
    sizes = [
        tensor.shape.num_elements() * tensor.dtype.size
        for operation in graph.get_operations()
        for tensor in operation.outputs
        if tensor.shape.is_fully_defined()
    ]
    return run, max(sizes) / 2**20


def milliseconds(run, given, seconds):
    """Milliseconds a call, over calls that fill a share of a second."""
    start, calls = time.perf_counter(), 0
    while calls < 1 or time.perf_counter() - start < seconds:
        value, _ = run(*given)
        float(value)  # waits for the result
        calls += 1
    return 1000 * (time.perf_counter() - start) / calls


def measure(name, sizes, rounds, seconds):
    """One row: milliseconds of the loss and of the squared error, their ratio, and the largest tensors."""
    loss, given = loss_and_signals(name, sizes, np.random.default_rng(0))
    (ours, memory), (plain, floor) = (step(f, *given) for f in (loss, squared_error))
    times = {"ours": [], "plain": []}
    for run in (ours, plain):
        run(*given)
    for _ in range(rounds):
        times["ours"].append(milliseconds(ours, given, seconds))
        times["plain"].append(milliseconds(plain, given, seconds))
    ratios = [a / b for a, b in zip(times["ours"], times["plain"], strict=True)]
    return {
        "loss": name,
        "shapes": shapes(given),
        "ms": statistics.median(times["ours"]),
        "mse_ms": statistics.median(times["plain"]),
        "ratio": statistics.median(ratios),
        "largest_mb": memory,
        "mse_largest_mb": floor,
    }


def shapes(given):
    """The student's shapes as text."""
    return ", ".join("x".join(map(str, tensor.shape)) for tensor in keras.tree.flatten(given[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small tensors, to see that it runs")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    short = parser.parse_args().short
    sizes, rounds, seconds = (SHORT, 1, 0.0) if short else (FULL, 9, 0.1)
    table = Table("loss", "student's shapes", "ms", "MSE ms", "loss / MSE", "largest tensor MB", "MSE MB")
    rows = [measure(name, sizes, rounds, seconds) for name in MEASURED]
    for row in rows:
        figures = [f"{row[key]:.2f}" for key in ("ms", "mse_ms", "ratio", "largest_mb", "mse_largest_mb")]
        table.add_row(row["loss"], row["shapes"], *figures)
    Console(width=140).print(table)
    if path := parser.parse_args().json:
        path.write_text(json.dumps({"short": short, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""All models of `keras.applications` and five backbones of KerasHub, shrunk: sizes, multiply-adds, time.

    python benchmarks/shrinking.py [--short] [--keep 0.5] [--out FOLDER] [NAME ...]

The weights are random: what is shown is that the models can be shrunk, that the file computes what Keras
computes, and what it costs. Where random weights let rounding errors grow so far that a file is refused, the
BatchNorm statistics are taken anew from random images. Each model has a process of its own, without --short.
The files of the original and of the shrunk model are timed by turns, on one thread, with one image of 64 x 64
(the smallest that the model takes; what stands behind an @ in its name); the last column is the part of the
time that was saved, divided by the part of the multiply-adds that was removed. With a FOLDER, what was
measured is kept there, and the same command goes on where it stopped; its table.md is for a page. The NAME
"NASNetMobile@224 by hand" compares with the same architecture written half as wide, in place of shrunk.
"""

import argparse
import inspect
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHORT = ["MobileNet"]
LENGTH = 32  # words, where a model takes any number
LEAST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}  # pixels that the model needs
# Hundreds of operations of a few microseconds each at 64 x 64: also as large as in its paper.
LARGE = ["NASNetMobile@224"]
BY_HAND = " by hand"
TITLES = ("model", "shrink s", "parameters", "x", "multiply-adds", "x", "ms", "x", "max error")
TITLES += ("saved/removed",)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help=f"only {SHORT[0]}")
    parser.add_argument("--keep", type=float, default=0.5, help="the fraction of channels to keep")
    parser.add_argument("--out", type=Path, help="where to keep what was measured")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="models; by default all")
    given = parser.parse_args()
    if given.one:
        return print(json.dumps(measure(given.names[0], given.keep)))
    if given.short:
        rows = {name: measure(name, given.keep, seconds=0.2) for name in given.names or SHORT}
    else:
        rows = {name: kept(name, given.keep, given.out) for name in given.names or all_names()}
    print_table(rows, given.keep)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "table.md").write_text(markdown(rows), encoding="utf-8")


def kept(name, keep, folder):
    """What was measured of a model, now or by an earlier call; text where it was refused."""
    path = folder / f"{name.replace(' ', '_')}-{keep}.json" if folder else None
    if path and path.exists():
        return json.loads(path.read_text())
    command = [sys.executable, __file__, "--one", "--keep", str(keep), name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        row = f"refused: {done.stderr.strip().splitlines()[-1]}"
    else:
        row = json.loads(done.stdout.splitlines()[-1])
    print(f"{name} {row}", file=sys.stderr)
    if path:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(row))
    return row


def print_table(rows, keep):
    from rich.console import Console
    from rich.table import Table

    table = Table(*TITLES, title=f"kd.shrink(model, {keep})")
    for name, row in rows.items():
        table.add_row(name, *([row] if isinstance(row, str) else shown(row)))
    Console(width=130).print(table)
    ratios = [row["saved"] / row["removed"] for row in rows.values() if not isinstance(row, str)]
    print(
        f"{len(ratios)} of {len(rows)} models shrunk; saved / removed: "
        f"median {statistics.median(ratios):.2f}, least {min(ratios):.2f}, "
        f"at least 0.8 for {sum(ratio >= 0.8 for ratio in ratios)}"
    )


def markdown(rows):
    """The table for a page, with fewer columns."""
    lines = [("model", "parameters", "multiply-adds", "ms", "saved / removed"), ("---", *["--:"] * 4)]
    for name, row in rows.items():
        if isinstance(row, str):
            lines.append((name, row, "", "", ""))
            continue
        pairs = (" → ".join(short(value) for value in row[key]) for key in ("parameters", "macs", "ms"))
        lines.append((name, *pairs, f"{row['saved'] / row['removed']:.2f}"))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def short(number):
    """Three digits: `"1.25 G"`."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def all_names():
    import keras

    made = [name for name, value in vars(keras.applications).items() if inspect.isfunction(value)] + LARGE
    try:
        from backbones import BACKBONES
    except ImportError:
        print("KerasHub is not installed, and its backbones are left out", file=sys.stderr)
        return made
    return [*made, *BACKBONES]


def measure(name, keep, seconds=3.0):
    import keras

    import keras_kd as kd

    keras.utils.set_random_seed(0)
    model = built(name)
    started = time.perf_counter()
    small = written_narrow(name) if name.endswith(BY_HAND) else kd.shrink(model, keep)
    took = time.perf_counter() - started
    lengths = [tuple(size or LENGTH for size in symbol.shape[1:]) for symbol in model.inputs]
    shapes = (
        lengths[0]
        if len(lengths) == 1
        else {symbol.name: length for symbol, length in zip(model.inputs, lengths, strict=True)}
    )
    costs = [kd.cost(each, input_shape=shapes) for each in (model, small)]
    try:
        times, error = timed(model, small, seconds)
    except ValueError as refusal:  # random weights may let rounding errors grow from layer to layer
        if " is wrong: " not in str(refusal):
            raise
        model, small = (kd.recalibrate(each, random_images(each)) for each in (model, small))
        times, error = timed(model, small, seconds)
    return {
        "seconds": took,
        "parameters": [cost.parameters for cost in costs],
        "macs": [cost.macs for cost in costs],
        "ms": times,
        "error": error,
        "saved": 1 - times[1] / times[0],
        "removed": 1 - costs[1].macs / costs[0].macs,
    }


def built(name):
    import keras

    if name.startswith("KerasHub"):
        from backbones import BACKBONES

        return BACKBONES[name]()
    name, _, size = name.removesuffix(BY_HAND).partition("@")
    size = int(size or LEAST.get(name, 64))
    return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=1000)


def written_narrow(name):
    """A NASNetMobile of 20 filters in place of 44: its family knows steps of 4."""
    from keras.src.applications.nasnet import NASNet

    shape = (*2 * [int(name.removesuffix(BY_HAND).partition("@")[2] or 64)], 3)
    options = {"num_blocks": 4, "stem_block_filters": 16, "skip_reduction": False, "default_size": 224}
    return NASNet(shape, 480, **options, weights=None)


def timed(model, small, seconds):
    import numpy as np

    import keras_kd as kd

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.tflite") for i in range(2)]
        for each, path in zip((model, small), paths, strict=True):
            kd.export(each, path)
        files = [kd.LiteModel(path) for path in paths]
        inputs = random_inputs(small)
        wanted = flat(small(inputs, training=False))
        error = max(
            float(np.abs(np.asarray(w) - g).max() / max(np.abs(np.asarray(w)).max(), 1e-6))
            for w, g in zip(wanted, flat(files[1].predict(inputs)), strict=True)
        )
        files[0].predict(inputs)  # an interpreter keeps its inputs: what follows is the run alone
        times = [[], []]
        until = time.perf_counter() + seconds
        while time.perf_counter() < until or len(times[0]) < 5:
            for file, taken in zip(files, times, strict=True):
                started = time.perf_counter()
                file.invoke()
                taken.append(1000 * (time.perf_counter() - started))
        return [statistics.median(taken) for taken in times], error


def flat(outputs):
    import keras

    return keras.tree.flatten(outputs)


def random_images(model):
    """For BatchNorm statistics with which no layer returns much larger numbers than it reads."""
    import numpy as np

    return np.random.default_rng(0).normal(size=(64, *model.inputs[0].shape[1:])).astype("float32")


def random_inputs(model):
    import keras
    import numpy as np

    random = np.random.default_rng(0)

    def draw(symbol):
        shape = (1, *(size or LENGTH for size in symbol.shape[1:]))
        if "int" in str(symbol.dtype):
            return random.integers(0, 2, shape).astype("int32")
        return random.normal(size=shape).astype("float32")

    return keras.tree.map_structure(draw, model.input)


def shown(row):
    def pair(values, unit=1.0, digits=0):
        before, after = (value / unit for value in values)
        return f"{before:,.{digits}f} -> {after:,.{digits}f}", f"{before / after:.2f}"

    return (
        f"{row['seconds']:.1f}",
        *pair(row["parameters"]),
        *pair(row["macs"], 1e6, 1),
        *pair(row["ms"], 1, 2),
        f"{row['error']:.0e}",
        f"{row['saved'] / row['removed']:.2f}",
    )


if __name__ == "__main__":
    main()

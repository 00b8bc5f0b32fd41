"""When zeros make a file smaller, and when they make it faster.

    python benchmarks/sparse_files.py [--short] [--float16] [--json FILE]

The smallest weights of untrained networks are set to zero, at several sparsities and in several patterns; the
network is exported as a plain file and with sparse=True, and the two take turns in the interpreter, with one
thread and batch size 1. Nothing is trained: this measures files and latency, not accuracy. A block "4x1" is
4 inputs of 1 output. The first convolution, depthwise kernels and the last layer are not pruned. For
comparison, the last row is the network with half the channels and no zeros.

"run sparse" counts the weights that no operator makes dense again when the file is loaded. Times are medians,
and the ratio has the [quartiles] over rounds.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_kd as kd
from keras_kd.compression.pruning.patterns import Groups, keep_largest, parse_pattern
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.timed_calls import processor

layers = keras.layers
SHARES = (0.5, 0.7, 0.8, 0.9, 0.95)
PATTERNS = ("unstructured", "2:4", "4x1", "1x2", "1x4")
TURN = 0.03  # seconds


def pointwise(width):
    stack = [layers.Conv2D(int(256 * width), 1, activation="relu") for _ in range(6)]
    last = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, int(256 * width))), *stack, *last])


def dense(width):
    stack = [layers.Dense(int(1024 * width), activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input((1024,)), *stack, layers.Dense(10)])


def mobile(width, size=96, blocks=9):
    """What XNNPACK's sparse kernels ask for: explicit padding, 3 channels first, a mean at the end."""
    stack = [layers.ZeroPadding2D(), layers.Conv2D(int(32 * width), 3, 2, activation="relu")]
    outputs = [64, 128, 128, 256, 256, 512, 512, 512, 512][:blocks]
    for channels, stride in zip(outputs, [1, 2, 1, 2, 1, 2, 1, 1, 1], strict=False):
        stack += [layers.ZeroPadding2D(), layers.DepthwiseConv2D(3, stride, activation="relu")]
        stack.append(layers.Conv2D(int(channels * width), 1, activation="relu"))
    return keras.Sequential(
        [keras.Input((size, size, 3)), *stack, layers.GlobalAveragePooling2D(), layers.Dense(10)]
    )


def plain(width):
    sizes = [32, 64, 128, 256, 256]
    stack = [layers.Conv2D(int(n * width), 3, 2, padding="same", activation="relu") for n in sizes]
    return keras.Sequential(
        [keras.Input((96, 96, 3)), *stack, layers.GlobalAveragePooling2D(), layers.Dense(10)]
    )


NETWORKS = {
    "six 1x1 convolutions": pointwise,
    "three dense layers": dense,
    "MobileNet": mobile,
    "five 3x3 convolutions": plain,
}
SHORT = {
    "three dense layers": lambda width: dense(width / 4),
    "MobileNet": lambda width: mobile(width, 32, 4),
}


def pruned(build, pattern, share):
    """A network with zeros where weights were smallest."""
    keras.utils.set_random_seed(0)
    model, pattern = build(1), parse_pattern(pattern)
    for layer in model.layers[:-1]:
        if not isinstance(layer, (layers.Conv2D, layers.Dense)) or isinstance(layer, layers.DepthwiseConv2D):
            continue
        kernel = layer.kernel.numpy()
        matrix = np.abs(kernel).reshape(-1, kernel.shape[-1])
        is_first = isinstance(layer, layers.Conv2D) and kernel.shape[2] == 3
        if is_first or share == 0:
            continue
        if isinstance(pattern, Groups):
            kept = pattern.mask(matrix)
        else:
            kept = pattern.expand(keep_largest([pattern.scores(matrix)], share)[0])
        layer.kernel.assign(np.where(kept.reshape(kernel.shape), kernel, 0))
    return model


def race(paths, rounds):
    """Milliseconds a call by name, one number a round, taking turns."""
    lites = {name: kd.LiteModel(path) for name, path in paths.items()}
    times = {name: [] for name in paths}
    for lite in lites.values():
        shapes = {tensor.name: (1, *tensor.shape[1:]) for tensor in lite.inputs}
        lite.load({name: np.random.default_rng(0).random(shape, "float32") for name, shape in shapes.items()})
        lite.invoke()
    for _ in range(rounds):
        for name, lite in lites.items():
            began, calls = time.perf_counter(), 0
            while time.perf_counter() - began < TURN:
                lite.invoke()
                calls += 1
            times[name].append(1000 * (time.perf_counter() - began) / calls)
    return {name: np.array(taken) for name, taken in times.items()}


def measure(build, pattern, share, folder, options):
    model = pruned(build, pattern, share)
    quantization = "float16" if options.float16 else None
    paths = {name: folder / f"{name}.tflite" for name in ("dense", "sparse")}
    files = {
        name: kd.export(
            model, path, quantization=quantization, sparse=name == "sparse", batch_size=1, overwrite=True
        )
        for name, path in paths.items()
    }
    contents = Contents.read(paths["sparse"])
    stored = len(contents.sparse_weights)
    return {
        "pattern": pattern,
        "share": share,
        "sizes": [size for file in files.values() for size in (file.bytes, file.gzip_bytes)],
        "stored": stored,
        "run": stored - contents.operators.get("DENSIFY", 0),
        "times": {name: list(taken) for name, taken in race(paths, options.rounds).items()},
    }


def halved(build, folder, options):
    """The network and one of half its channels, neither with zeros."""
    quantization = "float16" if options.float16 else None
    paths = {name: folder / f"{name}.tflite" for name in ("dense", "half")}
    for width, path in zip((1, 0.5), paths.values(), strict=True):
        file = kd.export(build(width), path, quantization=quantization, batch_size=1, overwrite=True)
    times = {name: list(taken) for name, taken in race(paths, options.rounds).items()}
    return {"sizes": [file.bytes, file.gzip_bytes], "times": times}


def kilobytes(sizes):
    return [f"{size / 1000:,.0f}" for size in sizes]


def speed(times):
    against, own = times.values()
    low, middle, high = np.percentile(np.array(own) / np.array(against), [25, 50, 75])
    medians = [f"{np.median(taken):.3f}" for taken in (against, own)]
    return [*medians, f"{middle:.2f} [{low:.2f}, {high:.2f}]"]


def table(name, rows, half):
    shown = Table(title=f"{name}, sizes in kB", title_justify="left")
    for column in ("pattern", "zeros"):
        shown.add_column(column)
    for column in ("plain", "gzip", "sparse", "gzip", "run sparse", "dense ms", "ms", "ms / dense"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        run = f"{row['run']} of {row['stored']}"
        shown.add_row(
            row["pattern"], f"{row['share']:.0%}", *kilobytes(row["sizes"]), run, *speed(row["times"])
        )
    shown.add_section()
    shown.add_row("half the channels", "0%", *kilobytes(half["sizes"]), "", "", "", *speed(half["times"]))
    return shown


def combinations(options):
    shares = (0.9,) if options.short else SHARES
    patterns = ("unstructured", "4x1") if options.short else PATTERNS
    # Sparse float16 files with such blocks in dense layers come out wrong, and export refuses them.
    patterns = [pattern for pattern in patterns if not options.float16 or pattern != "4x1"]
    dense = [] if options.short else [("unstructured", 0.0)]
    return dense + [(pattern, share) for pattern in patterns for share in (shares, (0.5,))[pattern == "2:4"]]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="two small networks, one share")
    parser.add_argument("--float16", action="store_true", help="weights in half precision")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times and sizes")
    options = parser.parse_args()
    options.rounds = 3 if options.short else 15
    console, found = Console(width=120), {}
    console.print(f"{processor()}, one thread, batch of one")
    with tempfile.TemporaryDirectory() as folder:
        for name, build in (SHORT if options.short else NETWORKS).items():
            rows = [measure(build, *pair, Path(folder), options) for pair in combinations(options)]
            half = halved(build, Path(folder), options)
            found[name] = {"rows": rows, "half": half}
            console.print(table(name, rows, half))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""All models of `keras.applications` and five backbones of KerasHub, shrunk: sizes, multiply-adds, time.

    python benchmarks/shrinking.py [--short] [--keep 0.5] [NAME ...]

The weights are random: what is shown is that the models can be shrunk, that the file computes what Keras
computes, and what it costs. Each model has a process of its own. The files of the original and of the shrunk
model are timed by turns, on one thread, with one image of 64 x 64 (or the smallest that the model takes); the
last column is the part of the time that was saved, divided by the part of the multiply-adds that was removed.
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

SHORT = ["MobileNetV2"]
LEAST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}  # pixels that the model needs
TITLES = (
    "model",
    "shrink s",
    "parameters",
    "x",
    "multiply-adds",
    "x",
    "ms",
    "x",
    "max error",
    "saved/removed",
)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help=f"only {SHORT[0]}")
    parser.add_argument("--keep", type=float, default=0.5, help="the fraction of channels to keep")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="models; by default all")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.names[0], given.keep)))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*TITLES, title=f"kd.shrink(model, {given.keep})")
    rows = []
    for name in given.names or (SHORT if given.short else all_names()):
        command = [sys.executable, __file__, "--one", "--keep", str(given.keep), name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            table.add_row(name, f"refused: {done.stderr.strip().splitlines()[-1]}")
            continue
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        table.add_row(name, *shown(rows[-1]))
        print(f"{name} {rows[-1]}", file=sys.stderr)
    Console().print(table)
    ratio = statistics.median(row["saved"] / row["removed"] for row in rows)
    print(f"{len(rows)} models shrunk; saved / removed, median: {ratio:.2f}")


def all_names():
    import keras

    made = [name for name, value in vars(keras.applications).items() if inspect.isfunction(value)]
    try:
        import keras_hub  # noqa: F401
    except ImportError:
        print("KerasHub is not installed, and its backbones are left out", file=sys.stderr)
        return made
    return [*made, *BACKBONES]


def measure(name, keep):
    import keras

    import keras_kd as kd

    keras.utils.set_random_seed(0)
    model = BACKBONES[name]() if name in BACKBONES else application(name)
    started = time.perf_counter()
    small = kd.shrink(model, keep)
    seconds = time.perf_counter() - started
    costs = [(m.count_params(), multiply_adds(m)) for m in (model, small)]
    times, error = timed(model, small)
    return {
        "seconds": seconds,
        "parameters": [cost[0] for cost in costs],
        "macs": [cost[1] for cost in costs],
        "ms": times,
        "error": error,
        "saved": 1 - times[1] / times[0],
        "removed": 1 - costs[1][1] / costs[0][1],
    }


def application(name):
    import keras

    size = LEAST.get(name, 64)
    return getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3), classes=1000)


def multiply_adds(model):
    from keras_kd.compression.costs.multiply_adds import multiply_adds
    from keras_kd.graphs import graph_of, opened

    graph = opened(graph_of(model))
    return sum(multiply_adds(call, graph) for call in graph.calls)


def timed(model, small):
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
        times = [[], []]
        until = time.perf_counter() + 3
        while time.perf_counter() < until or len(times[0]) < 5:
            for file, taken in zip(files, times, strict=True):
                started = time.perf_counter()
                file.predict(inputs)
                taken.append(1000 * (time.perf_counter() - started))
        return [statistics.median(taken) for taken in times], error


def flat(outputs):
    import keras

    return keras.tree.flatten(outputs)


def random_inputs(model):
    import keras
    import numpy as np

    random = np.random.default_rng(0)

    def draw(symbol):
        shape = (1, *(size or 32 for size in symbol.shape[1:]))
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


def vit():
    import keras_hub

    return keras_hub.models.ViTBackbone(
        image_shape=(64, 64, 3), patch_size=8, num_layers=4, num_heads=4, hidden_dim=128, mlp_dim=512
    )


def bert():
    import keras_hub

    return keras_hub.models.BertBackbone(
        vocabulary_size=1000,
        num_layers=4,
        num_heads=4,
        hidden_dim=128,
        intermediate_dim=512,
        max_sequence_length=32,
    )


def resnet():
    import keras_hub

    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(64, 64, 3),
    )


def mobilenet():
    import keras_hub

    return keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[40, 56], [64, 144, 144]],
        stackwise_num_blocks=[2, 3],
        stackwise_num_filters=[[16, 16], [24, 24, 24]],
        stackwise_kernel_size=[[3, 3], [5, 5, 5]],
        stackwise_num_strides=[[2, 1], [2, 1, 1]],
        stackwise_se_ratio=[[None, None], [0.25, 0.25, 0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish"] * 3],
        stackwise_padding=[[1, 1], [2, 2, 2]],
        output_num_filters=288,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=40,
        squeeze_and_excite=0.5,
        image_shape=(64, 64, 3),
        input_num_filters=16,
        input_activation="hard_swish",
        output_activation="hard_swish",
    )


def efficientnet():
    import keras_hub

    return keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 4,
        stackwise_depth_coefficients=[1.0] * 4,
        stackwise_squeeze_and_excite_ratios=[0.25] * 4,
        stackwise_kernel_sizes=[3, 3, 5, 3],
        stackwise_num_repeats=[1, 2, 2, 3],
        stackwise_input_filters=[32, 16, 24, 40],
        stackwise_output_filters=[16, 24, 40, 80],
        stackwise_expansion_ratios=[1, 6, 6, 6],
        stackwise_strides=[1, 2, 2, 2],
        stackwise_block_types=["v1"] * 4,
        image_shape=(64, 64, 3),
    )


BACKBONES = {
    "KerasHub ViT": vit,
    "KerasHub BERT": bert,
    "KerasHub MobileNet": mobilenet,
    "KerasHub ResNet": resnet,
    "KerasHub EfficientNet": efficientnet,
}

if __name__ == "__main__":
    main()

"""The memory that making a model smaller takes, beside the bytes of the model.

    python benchmarks/shrinking_memory.py [--short]

Each row is a process of its own, in which a model with random weights is built and then made smaller, after
a tiny one that loads what is loaded once. What this adds to the largest resident set, the smaller model
included, is divided by the bytes of the weights. The one row of `--short` has no process of its own, so that
its peak may be too high.
"""

import argparse
import json
import resource
import subprocess
import sys

import psutil

TOOLS = ("shrink", "factorize", "compact")
MODELS = ("ResNet50", "MobileNetV2")
SHORT = "MobileNet"
MEGABYTE = 1e6


def largest():
    """The largest resident set of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_memory(make):
    """What a function returns, and the bytes of memory that it takes at most, with what it returns.

    They are an upper bound if the process needed more before, such as for building a model.
    """
    before = psutil.Process().memory_info().rss
    made = make()
    return made, largest() - before


def measure(tool, name):
    """The megabytes of a model and of the smaller one, and what a tool needs to get there."""
    import keras

    import keras_kd as kd

    make = getattr(kd, tool)
    inputs = keras.Input((8, 8, 16))
    x = keras.layers.Conv2D(32, 3, name="first")(inputs)
    make(keras.Model(inputs, keras.layers.Conv2D(32, 3, name="last")(x)))
    model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3))
    made, peak = peak_memory(lambda: make(model))
    sizes = [sum(v.value.numpy().nbytes for v in one.variables) for one in (model, made)]
    return {"sizes": [size / MEGABYTE for size in sizes], "peak": peak / MEGABYTE}


def measure_alone(tool, name):
    """The same in a process of its own, whose peak is that of nothing else."""
    done = subprocess.run([sys.executable, __file__, "--one", tool, name], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{tool} of {name}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help=f"only shrink, and only {SHORT}")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(*given.one)))
        return
    print("           model        MB before     after      peak   peak / model", flush=True)
    for name in [SHORT] if given.short else MODELS:
        for tool in ["shrink"] if given.short else TOOLS:
            row = measure(tool, name) if given.short else measure_alone(tool, name)
            before, after = row["sizes"]
            figures = f"{before:>9.1f} {after:>9.1f} {row['peak']:>9.1f} {row['peak'] / before:>14.2f}"
            print(f"{tool:<10} {name:<12} {figures}", flush=True)


if __name__ == "__main__":
    main()

"""Damaged `.tflite` files, opened and run with `kd.LiteModel`, and what is no file at all."""

import itertools
import os
import socket
import warnings

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from attacks.processes import Caller, run_command
from attacks.tally import WORKED, WRONG, Outcome, Tally

# Two inputs per file: a trial before has run others.
CODE = """
import numpy as np
import keras_kd as kd

def attack(path):
    lite = kd.LiteModel(path)
    rng = np.random.default_rng(len(path))
    for scale in (1, 1e6):
        arrays = {}
        for tensor in lite.inputs:
            shape = [lite.batch_size or 2, *(size or 8 for size in tensor.shape[1:])]
            if np.prod(shape, dtype=float) > 1e8:
                return
            # What an embedding of nine words takes, or anything.
            is_words = tensor.value_dtype.startswith("int")
            values = rng.integers(0, 9, shape) if is_words else scale * rng.normal(size=shape)
            arrays[tensor.name] = values.astype(tensor.value_dtype)
        lite.predict(arrays)
"""
FLIPS = (0x01, 0x80, 0xFF)
SCALES = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e-45, 3e38)
ZERO_POINTS = (-(2**63), -(2**31), -129, 128, 256, 2**31, 2**63 - 1)
SIZES = (-(2**31), -1, 0, 2**16, 2**31 - 1)


def attack(rng, folder, short):
    """Yield one tally after the other."""
    files = small_files(folder, short)
    path = folder / "damaged.tflite"
    groups = {
        "every byte flipped": flipped_bytes,
        "truncated": truncated,
        "several bytes at random": random_damage,
        "numbers in the tables": wrong_numbers,
    }
    # The time limit of a trial is below that of a call, so that the former ends first.
    with warnings.catch_warnings(), Caller(CODE, limit=60, KERAS_KD_OPEN_TIMEOUT="10") as caller:
        warnings.simplefilter("ignore", RuntimeWarning)
        for group, damages in groups.items():
            tally = Tally(f".tflite, {group}")
            for name, content in files.items():
                path.write_bytes(content)
                whole = caller.call(path)
                tally.add(
                    f"{name}: undamaged", whole if whole.kind == WORKED else Outcome(WRONG, whole.detail)
                )
                inputs = list(damages(rng, content))
                for what, damaged in rng.sample(inputs, 12) if short else inputs:
                    path.write_bytes(damaged)
                    tally.add(f"{name}: {what}", caller.call(path))
            yield tally
        yield no_files(caller, folder)
    yield commands(files, folder, short)


def flipped_bytes(_, content):
    # The largest files are full of what the smaller ones have too.
    flips = FLIPS if len(content) < 2048 else FLIPS[-1:] if len(content) < 4096 else ()
    for place, pattern in itertools.product(range(len(content)), flips):
        damaged = bytearray(content)
        damaged[place] ^= pattern
        yield f"byte {place} ^ {pattern:#x}", damaged


def truncated(_, content):
    for length in range(0, len(content), 16):
        yield f"{length} bytes", content[:length]
        yield f"{length} bytes, then zeros", content[:length] + bytes(len(content) - length)


def random_damage(rng, content):
    for number in range(300):
        damaged = bytearray(content)
        for _ in range(rng.choice((2, 4, 8, 16))):
            damaged[rng.randrange(8, len(content))] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        yield f"damage {number}", damaged


def wrong_numbers(_, content):
    """One number of one table at a time: the structure of the file stays whole."""
    for what, change in changes(unpacked(content)):
        model = unpacked(content)
        change(model)
        builder = flatbuffers.Builder(len(content))
        builder.Finish(model.Pack(builder), b"TFL3")  # raises if a field cannot hold the number
        yield what, bytes(builder.Output())


def unpacked(content):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def changes(model):
    """Functions that change one number each in a copy of a model."""
    for g, graph in enumerate(model.subgraphs):
        for t, tensor in enumerate(graph.tensors):
            place = ("subgraphs", g, "tensors", t)
            wrong = {"type": range(-1, 24), "buffer": (len(model.buffers), 0, 1), "isVariable": (True,)}
            for name, values in wrong.items():
                yield from ((f"{name} {value} of {t}", setter(place, name, value)) for value in values)
            for axis in range(len(tensor.shape)):
                yield from (
                    (f"size {value} of {t}", setter((*place, "shape"), axis, value)) for value in SIZES
                )
            lists = {"scale": SCALES, "zeroPoint": ZERO_POINTS}
            for name, values in lists.items() if tensor.quantization else ():
                inside = (*place, "quantization")
                for value in values:
                    yield f"{name} {value} of {t}", setter(inside, name, [value])
                yield f"{name} of another count of {t}", setter(inside, name, [1] * 7)
                yield f"no {name} of {t}", setter(inside, name, None)
            if tensor.quantization:
                yield f"axis 7 of {t}", setter((*place, "quantization"), "quantizedDimension", 7)
        indices = (-(2**31), -2, -1, len(graph.tensors), 2**31 - 1)
        for o, operator in enumerate(graph.operators):
            place = ("subgraphs", g, "operators", o)
            yield from ((f"kind {v} of {o}", setter(place, "opcodeIndex", v)) for v in (99, 2**32 - 1))
            for end in ("inputs", "outputs"):
                for i in range(len(getattr(operator, end))):
                    for value in (*indices, *range(len(graph.tensors))):
                        yield f"{end} {i} of {o}: {value}", setter((*place, end), i, value)
                yield f"no {end} of {o}", setter(place, end, [])
        for end in ("inputs", "outputs"):
            for value in (*indices, *range(len(graph.tensors))):
                yield f"{end} of the graph: {value}", setter(("subgraphs", g, end), 0, value)
    for c in range(len(model.operatorCodes)):
        for value in range(0, 210):
            yield f"operator {value} at {c}", setter(("operatorCodes", c), "builtinCode", value)
    for value in (1, 99, 2**32 - 1):
        yield f"signature of graph {value}", setter(("signatureDefs", 0), "subgraphIndex", value)
        inside = ("signatureDefs", 0, "inputs", 0)
        yield f"signature of tensor {value}", setter(inside, "tensorIndex", value)


def setter(place, name, value):
    """A function that sets an attribute, or one element of the attribute that a place ends in."""

    def change(owner):
        for step in place[:-1] if isinstance(name, int) else place:
            owner = owner[step] if isinstance(step, int) else getattr(owner, step)
        if isinstance(name, int):
            values = list(getattr(owner, place[-1]))
            values[name] = value
            setattr(owner, place[-1], values)
        else:
            setattr(owner, name, value)

    return change


def no_files(caller, folder):
    """What is not a file, or not one that ends."""
    os.mkfifo(folder / "pipe.tflite")
    (folder / "loop.tflite").symlink_to(folder / "loop.tflite")
    (folder / "dangling.tflite").symlink_to(folder / "nothing.tflite")
    (folder / "zero.tflite").symlink_to("/dev/zero")
    (folder / "unreadable.tflite").write_bytes(b"TFL3" * 4)
    tally = Tally(".tflite, pipes, devices, folders, links")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(folder / "socket.tflite"))
        paths = [folder, folder / "nothing.tflite", *sorted(folder.glob("[dlpuz]*.tflite"))]
        for path in [*paths, "/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/mem", "", "/", "\0"]:
            tally.add(f"{path!r}", caller.call(path))
    return tally


def commands(files, folder, short):
    """The same on the command line."""
    tally = Tally(".tflite, keras-kd benchmark")
    content = unpacked(files["int8"])
    for scale in SCALES[: 1 if short else None]:
        content.subgraphs[0].tensors[0].quantization.scale = [scale]
        builder = flatbuffers.Builder(1024)
        builder.Finish(content.Pack(builder), b"TFL3")
        path = folder / "command.tflite"
        path.write_bytes(builder.Output())
        tally.add(f"scale {scale}", run_command(["benchmark", path], kept=[path]))
    tally.add("a pipe", run_command(["benchmark", folder / "pipe.tflite"]))
    return tally


def small_files(folder, short):
    """A file of each kind of operator that a trial has seen crash."""
    import keras
    import numpy as np

    import keras_kd as kd

    layers, samples = keras.layers, np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    stack = [layers.Conv2D(2, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3)]
    images = keras.Sequential([keras.Input((6, 6, 1)), *stack])
    words = keras.Sequential([keras.Input((6,), dtype="int32"), layers.Embedding(9, 4), layers.Dense(2)])
    kinds = {
        "int8": (dense, {"quantization": "int8", "calibration": samples.normal(size=(64, 4))}),
        "float32": (dense, {}),
        "convolution": (images, {"quantization": "int8", "calibration": samples.normal(size=(64, 6, 6, 1))}),
        "embedding": (words, {"quantization": "float16"}),
        "recurrent": (keras.Sequential([keras.Input((4, 3)), layers.LSTM(2)]), {}),
    }
    files = {}
    for name in list(kinds)[: 1 if short else None]:
        model, options = kinds[name]
        path = folder / f"{name}.tflite"
        kd.export(model, path, **options)
        files[name] = path.read_bytes()
        path.unlink()
    return files

"""A small job of `keras-kd distill`: what it is given, how it is started, and what it leaves."""

import hashlib


def save_inputs(folder):
    """A teacher, a student and data in a folder; return the options of `keras-kd distill` that name them."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    for name, width in (("teacher", 16), ("student", 4)):
        layers = [keras.Input((8,)), keras.layers.Dense(width, activation="relu"), keras.layers.Dense(3)]
        keras.Sequential(layers).save(folder / f"{name}.keras")
    x = rng.normal(size=(400, 8)).astype("float32")
    y = x[:, :3].argmax(-1)
    np.savez(folder / "data.npz", x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])
    files = {"--teacher": "teacher.keras", "--student": "student.keras", "--data": "data.npz"}
    return [str(word) for option, name in files.items() for word in (option, folder / name)]


def distill(inputs, out):
    """The arguments of `keras-kd` for a job of some seconds."""
    return ["distill", *inputs, "--epochs", "2", "--out", str(out)]


def digests(folder):
    """Name -> SHA-256 of the `.tflite` files of a run."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tflite")}

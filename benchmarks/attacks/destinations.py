"""Places to write to that are links, devices, full, read-only or forbidden."""

import contextlib
import functools
import os
import subprocess

from attacks.processes import Caller
from attacks.tally import LOST, Outcome, Tally

# The writers of the package. Each is given a path without a suffix, and whether it may replace a file.
CODE = """
import json, os, sys
import keras, numpy as np
import keras_kd as kd
from keras_kd.jobs.runs import Run
from keras_kd.reports import Report, Row

keras.utils.set_random_seed(0)
X = np.random.default_rng(0).random((16, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(400), keras.layers.Dense(3)])
model.compile("sgd", loss="mse", run_eagerly=True)
distiller = kd.Distiller(model, keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
distiller.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)

def fit(*callbacks):
    distiller.fit(X, np.arange(16) % 3, verbose=0, callbacks=list(callbacks))

WRITERS = {
    ".tflite": lambda path, overwrite: kd.export(model, path, overwrite=overwrite),
    ".json": lambda path, overwrite: Report([Row("a" * 5000, "keras")]).save(path, overwrite=overwrite),
    ".keras": lambda path, overwrite: fit(kd.StudentCheckpoint(path)),
    ".npz": lambda path, overwrite: fit(kd.FullState(path, delete_checkpoint=False)),
    "": lambda path, overwrite: Run(path, {"text": "a" * 70000}),
}

def attack(argument):
    path, suffix, overwrite = json.loads(argument)
    WRITERS[suffix](path, overwrite)
"""
SUFFIXES = (".tflite", ".json", ".keras", ".npz", "")


def attack(rng, folder, short):
    """Yield one tally after the other."""
    import json

    suffixes = SUFFIXES if not short else (".json", "")
    with Caller(CODE, limit=120) as caller:
        tally = Tally("links, devices, pipes")
        for name, make in DESTINATIONS.items():
            for suffix in suffixes:
                for overwrite in (False, True):
                    place = folder / f"{name}{suffix or '_run'}_{overwrite}"
                    place.mkdir()
                    path, precious = make(place, suffix)
                    before = precious.read_bytes() if precious else None
                    outcome = caller.call(json.dumps([str(path), suffix, overwrite]))
                    # .keras and .npz files are replaced by design, as those of Keras's callbacks are.
                    kept = not overwrite and suffix not in (".keras", ".npz")
                    tally.add(f"{place.name}", judged(outcome, place, precious if kept else None, before))
        yield tally
        yield full_disk(caller, folder, suffixes)
        yield read_only(caller, folder, suffixes)


def judged(outcome, place, precious, before):
    parts = list(place.rglob(".part-*"))
    if parts:
        return Outcome(LOST, f"{parts[0]} was left")
    if precious is not None and (not precious.exists() or precious.read_bytes() != before):
        return Outcome(LOST, str(precious))
    if outcome.kind == "refused" and (".part-" in outcome.detail or "Errno" in outcome.detail):
        return Outcome("tracebacks", outcome.detail)
    return outcome


def file(place, suffix):
    path = place / f"file{suffix}"
    path.write_text("precious")
    return path, path


def link(target, place, suffix):
    """A link; its target is precious if it is a file."""
    (place / "folder").mkdir()
    (place / "file").write_text("precious")
    path = place / f"link{suffix}"
    path.symlink_to(target.format(path.name))
    return path, place / "file" if target == "file" else None


def pipe(place, suffix):
    path = place / f"pipe{suffix}"
    os.mkfifo(path)
    return path, None


def long_name(place, suffix):
    return place / f"{'x' * 300}{suffix}", None


# What makes a destination, by name: it returns the path, and the file that must survive or `None`.
LINKS = {
    "nowhere": "gone",
    "to_file": "file",
    "to_folder": "folder",
    "loop": "{}",  # its own name
    "missing_folder": "gone/file",
    "device": "/dev/null",
}
DESTINATIONS = {name: functools.partial(link, target) for name, target in LINKS.items()}
DESTINATIONS |= {"pipe": pipe, "file": file, "long_name": long_name}


def full_disk(caller, folder, suffixes):
    tally = Tally("a full disk")
    with mounted(folder / "full", "size=64k") as disk:
        if disk is not None:
            for suffix in suffixes:
                path = disk / f"old{suffix or '_run'}"
                path.mkdir() if not suffix else path.write_text("precious")
                filler = disk / "filler"
                filler.write_bytes(bytes(available(disk)))
                tally.add(f"{suffix or 'run'} on a full disk", written(caller, path, suffix, disk))
                filler.unlink()
    return tally


def read_only(caller, folder, suffixes):
    tally = Tally("a read-only file system")
    with mounted(folder / "read_only", "ro") as disk:
        if disk is not None:
            for suffix in suffixes:
                tally.add(f"{suffix or 'run'}", written(caller, disk / f"new{suffix}", suffix, disk))
    return tally


def written(caller, path, suffix, disk):
    import json

    precious = path if path.is_file() else None
    before = precious.read_bytes() if precious else None
    outcome = caller.call(json.dumps([str(path), suffix, True]))
    return judged(outcome, disk, precious, before)


def available(disk):
    free = os.statvfs(disk)
    return free.f_bavail * free.f_frsize


@contextlib.contextmanager
def mounted(place, options):
    """A small file system in memory, or `None` where mounting is not allowed."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)

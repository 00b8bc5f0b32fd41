"""Small files that this and earlier versions have saved: one for each class that is registered with Keras.

They stay as they are: `tests/test_saved_files.py` loads them with the code of today. For a class that is new,
`python -m tests.saved_files` writes the missing file, and no other. What a model answers on the inputs that
`sample` draws is kept beside it, as the code that saved it computed it.
"""

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

import keras_kd as kd

FOLDER = Path(__file__).parent / "data" / "saved"


def registered() -> set[str]:
    """The names under which the package has registered classes and functions with Keras."""
    return {name for name in keras.saving.get_custom_objects() if name.startswith("keras_kd>")}


def sample(model) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.random((2, *(d or 4 for d in t.shape[1:]))).astype("float32") for t in model.inputs]


def answers(model) -> list[np.ndarray]:
    model = getattr(model, "student", model)
    inputs, sequential = sample(model), isinstance(model, keras.Sequential)
    inputs = inputs[0] if sequential else keras.tree.pack_sequence_as(model.input, inputs)
    return [np.asarray(out) for out in keras.tree.flatten(model(inputs, training=False))]


def student() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="head")], name="student")


def with_loss(loss: keras.losses.Loss) -> keras.Model:
    """A Distiller in whose file the loss stands."""
    several = (("output",) * int(min(side[0], 3)) for side in (loss.student_signals, loss.teacher_signals))
    taps = [names[0] if len(names) == 1 else names for names in several]
    return kd.Distiller(student(), objectives=[kd.Objective(loss, student=taps[0], teacher=taps[1])])


def with_projection(layer: keras.layers.Layer, teacher, *shapes) -> keras.Model:
    if teacher is not None:
        layer.size_for(teacher)
    inputs = [keras.Input(shape[1:]) for shape in shapes]
    return keras.Model(inputs, layer(inputs[0] if len(inputs) == 1 else inputs), name="projected")


def bank() -> keras.Model:
    features, index = keras.Input((2,)), keras.Input(())
    return keras.Model([features, index], kd.projections.MemoryBank(4)((features, index))[0], name="bank")


def over_the_bridge() -> keras.Model:
    """A model that came from tf_keras: a function of TensorFlow, its hard sigmoid, the slots of its calls."""
    import tensorflow as tf
    import tf_keras

    inputs = tf_keras.Input((2,))
    hidden = tf_keras.layers.Dense(2, activation="hard_sigmoid", name="hard")(inputs)
    return kd.tfmot.from_tf_keras(tf_keras.Model(inputs, tf.roll(hidden, 1, axis=1), name="bridged"))


def ensemble() -> keras.Model:
    """Members with probabilities and logits, one of some classes, and weights that are learned."""
    probabilities = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")], name="three")
    some = kd.as_teacher(student(), outputs="logits", name="two")
    made = kd.ensemble([probabilities, some], "learned", classes={"two": [2, 0]})
    made.get_layer("average").scores.assign([0.5, -0.5])
    return made


def blend() -> keras.Model:
    return kd.Distiller(student(), temperature=2.0, alpha=0.25)


def mutual() -> keras.Model:
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="head")], name="other")
    return kd.Mutual([student(), other], temperature=2.0)


def adversarial() -> keras.Model:
    clean = kd.Objective(kd.losses.SoftTargets(1.0), weight=0.25, name="clean")
    return kd.Adversarial(student(), None, ["soft_targets"], [clean], epsilon=0.1, seed=3)


def data_free() -> keras.Model:
    generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="generator")
    return kd.DataFree(student(), None, generator, feature="head", entropy=2.0)


def projected_objective() -> keras.Model:
    objective = kd.Objective("mse", student="head", teacher="head", project=True, weight=0.5, name="head")
    distiller = kd.Distiller(student(), keras.models.clone_model(student()), objectives=[objective])
    distiller.compile("sgd")
    distiller.fit(np.ones((2, 2), "float32"), verbose=0)
    return distiller


def files() -> dict[str, Callable[[], keras.Model]]:
    """The models whose files are kept, by the name of the class that each is for."""
    from tests.contract import LOSSES

    p, maps = kd.projections, (None, 4, 4, 2)
    made: dict[str, Callable[[], keras.Model]] = {
        name: lambda row=row: with_loss(row.make()) for name, row in LOSSES.items() if "," not in name
    }
    return made | {
        "Distiller": blend,
        "Mutual": mutual,
        "Adversarial": adversarial,
        "DataFree": data_free,
        "Tokens": lambda: kd.models.vision_transformer((2, 2, 1), 2, patch=1, width=2, depth=1, heads=1),
        "CurriculumTemperature": lambda: kd.Distiller(student(), temperature=kd.CurriculumTemperature(9)),
        "MeanTeacher": lambda: kd.MeanTeacher(student(), momentum=0.9),
        "Objective": projected_objective,
        "Linear": lambda: with_projection(p.Linear(), (None, 3), (None, 2)),
        "ConvNorm": lambda: with_projection(p.ConvNorm(kernel_size=3, activation="relu"), maps, maps),
        "Regressor": lambda: with_projection(p.Regressor(), maps, maps),
        "SimKDProjector": lambda: with_projection(p.SimKDProjector(), maps, maps),
        "MaskedGenerator": lambda: with_projection(p.MaskedGenerator(seed=0), maps, maps),
        "VariationalHead": lambda: with_projection(p.VariationalHead(), (None, 3), (None, 2)),
        "ReviewFusion": lambda: with_projection(p.ReviewFusion(width=2), (maps, maps), maps, maps),
        "MemoryBank": bank,
        "TwoClasses": lambda: with_projection(p.TwoClasses(positive=0), None, (None, 1)),
        "ClassSubset": lambda: with_projection(p.ClassSubset([2, 0]), None, (None, 3)),
        "TensorFlowOperation": over_the_bridge,
        "Ensemble": ensemble,
    }


# These are part of another file.
INSIDE = {"Slot": "TensorFlowOperation", "tf_keras_hard_sigmoid": "TensorFlowOperation"}
INSIDE |= dict.fromkeys(["Member", "Answers", "Averaging", "Disagreement", "Answer", "AsLogits"], "Ensemble")
BASES = {"Projection"}  # which compute nothing
STATE = FOLDER / "state.npz"  # of a training that was interrupted after its second epoch


class Interrupted(Exception):
    """Ends a training as a lost connection would."""


class Interrupt(keras.callbacks.Callback):
    """Interrupts at the beginning of the third epoch, after the state was saved."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise Interrupted


def resumable(*more: keras.callbacks.Callback, path: Path = STATE) -> tuple[keras.Model, dict]:
    """A Distiller, and what its `fit` is given: a state, pruning and early stopping, and the data."""
    keras.utils.set_random_seed(0)
    teacher = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    layers = [keras.Input((2,)), keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(2)]
    distiller = kd.Distiller(keras.Sequential(layers), teacher)
    distiller.compile("adam", loss="sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    stop = keras.callbacks.EarlyStopping("loss", patience=2, min_delta=10.0)
    callbacks = [kd.FullState(path, delete_checkpoint=False), kd.Prune(0.5, end=4, frequency=1), stop, *more]
    x, y = random.random((8, 2)), random.integers(0, 2, 8)
    return distiller, {"x": x, "y": y, "batch_size": 4, "epochs": 5, "verbose": 0, "callbacks": callbacks}


def packed(model: keras.Model) -> bytes:
    """A `.keras` file, compressed, without the date at which it was written."""
    saved, small = io.BytesIO(), io.BytesIO()
    path = FOLDER / ".part.keras"
    model.save(path)
    saved.write(path.read_bytes())
    path.unlink()
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return small.getvalue()


def write_missing() -> None:
    FOLDER.mkdir(exist_ok=True)
    kept = FOLDER / "answers.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for name, make in files().items():
        path = FOLDER / f"{name}.keras"
        if path.exists():
            continue
        keras.utils.set_random_seed(0)
        model = make()
        path.write_bytes(packed(model))
        known[name] = [array.astype("float64").round(6).tolist() for array in answers(model)]
    kept.write_text(json.dumps(known) + "\n")
    if not STATE.exists():
        distiller, fit = resumable(Interrupt())
        with contextlib.suppress(Interrupted):
            distiller.fit(**fit)


if __name__ == "__main__":
    write_missing()

"""Interrupted and resumed equals uninterrupted: weights, optimizer, seeds, metrics and history."""

import functools
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.training.variables import make_variables

random = np.random.default_rng(0)
X, Y = random.random((64, 4)).astype("float32"), random.integers(0, 3, 64)
HELD_OUT = X[:16] + 0.1, Y[:16]
EPOCHS = 4


class Killed(Exception):
    pass


class Bomb(keras.callbacks.Callback):
    """Interrupts training when an epoch begins, or after a batch of it."""

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.epoch, self.batch, self.now = epoch, batch, None

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch
        if self.batch is None and epoch == self.epoch:
            raise Killed

    def on_train_batch_end(self, batch, logs=None):
        if self.batch is not None and self.now == self.epoch and batch >= self.batch:
            raise Killed


def shuffled():
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(64, seed=5)


def counted():
    i = 0
    while True:
        yield X[i : i + 8], Y[i : i + 8]
        i = (i + 8) % 64


class Batches(keras.utils.PyDataset):
    """Keras shuffles its batches."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return X[8 * i : 8 * i + 8], Y[8 * i : 8 * i + 8]


DATA = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 8},
    "shuffled": lambda: {"x": shuffled().batch(8)},
    "endless": lambda: {"x": shuffled().repeat().batch(8), "steps_per_epoch": 5},
    "generator": lambda: {"x": counted(), "steps_per_epoch": 5},
    "PyDataset": lambda: {"x": Batches()},
    "taught": lambda: {"x": kd.Taught(X, {"output": 3 * X[:, :3]}), "y": Y, "batch_size": 8},
}
UNKNOWN = {"of unknown size": lambda: {"x": shuffled().filter(lambda a, b: a[0] > 0.2).batch(8)}}


class Counter(keras.callbacks.Callback):
    """Has a state of its own: the learning rate falls after every fifth batch."""

    def __init__(self):
        super().__init__()
        self.batches = []
        self.by_epoch = {0: (0, 0)}

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append(batch)
        self.by_epoch[len(self.batches) // 8] = min(self.by_epoch[0], (0, batch))
        if len(self.batches) % 5 == 0:
            self.model.optimizer.learning_rate = 0.8 * float(self.model.optimizer.learning_rate)


def cosine():
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 30))


def accumulating():
    return keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, gradient_accumulation_steps=3)


def stopping():
    return [keras.callbacks.EarlyStopping("val_loss", patience=0, restore_best_weights=True)]


def reducing():
    return [keras.callbacks.ReduceLROnPlateau("val_loss", patience=0, factor=0.5, min_delta=0.1)]


def scheduled():
    return [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)]


# What differs from the case without entries: data, where it is interrupted, and `fit`. A plain Keras model is
# traced faster than a Distiller, and is trained where another case of the same kind trains a Distiller; once
# its variables are made, as a Distiller makes them, it is traced once and not twice. What does not depend on
# each other stands in one case.
CASES = {
    "arrays, in the middle": {"data": "arrays", "save_freq": 3, "bombs": [(1, 6)]},
    "shuffled, in the middle": {"save_freq": 3, "bombs": [(1, 4)], "jit_compile": "auto"},
    "interrupted twice, moving averages, accumulated gradients": {
        "optimizer": accumulating,
        "save_freq": 2,
        "bombs": [(1, 3), (3, 2)],
    },
    "between two epochs": {"plain": True, "built": True, "bombs": [(2, None)]},
    "endless, bfloat16": {  # NumPy does not know it
        "data": "endless",
        "policy": "bfloat16",
        "plain": True,
        "built": True,
    },
    "endless, in the middle": {
        "data": "endless",
        "plain": True,
        "built": True,
        "save_freq": 2,
        "bombs": [(1, 3)],
    },
    "generator, LearningRateScheduler": {
        "data": "generator",
        "callbacks": lambda: [*scheduled(), Counter()],
        "rate": 0.1,
        "save_freq": 3,
        "bombs": [(2, 1)],
    },
    "PyDataset, from the second epoch": {
        "data": "PyDataset",
        "first": 1,
        "save_freq": 3,
        "bombs": [(2, 4)],
    },
    "taught": {"data": "taught", "taught": True},
    "three steps in one, to the end": {"plain": True, "steps": 3, "save_freq": 9, "bombs": [(1, 4)]},
    "two steps in one, endless": {"data": "endless", "steps": 2, "save_freq": 2, "bombs": [(2, 2)]},
    "float16": {"policy": "mixed_float16"},
    "EarlyStopping": {"callbacks": stopping, "rate": 0.3, "bombs": [(1, 2)]},
    "ReduceLROnPlateau, in the middle": {
        "callbacks": reducing,
        "rate": 0.1,
        "plain": True,
        "save_freq": 3,
        "bombs": [(2, 4)],
    },
    "LearningRateScheduler": {"plain": True, "built": True, "callbacks": scheduled, "rate": 0.1},
}
FAST = ["ReduceLROnPlateau, in the middle"]


def network(width, name, policy="float32"):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(width, activation="relu", name="hidden", dtype=policy)(inputs)
    x = keras.layers.BatchNormalization(dtype=policy)(x)
    x = keras.layers.Dropout(0.4, dtype=policy)(x)
    return keras.Model(inputs, keras.layers.Dense(3, dtype=policy)(x), name=name)


def made(
    plain=False,
    taught=False,
    steps=1,
    optimizer=cosine,
    policy="float32",
    rate=None,
    jit_compile=False,
    built=False,
):
    keras.utils.set_random_seed(3)
    teacher, student = network(8, "teacher"), network(6, "student", policy)
    objectives = [kd.Objective("mse", student="hidden", teacher="hidden", project=True)]
    model = student if plain else kd.Distiller(student, teacher, [*objectives, kd.losses.SoftTargets(3.0)])
    model = kd.Distiller(student) if taught else model
    model.compile(
        keras.optimizers.SGD(rate) if rate else optimizer(),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=steps,
        jit_compile=jit_compile,  # XLA takes longer than the training
    )
    if built:
        make_variables(model, (tf.constant(X[:8]), tf.constant(Y[:8])))
    return model


def tiny(optimizer="sgd"):
    """For what does not depend on the model."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=hard, jit_compile=False)
    return model


def distiller():
    """For what is refused before the training."""
    model = kd.Distiller(tiny(), tiny())
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The checkpoint of a training with SGD and momentum that has finished."""
    path = tmp_path_factory.mktemp("finished") / "state.npz"
    model = tiny(keras.optimizers.SGD(0.1, momentum=0.9))
    model.fit(X, Y, verbose=0, callbacks=[kd.FullState(path, delete_checkpoint=False)])
    return path


def train(
    path, bomb=None, data="shuffled", save_freq="epoch", callbacks=list, plain=False, first=0, **options
):
    """A run in new objects, as after a restart: all that it leaves, or `None` if it was interrupted."""
    model, given, others = made(plain, **options), (DATA | UNKNOWN)[data](), callbacks()
    named = {"callbacks": others, "data": given["x"]} if plain else {}
    state = kd.FullState(path, save_freq=save_freq, **named)
    listed = [*others, *([bomb] if bomb else [])]
    listed = [state, *listed] if plain else [*listed, state]  # the Distiller sorts them
    try:
        history = model.fit(
            **given,
            epochs=EPOCHS,
            initial_epoch=first,
            verbose=0,
            callbacks=listed,
            validation_data=HELD_OUT if data == "arrays" or others else None,
        )
    except Killed:
        return None
    return [np.asarray(v, "float64") for v in model.variables + model.optimizer.variables], history.history


@functools.cache
def uninterrupted(**case):
    """Shared by the cases that differ only in when they save and where they are interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        return train(Path(folder) / "state.npz", **case)


def check_resumed(tmp_path, bombs=((2, 2),), **case):
    expected, history = uninterrupted(**{key: value for key, value in case.items() if key != "save_freq"})
    path = tmp_path / "states" / "state.npz"
    for bomb in bombs:
        assert train(path, Bomb(*bomb), **case) is None
        assert path.exists()
    found, resumed = train(path, **case)
    assert not path.exists()
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert history.keys() == resumed.keys()
    for key, values in history.items():
        np.testing.assert_allclose(values, resumed[key], atol=1e-6, err_msg=key)
    return history


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name in FAST else pytest.mark.slow)
        for name, case in CASES.items()
    ],
)
def test_resumed_equals_uninterrupted(case, tmp_path):
    history = check_resumed(tmp_path, **case)
    if case.get("callbacks") is stopping:
        assert len(history["loss"]) < EPOCHS  # so that its state mattered
    if case.get("callbacks") is reducing:
        assert history["learning_rate"][-1] < history["learning_rate"][1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras says it of every such set
def test_a_data_set_of_unknown_size_is_resumed(tmp_path):
    check_resumed(tmp_path, data="of unknown size", save_freq=2, bombs=[(1, 3)])


@pytest.mark.slow
def test_BackupAndRestore_of_Keras_works_where_it_suffices(tmp_path):
    """Without dropout, other callbacks and shuffles, BackupAndRestore is enough."""

    def run(bomb=None):
        keras.utils.set_random_seed(3)
        teacher, student = (
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(w), keras.layers.Dense(3)])
            for w in (8, 6)
        )
        model = kd.Distiller(student, teacher)
        model.compile(cosine(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        try:
            model.fit(
                X, Y, epochs=EPOCHS, verbose=0, shuffle=False, callbacks=[backup, *([bomb] if bomb else [])]
            )
        except Killed:
            return None
        return model.get_weights()

    expected = run()
    assert run(Bomb(2)) is None
    for a, b in zip(expected, run(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_finished_run_is_not_trained_again(tmp_path, capsys):
    path = tmp_path / "state.npz"
    model = tiny()
    keep = kd.FullState(path, delete_checkpoint=False)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[keep])
    before = model.get_weights()
    again = tiny()
    history = again.fit(X, Y, epochs=2, verbose=2, callbacks=[kd.FullState(path, delete_checkpoint=False)])
    assert f"Training had already finished ({path})." in capsys.readouterr().out
    assert len(history.history["loss"]) == 2
    for a, b in zip(before, again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(again.fit(X, Y, epochs=3, verbose=0, callbacks=[keep]).history["loss"]) == 3
    assert len(again.fit(X, Y, epochs=3, verbose=0).history["loss"]) == 3  # and without it, all is as ever
    with pytest.raises(ValueError, match="was saved after 3 epochs, but this `fit` ends after 1"):
        again.fit(X, Y, epochs=1, verbose=0, callbacks=[keep])


@pytest.mark.slow
def test_the_random_state_of_python_numpy_and_keras_is_resumed(tmp_path):
    import random as python

    drawn = []

    class Draw(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            drawn.append((epoch, python.random(), np.random.random(), float(keras.random.uniform(()))))  # noqa: NPY002

    def run(*bomb):
        model = tiny()
        state = kd.FullState(tmp_path / "state.npz")
        try:
            model.fit(X, Y, epochs=3, verbose=0, callbacks=[state, Draw(), *bomb])
        except Killed:
            return

    run()
    expected = list(drawn)
    drawn.clear()
    run(Bomb(2))
    run()
    assert drawn == expected


def test_a_path_that_is_not_writable_is_refused_before_training(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        tiny().fit(X, Y, verbose=0, callbacks=[kd.FullState(tmp_path)])
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError):
        tiny().fit(X, Y, verbose=0, callbacks=[kd.FullState(tmp_path / "file" / "state.npz")])


@pytest.mark.slow
def test_a_fit_after_one_that_was_interrupted_while_it_skipped(tmp_path):
    path = tmp_path / "state.npz"
    assert train(path, Bomb(1, 6), data="arrays", save_freq=3, plain=True) is None
    model = made(plain=True)
    with pytest.raises(Killed):
        model.fit(
            X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[kd.FullState(path, save_freq=3), Bomb(1, 0)]
        )
    before = int(model.optimizer.iterations)
    model.fit(X, Y, batch_size=8, verbose=0)
    assert int(model.optimizer.iterations) == before + 8


def test_projections_whose_size_only_the_data_tells_are_refused(tmp_path):
    objective = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    model = kd.Distiller(network(6, "student"), objectives=[objective])
    model.compile("sgd")

    def batches():
        while True:
            yield (kd.Taught(X[:8], {"hidden": X[:8]}),)

    with pytest.raises(ValueError, match="does not have all of them yet"):
        model.fit(batches(), steps_per_epoch=2, verbose=0, callbacks=[kd.FullState(tmp_path / "state.npz")])


@pytest.mark.slow
def test_the_states_of_a_stateful_recurrent_layer_are_resumed(tmp_path):
    x = random.random((32, 5, 2)).astype("float32")

    def run(*bomb):
        keras.utils.set_random_seed(1)
        inputs = keras.Input(batch_shape=(8, 5, 2))
        rnn = keras.layers.GRU(4, stateful=True)
        model = keras.Model(inputs, keras.layers.Dense(3)(rnn(inputs)))
        model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        state = kd.FullState(tmp_path / "state.npz", save_freq=2)
        try:
            model.fit(x, Y[:32], batch_size=8, epochs=3, verbose=0, callbacks=[state, *bomb])
        except Killed:
            return None
        return [*model.get_weights(), np.asarray(rnn.states[0])]

    expected = run()
    assert run(Bomb(1, 2)) is None
    for a, b in zip(expected, run(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path):
    path = tmp_path / "state.npz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ValueError, match=r"is not a checkpoint written by kd\.FullState"):
        tiny().fit(X, Y, verbose=0, callbacks=[kd.FullState(path)])
    assert path.read_bytes() == b"not an archive"


def test_the_checkpoint_of_another_optimizer_is_refused(finished):
    model = tiny(keras.optimizers.RMSprop(0.1))  # with as many variables, of the same shapes
    with pytest.raises(
        ValueError,
        match=r"another model or optimizer.*the optimizer was SGD and is now RMSprop",
    ):
        model.fit(X, Y, verbose=0, callbacks=[kd.FullState(finished)])


def test_the_checkpoint_of_another_model_is_refused(finished):
    with pytest.raises(
        ValueError, match=r"another model or optimizer. Its weights do not match: \d+ were saved, and \d+"
    ):
        made(plain=True).fit(X, Y, verbose=0, callbacks=[kd.FullState(finished)])


@pytest.mark.parametrize("freq", [0, -1, 1.5, "batch", True, None])
def test_save_freq_is_epoch_or_a_positive_integer(freq):
    with pytest.raises(ValueError, match="`save_freq` must be 'epoch' or a positive number of batches"):
        kd.FullState("state.npz", save_freq=freq)


def test_a_CSVLogger_that_would_overwrite_its_log_is_refused(tmp_path):
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    with pytest.raises(ValueError, match="append=True"):
        distiller().fit(X, Y, verbose=0, callbacks=[logger, kd.FullState(tmp_path / "state.npz")])


def test_steps_per_epoch_of_a_data_set_that_ends_are_refused(tmp_path):
    state = kd.FullState(tmp_path / "state.npz")
    with pytest.raises(ValueError, match=r"has 8 batches and steps_per_epoch is 4.*data\.repeat\(\)"):
        distiller().fit(shuffled().batch(8), steps_per_epoch=4, callbacks=[state])


def test_a_model_that_is_not_built_is_refused(finished):
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match=r"does not have all of them yet\. Call the model once on a batch"):
        model.fit(X, X[:, :3], verbose=0, callbacks=[kd.FullState(finished)])


SCRIPT = """
import sys, time
from tests.training.test_full_state import made, shuffled
import keras
import keras_kd as kd

class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("batch", batch, flush=True)
        time.sleep(0.05)

state = kd.FullState(sys.argv[1], save_freq=2)
made().fit(shuffled().batch(8), epochs=4, verbose=0, callbacks=[state, Slow()])
"""


@pytest.mark.slow
def test_a_process_ended_by_sigkill_is_resumed_to_the_same_weights(tmp_path):
    path, expected = tmp_path / "state.npz", made()
    expected.fit(shuffled().batch(8), epochs=EPOCHS, verbose=0)
    command = [sys.executable, "-c", SCRIPT, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    batches = 0
    for line in process.stdout:
        batches += line.startswith("batch")
        if batches == 12:  # in the middle of the second epoch
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert path.exists()
    resumed, seen = made(), []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    state = kd.FullState(path, save_freq=2)
    resumed.fit(shuffled().batch(8), epochs=EPOCHS, verbose=0, callbacks=[state, count])
    assert len(seen) < 32  # it did not start over
    for a, b in zip(expected.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)

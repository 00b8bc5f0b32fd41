"""Keras's own callbacks see the Distiller as they see the student alone: same files, same decisions."""

import contextlib
import csv
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of

callbacks, layers = keras.callbacks, keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 48)
OURS = {"zero", "student_loss"}  # what our logs hold beside the plain ones


def network(units=4):
    inputs = keras.Input((6,))
    x = layers.BatchNormalization()(layers.Dense(units, "relu", kernel_regularizer="l2")(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.2)(x)))


def fit(distil, made, epochs=4, **options):
    """Train the student alone or in a distiller whose objective has no weight: what `fit` worked on."""
    keras.utils.set_random_seed(1)
    model = network()
    if distil:
        objective = kd.Objective(kd.losses.SoftTargets(4.0), weight=0.0, name="zero")
        model = kd.Distiller(model, network(8), [objective])
    keras.utils.set_random_seed(2)
    optimizer = options.pop("optimizer", None) or keras.optimizers.SGD(0.5)
    model.compile(optimizer, loss=cross_entropy(), metrics=["accuracy"])
    data = {"x": X[:32], "y": Y[:32], "validation_data": (X[32:], Y[32:])} | options
    history = model.fit(**data, epochs=epochs, batch_size=8, shuffle=False, verbose=0, callbacks=made)
    return model, history


def same(plain, ours):
    """Weights, and what both logs hold, to the last bit."""
    assert distance(weights_of(plain[0]), weights_of(ours[0])) == 0
    assert plain[1].epoch == ours[1].epoch
    assert {name: ours[1].history[name] for name in plain[1].history} == plain[1].history
    assert {name.removeprefix("val_") for name in set(ours[1].history) - set(plain[1].history)} <= OURS


class Early(callbacks.EarlyStopping):
    """Its decisions, for comparison."""

    def decisions(self):
        return self.stopped_epoch, self.best_epoch, self.best, self.wait


class Plateau(callbacks.ReduceLROnPlateau):
    def decisions(self):
        return self.wait, self.best, self.cooldown_counter


DECISIONS = {
    "early stopping and a plateau": lambda: [
        Early(monitor="val_loss", patience=1, restore_best_weights=True),
        Plateau(monitor="val_loss", factor=0.3, patience=1, min_delta=0.05, cooldown=1),
    ],
    "early stopping by accuracy and a rate by epoch": lambda: [
        Early(monitor="val_accuracy", mode="max", patience=1, start_from_epoch=1, restore_best_weights=True),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9**epoch),
    ],
    "swapped averages": lambda: [callbacks.SwapEMAWeights(swap_on_epoch=True)],
}


@pytest.mark.parametrize(
    "make", [pytest.param(make, id=name, marks=pytest.mark.slow) for name, make in DECISIONS.items()]
)
def test_decisions_are_those_of_plain_training(make):
    results = []
    for distil in (False, True):
        made = make()
        optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8)
        model, history = fit(distil, made, epochs=8, optimizer=optimizer)
        decided = [callback.decisions() for callback in made if hasattr(callback, "decisions")]
        results.append((model, history, decided))
    plain, ours = results
    same(plain[:2], ours[:2])
    assert plain[2] == ours[2]


@pytest.mark.slow
def test_early_stopping_brings_the_best_weights_back():
    epochs = []

    class Remember(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append((logs["val_loss"], weights_of(self.model)))

    stop = callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    feature = [kd.losses.SoftTargets(), kd.Objective("mse", student="a", teacher="a", project=True)]

    def model(units):
        inputs = keras.Input((6,))
        return keras.Model(inputs, layers.Dense(3)(layers.Dense(units, name="a")(inputs)))

    distiller = kd.Distiller(model(4), model(8), feature)
    distiller.compile(keras.optimizers.SGD(2.0), loss=cross_entropy())
    distiller.fit(
        X, Y, epochs=20, validation_split=0.5, shuffle=False, verbose=0, callbacks=[Remember(), stop]
    )
    assert stop.stopped_epoch > 0
    best = min(epochs, key=lambda epoch: epoch[0])[1]
    assert distance(best, weights_of(distiller)) == 0  # the projection's too
    assert distance(epochs[-1][1], best) > 0


@pytest.mark.slow
def test_a_patience_may_watch_a_term_of_ours():
    stop = callbacks.EarlyStopping(monitor="zero", mode="min", patience=0, min_delta=1e9)
    _, history = fit(True, [stop])
    assert history.epoch == [0, 1]


NAMES = "{epoch}.keras", "{epoch}.weights.h5"
CHOICES = {"each": {}, "best": {"save_best_only": True, "monitor": "val_accuracy", "mode": "max"}}


@pytest.mark.slow
def test_checkpoints_are_written_when_keras_writes_them(tmp_path):
    written = []
    for distil in (False, True):
        folder = tmp_path / str(distil)
        made = [
            callbacks.ModelCheckpoint(
                folder / choice / name, **options, save_weights_only=name.endswith("h5")
            )
            for choice, options in CHOICES.items()
            for name in NAMES
        ]
        model, history = fit(distil, made)
        written.append(sorted(path.relative_to(folder) for path in folder.rglob("*.*")))
    assert written[0] == written[1]
    each, best = ([path for path in written[1] if path.parent.name == choice] for choice in CHOICES)
    assert len(each) == 8
    assert 0 < len(best) < 8  # it chose
    assert not model.stop_training
    restored, _ = fit(True, [], epochs=1)
    for last in (each[-2], each[-1], best[-2], best[-1]):
        again = restored
        if last.suffix == ".keras":
            again = keras.saving.load_model(folder / last)
        else:
            again.load_weights(folder / last)
        epoch = int(last.name.split(".")[0]) - 1
        evaluated = again.evaluate(X[32:], Y[32:], batch_size=8, verbose=0, return_dict=True)
        assert evaluated["accuracy"] == history.history["val_accuracy"][epoch]
        assert evaluated["loss"] == pytest.approx(history.history["val_loss"][epoch], rel=1e-6)


@pytest.mark.slow
def test_csv_logger_writes_the_same_table(tmp_path):
    tables = []
    for distil in (False, True):
        path = tmp_path / f"{distil}.csv"
        fit(distil, [callbacks.CSVLogger(path)], epochs=2)
        with path.open() as file:
            tables.append(list(csv.DictReader(file)))
    plain, ours = tables
    assert [{key: row[key] for key in plain[0]} for row in ours] == plain
    assert set(ours[0]) - set(plain[0]) == OURS


@pytest.mark.slow
def test_nan_ends_the_training():
    """In the middle of the first epoch, as it does plain training."""
    ends = []
    for distil in (False, True):
        labels = np.where(np.arange(32) < 16, 0.0, np.nan)[:, None] * np.ones((32, 3))
        data = tf.data.Dataset.from_tensor_slices((X[:32], labels)).batch(8)
        model = network()
        if distil:
            model = kd.Distiller(model, network(8), [kd.losses.SoftTargets()])
        model.compile("sgd", loss="mse", run_eagerly=True)
        with pytest.warns(UserWarning, match="its labels hold NaN") if distil else contextlib.nullcontext():
            history = model.fit(data, epochs=3, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
        ends.append((history.epoch, model.stop_training, int(model.optimizer.iterations)))
    assert ends[0] == ends[1] == ([0], True, 3)


def _plain(moment):
    """Without what our logs hold beside the plain ones."""
    name, *arguments = moment
    logs = [part for group in arguments for part in (group.values() if isinstance(group, dict) else group)]
    return name, [
        {key: value for key, value in part.items() if key not in OURS} if isinstance(part, dict) else part
        for part in logs
    ]


@pytest.mark.slow
def test_callback_hooks_run_once_and_in_order():
    """With the arguments that Keras gives, and the distiller as `model`."""

    def moments_of(distil):
        moments = []

        class Listen(callbacks.Callback):
            def __getattribute__(self, name):
                if name.startswith("on_"):
                    return lambda *args, **named: moments.append(_plain((name, args, named)))
                return super().__getattribute__(name)

        early = []
        begin = callbacks.LambdaCallback(on_train_begin=lambda logs: early.append(logs))
        model, _ = fit(distil, [Listen(), begin], epochs=2)
        assert early == [{}] or early == [None]
        assert begin.model is model
        return moments

    plain, ours = moments_of(False), moments_of(True)
    assert ours == plain


@pytest.mark.slow
def test_a_callback_may_stop_training_or_change_the_rate():
    stops = []
    for distil in (False, True):

        class Stop(callbacks.Callback):
            def on_train_batch_end(self, step, logs=None):
                self.model.optimizer.learning_rate = 0.01
                self.model.stop_training = step == 2

        stops.append(fit(distil, [Stop()], validation_data=None))
    same(*stops)
    assert int(stops[1][0].optimizer.iterations) == 3


def events(folder):
    """The scalars and the tags of all else in TensorBoard's files."""
    scalars, others = {}, set()
    for path in sorted(pathlib.Path(folder).rglob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                number = tf.make_ndarray(value.tensor)
                if number.ndim == 0 and number.dtype.kind == "f":
                    scalars[path.parent.name, value.tag, event.step] = float(number)
                else:
                    others.add(value.tag)
    return scalars, others


@pytest.mark.slow
def test_tensorboard(tmp_path):
    results = []
    for distil in (False, True):
        keras.backend.clear_session(free_memory=False)  # so that layers have the same names
        folder = tmp_path / str(distil)
        board = callbacks.TensorBoard(folder, histogram_freq=1, update_freq="batch", profile_batch=0)
        fit(distil, [board], epochs=2)
        results.append(events(folder))
    (plain, histograms), (ours, our_histograms) = results
    timing = {key for key in plain if "steps_per_second" in key[1]}
    assert {key: ours[key] for key in plain.keys() - timing} == {
        key: plain[key] for key in plain.keys() - timing
    }
    assert {tag for _, tag, _ in ours.keys() - plain.keys()} <= {
        f"{when}_{name}" for when in ("epoch", "batch") for name in OURS
    }
    assert histograms
    assert our_histograms >= histograms - {"keras"}  # the graph, which TensorBoard draws of functional models

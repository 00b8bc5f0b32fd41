"""What a Distiller saves of itself, and what it leaves out."""

import os
import zipfile

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import (
    convnet,
    cross_entropy,
    distance,
    mlp,
    weights_of,
)


@pytest.mark.slow
def test_round_trip_without_the_teacher(batch, tmp_path):
    x, y = batch
    objectives = [
        kd.Objective(kd.losses.SoftTargets(2.0), weight=0.5),
        kd.Objective("mse", student="block2", teacher="block2", project=True),
    ]
    teacher = convnet(32, "teacher")
    distiller = kd.Distiller(convnet(4), teacher, objectives)
    distiller.compile("adam", loss=cross_entropy(), metrics=["accuracy"])
    distiller.fit(x, y, shuffle=False, verbose=0)
    distiller.save(tmp_path / "d.keras")
    again = keras.saving.load_model(tmp_path / "d.keras", safe_mode=True)
    assert again.teacher is None
    assert again.compiled
    np.testing.assert_allclose(again.predict(x, verbose=0), distiller.predict(x, verbose=0), rtol=1e-6)
    with pytest.raises(ValueError, match="has no teacher"):
        again.fit(x, y, verbose=0)
    again.teacher = teacher
    for model in (distiller, again):
        keras.utils.set_random_seed(1)
        model.fit(x, y, shuffle=False, verbose=0)
    assert distance(weights_of(distiller), weights_of(again)) == 0


def test_the_blend_round_trips(tmp_path):
    distiller = kd.Distiller(mlp(4, "s"), mlp(8, "t"), temperature=3.0, alpha=0.2)
    again = kd.Distiller.from_config(distiller.get_config())
    assert (again.temperature, again.alpha) == (3.0, 0.2)
    assert again.objectives[0].loss.temperature == 3.0


@pytest.mark.slow
def test_files_do_not_hold_the_teacher(batch, tmp_path):
    x, y = batch
    student, teacher = convnet(4), convnet(256, "teacher")
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "distiller.keras"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    distiller.fit(x, y, callbacks=callbacks, verbose=0)
    distiller.save_weights(tmp_path / "d.weights.h5")
    student.save(tmp_path / "s.keras")
    teacher.save(tmp_path / "t.keras")
    sizes = {file.name: os.path.getsize(file) for file in tmp_path.glob("*.*")}
    assert sizes["distiller.keras"] < 1.5 * sizes["s.keras"] + 20_000
    assert sizes["d.weights.h5"] < sizes["distiller.keras"]
    assert sizes["t.keras"] > 3 * sizes["distiller.keras"] / 4
    with zipfile.ZipFile(tmp_path / "distiller.keras") as file:
        assert b'"teacher"' not in file.read("config.json").replace(b'"teacher": "output"', b"")
    assert teacher.count_params() not in [distiller.count_params(), student.count_params()]
    assert not any(w is v for w in distiller.weights for v in teacher.weights)
    assert len(distiller.weights) < len(student.weights) + len(teacher.weights)


def test_a_scheduled_temperature_is_saved(batch, tmp_path):
    cool = keras.optimizers.schedules.PolynomialDecay(8.0, 100, 1.0)
    distiller = kd.Distiller(convnet(4), convnet(8), temperature=cool)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(*batch)
    distiller.save(tmp_path / "distiller.keras")
    again = keras.models.load_model(tmp_path / "distiller.keras")
    assert float(again.temperature(50)) == 4.5
    assert float(again.objectives[0].loss.temperature(50)) == 4.5

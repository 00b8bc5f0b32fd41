"""Files of the student alone, written during training."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy


def fit(tmp_path, batch, name, model=None, **options):
    model = model or kd.Distiller(
        convnet(4), convnet(16), [kd.Objective("mse", student="block2", teacher="block2", project=True)]
    )
    model.compile("adam", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    path = tmp_path / name
    callback = kd.StudentCheckpoint(path, **options)
    model.fit(*batch, epochs=3, validation_data=batch, callbacks=[callback], verbose=0)
    return model, path


@pytest.mark.parametrize("mode", ["auto", "max"])
def test_the_best_student(tmp_path, batch, mode):
    distiller, path = fit(
        tmp_path, batch, "best.keras", monitor="val_accuracy", mode=mode, save_best_only=True
    )
    student = keras.models.load_model(path)
    assert type(student) is type(distiller.student)
    assert not student.compiled
    assert student.count_params() == distiller.student.count_params()
    alone = tmp_path / "alone.keras"
    distiller.student.save(alone)
    assert abs(path.stat().st_size - alone.stat().st_size) < 2000  # nothing else is in it
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_weights_and_names(tmp_path, batch):
    distiller, _ = fit(tmp_path, batch, "{epoch}.weights.h5", save_weights_only=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{i}.weights.h5" for i in (1, 2, 3)]
    student = convnet(4)
    student.load_weights(tmp_path / "3.weights.h5")
    for a, b in zip(student.get_weights(), distiller.student.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_models_are_refused(tmp_path, batch):
    with pytest.raises(TypeError, match=r"saves the student of a kd.Distiller.*Received: Functional"):
        fit(tmp_path, batch, "x.keras", convnet(4))

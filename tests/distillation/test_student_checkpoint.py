"""Files of the student alone, written during training."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy


def fit(batch, callbacks, model=None):
    model = model or kd.Distiller(
        convnet(4), convnet(16), [kd.Objective("mse", student="block2", teacher="block2", project=True)]
    )
    model.compile("adam", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    model.fit(*batch, epochs=3, validation_data=batch, callbacks=callbacks, verbose=0)
    return model


def test_the_best_student_and_the_weights_of_each_epoch(tmp_path, batch):
    best = {"monitor": "val_accuracy", "save_best_only": True}
    callbacks = [
        kd.StudentCheckpoint(tmp_path / f"{mode}.keras", mode=mode, **best) for mode in ("auto", "max")
    ]
    callbacks.append(kd.StudentCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True))
    distiller = fit(batch, callbacks)
    weights = [f"{i}.weights.h5" for i in (1, 2, 3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*weights, "auto.keras", "max.keras"]
    alone = tmp_path / "alone.keras"
    distiller.student.save(alone)
    for mode in ("auto", "max"):
        student = keras.models.load_model(tmp_path / f"{mode}.keras")
        assert type(student) is type(distiller.student)
        assert not student.compiled
        assert student.count_params() == distiller.student.count_params()
        size = (tmp_path / f"{mode}.keras").stat().st_size
        assert abs(size - alone.stat().st_size) < 2000  # nothing else is in it
    student = convnet(4)
    student.load_weights(tmp_path / "3.weights.h5")
    for a, b in zip(student.get_weights(), distiller.student.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_other_models_are_refused(tmp_path, batch):
    with pytest.raises(TypeError, match=r"saves the student of a kd.Distiller.*Received: Functional"):
        fit(batch, [kd.StudentCheckpoint(tmp_path / "x.keras")], convnet(4))

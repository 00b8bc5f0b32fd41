"""`evaluate`, `predict` and validation logs are of the student alone."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.evaluation import require_figures, without
from tests.distillation.conftest import convnet, cross_entropy


def test_call_evaluate_and_predict_are_the_student(batch):
    x, y = batch
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    student.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    assert distiller.evaluate(x, y, verbose=0, return_dict=True) == student.evaluate(
        x, y, verbose=0, return_dict=True
    )
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), student.predict(x, verbose=0))
    np.testing.assert_array_equal(distiller(x), student(x))


def test_validation_logs_hold_no_training_terms(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    logs = distiller.fit(x, y, validation_data=(x, y), verbose=0).history
    assert {key for key in logs if key.startswith("val_")} == {"val_accuracy", "val_loss"}


def test_projections_are_not_in_what_evaluate_says(batch):
    project = keras.layers.Conv2D(8, 1, kernel_regularizer=keras.regularizers.L2(10.0))
    objective = kd.Objective("mse", student="block2", teacher="block2", project=project)
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(8, "t"), [objective])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    student.compile(loss=cross_entropy(), run_eagerly=True)
    assert distiller.evaluate(*batch, verbose=0) == pytest.approx(student.evaluate(*batch, verbose=0))


def test_there_may_be_nothing_to_evaluate(batch):
    distiller = kd.Distiller(convnet(4), convnet(8))
    distiller.compile("sgd", run_eagerly=True)
    distiller.train_on_batch(batch[0])
    with pytest.raises(ValueError, match="neither `loss` nor `metrics`"):
        distiller.evaluate(*batch, verbose=0)


def test_without_leaves_out_what_trackers_have_logged():
    logs = {"loss": 1.0, "accuracy": 0.5}
    assert without(logs, [keras.metrics.Mean(name="loss")]) == {"accuracy": 0.5}
    assert without(logs, []) == logs


@pytest.mark.parametrize(("loss", "metrics"), [(True, False), (False, True)])
def test_require_figures_asks_for_a_loss_or_a_metric(loss, metrics):
    require_figures(loss, metrics)
    with pytest.raises(ValueError, match="There is nothing to evaluate"):
        require_figures(False, False)

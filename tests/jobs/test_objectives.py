"""What the student learns from, from what is typed."""

import keras
import pytest

from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.objectives import make_distiller
from keras_kd.jobs.tasks import Task
from keras_kd.losses import DecoupledKD, SoftTargets
from tests.conftest import classifier


def distiller(few=False, **options):
    models = classifier("student", 4), classifier("teacher", 8)
    hyperparameters = Hyperparameters(0, 1, temperature=3.0, **options)
    return make_distiller(*models, [Task("classes")], hyperparameters, use_sample_weight=not few)


@pytest.mark.parametrize(
    ("loss", "expected"), [(None, SoftTargets), ("decoupled_kd", DecoupledKD), ("DecoupledKD", DecoupledKD)]
)
def test_the_loss_of_the_outputs(loss, expected):
    [objective] = distiller(loss=loss).objectives
    assert isinstance(objective.loss, expected)
    assert objective.loss.temperature == 3.0
    assert objective.weight == pytest.approx(0.9)


def test_features_get_a_projection_if_their_widths_differ():
    teacher = classifier("teacher", 8)
    tap = next(layer.name for layer in teacher.layers if isinstance(layer, keras.layers.Conv2D))
    found = distiller(objectives=(f"2*mse:{tap}:{tap}", f"attention_transfer:{tap}:{tap}")).objectives
    assert [objective.weight for objective in found] == [pytest.approx(0.9), 2.0, 1.0]
    assert [objective.project for objective in found] == [None, True, None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "decoupled"}, "decoupled_kd"),
        ({"loss": "decoupled_kd", "few": True}, "reads the label of every sample"),
        ({"objectives": ("mse:none:none",)}, "none"),
        ({"objectives": ("mze:logits:logits",)}, "mze"),
        ({"objectives": ("mse:a:b", "2*mse:a:b")}, "Keep one of them; a weight says how much it counts"),
    ],
)
def test_what_cannot_be_learned_from(options, message):
    with pytest.raises(ValueError, match=message):
        distiller(**options)

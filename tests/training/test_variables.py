import pytest
import tensorflow as tf

from keras_kd.training.variables import make_variables
from tests.distillation.conftest import CLASSES, VECTORS, as_set, cross_entropy, perceptron

TENSORS = tf.constant(VECTORS), tf.constant(CLASSES)


@pytest.mark.parametrize(
    ("batch", "metrics", "built"),
    [
        (TENSORS, ["accuracy"], True),
        (TENSORS, None, True),
        (as_set(VECTORS, CLASSES).element_spec, ["accuracy"], True),
        ((VECTORS, CLASSES), ["accuracy"], False),  # metrics are built on tensors only
    ],
)
def test_variables_of_metrics_and_the_optimizer_are_made_before_a_step(batch, metrics, built):
    model = perceptron(2)
    model.compile("adam", loss=cross_entropy(), metrics=metrics)
    make_variables(model, batch)
    assert model.optimizer.built
    of_metrics = len(model.metrics_variables) - 2  # two are of the loss
    assert (of_metrics > 0) == (built and metrics is not None)
    assert int(model.optimizer.iterations) == 0

"""tfmot's quantization-aware training: what it can preserve, and what it cannot quantize."""

import pytest
import tf_keras

import keras_kd as kd
from tests.tfmot.students import (
    assert_refused,
    grouped,
    nested,
    refused,
    student,
    with_kernels,
    with_layer,
)

L = tf_keras.layers


def late_norm(x):
    return L.BatchNormalization(name="norm")(L.Flatten(name="flat")(x))


REFUSED = {
    "a nested model": (
        lambda: kd.tfmot.quantize_model(nested()),
        ValueError,
        r"a model that contains models: \['backbone'\]",
    ),
    "a BatchNormalization without a convolution": (
        lambda: kd.tfmot.quantize_model(with_layer(late_norm)),
        ValueError,
        r"take 1 of these layers: 'norm' \(BatchNormalization\).*layers=\['hidden', 'flat', 'head'\]",
    ),
    "a Lambda": (
        lambda: kd.tfmot.quantize_model(with_layer(L.Lambda(lambda x: abs(x), name="abs"))),
        ValueError,
        r"'abs' \(Lambda\)",
    ),
    "an activation": (
        lambda: kd.tfmot.quantize_model(with_layer(L.Activation("elu", name="act"))),
        ValueError,
        "cannot quantize 'student'.*elu",
    ),
    "no zeros to preserve": (
        lambda: kd.tfmot.quantize_model(student(), "sparsity"),
        ValueError,
        "no kernel contains a zero",
    ),
    "no clusters to preserve": (
        lambda: kd.tfmot.quantize_model(student(), ("clusters",)),
        ValueError,
        "no kernel has few distinct values",
    ),
    "an unknown thing to preserve": (
        lambda: kd.tfmot.quantize_model(with_kernels(grouped), "cluster"),
        ValueError,
        "Did you mean 'clusters'",
    ),
}


@pytest.mark.parametrize(("make", "error", "message"), refused(REFUSED))
def test_what_tfmot_cannot_quantize_or_preserve_is_refused(make, error, message):
    assert_refused(make, error, message)

"""From tfmot's wrappers back to plain layers."""

import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from tests.tfmot.students import STRIPS, WRAPPED, X, half_precision, pruned, stripped, student


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pruned", "clustered", "CQAT"])
def test_what_is_stripped_has_its_own_names_and_the_same_outputs(kind):
    wrapped = WRAPPED[kind]()
    bare = stripped(kind, wrapped)
    own = ["hidden", "head"] if kind != "CQAT" else ["quant_hidden", "quant_head"]
    assert [layer.name for layer in bare.layers[-2:]] == own
    assert np.allclose(bare(X), wrapped(X), atol=1e-6)


@pytest.mark.filterwarnings("ignore:The dtype policy")
def test_a_pruned_model_computes_in_the_precision_that_it_had():
    wrapped = kd.tfmot.prune_low_magnitude(half_precision())
    policies = ["mixed_float16", "float32"]
    assert [layer.dtype_policy.name for layer in wrapped.layers] == policies
    assert wrapped.dtype_policy.name == "mixed_float16"
    bare = kd.tfmot.strip_pruning(wrapped)
    assert [layer.dtype_policy.name for layer in bare.layers] == policies
    assert bare.dtype_policy.name == "mixed_float16"
    assert tf_keras.mixed_precision.global_policy().name == "float32"


def test_the_zeros_of_a_stripped_model_have_no_sign():
    wrapped = pruned()
    for layer in wrapped.layers:
        for weight, mask, _ in getattr(layer, "pruning_vars", ()):
            mask.assign((weight.numpy() > 0).astype("float32"))
    kernels = [np.asarray(weight) for weight in kd.tfmot.strip_pruning(wrapped).weights]
    zeros = np.concatenate([kernel[kernel == 0] for kernel in kernels if kernel.ndim > 1])
    assert len(zeros) > 0
    assert not np.signbit(zeros).any()


@pytest.mark.parametrize("name", STRIPS)
def test_a_model_without_wrappers_is_refused(name):
    with pytest.raises(ValueError, match=r"No layer of 'student' is .*: there is nothing to strip"):
        STRIPS[name](student())

"""Which graph of a file runs, and what it keeps, against files of TensorFlow's own converter."""

import numpy as np
import pytest

from keras_kd.deployment.edges import read_edges
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening.entry_point import KEPT, read_entry_point
from keras_kd.deployment.verification import verify
from tests.deployment import small
from tests.deployment.foreign import converted_functions

X = np.ones((1, 4), "float32")


@pytest.fixture
def converted(tmp_path):
    return lambda **signatures: converted_functions(tmp_path / "m.tflite", **signatures)


def test_the_default_signature_is_not_taken_for_the_graph_that_runs(converted):
    path = converted(first="doubled", serving_default="scores")
    message = (
        r"m\.tflite' has the signatures \['first', 'serving_default'\], and 'serving_default' is not its"
    )
    with pytest.raises(ValueError, match=message):
        LiteModel(path)


@pytest.mark.parametrize("other", ["zoom", "a"])
def test_of_several_signatures_that_of_the_first_graph_is_run(other, converted):
    path = (
        converted(serving_default="scores", zoom="doubled")
        if other == "zoom"
        else converted(b="doubled", a="scores")
    )
    assert read_edges(path).activations == {"scores": "softmax"}
    outputs = LiteModel(path).predict_by_name(X)
    np.testing.assert_allclose(outputs["scores"], np.full((1, 4), 0.25), atol=1e-6)


def test_a_file_that_keeps_values_says_so(converted, dense_file):
    lite = LiteModel(converted(serving_default="added"))
    assert lite.keeps_values
    assert lite.predict(np.repeat(X, 3, 0))[:, 0].tolist() == [1, 2, 3]
    assert KEPT in verify(small.applied(lambda x: x), lite.path, X).notes
    assert not LiteModel(dense_file).keeps_values
    assert read_entry_point(dense_file)[:2] == ("serving_default", 0)

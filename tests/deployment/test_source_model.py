"""Which models become files: a Distiller's student, and those that are refused with a reason."""

import keras
import pytest

from keras_kd.deployment.source_model import (
    computes_in_half,
    is_quantization_aware,
    layers_of,
    recurrent_layer,
    resolve_model,
)
from keras_kd.deployment.tflite import export
from tests.deployment import small


class Distiller(keras.Model):
    def __init__(self, student):
        super().__init__()
        self.student = student


def test_the_student_of_a_distiller_is_exported(dense, dense_file, tmp_path):
    assert resolve_model(Distiller(dense)) is dense
    exported = export(Distiller(dense), tmp_path / "m.tflite")
    assert exported.path.read_bytes() == dense_file.read_bytes()


def test_a_model_is_itself():
    model = small.subclassed()
    model.student = "Ada"
    assert resolve_model(model) is model


def test_what_is_not_a_model(tmp_path):
    with pytest.raises(TypeError, match=r"Expected a keras.Model; received str. Load a file with"):
        export("student.keras", tmp_path / "m.tflite")


@pytest.mark.filterwarnings("ignore")  # Keras warns of its own quantization
def test_models_that_keras_quantized(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")], name="packed")
    model.get_layer("head").quantize("int8")
    with pytest.raises(ValueError, match=r"'packed' was quantized by Keras \('head': int8\)"):
        export(model, tmp_path / "m.tflite")


def test_stateful_recurrent_layers(tmp_path):
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, 3, 2)), keras.layers.LSTM(2, stateful=True, name="memory")]
    )
    with pytest.raises(ValueError, match=r"Layer 'memory' keeps its state.*Set stateful=False"):
        export(model, tmp_path / "m.tflite")


def test_layers_are_found_however_deep():
    names = {layer.name for layer in layers_of(small.nested_gru())}
    assert {"nested_gru", "inner", "deep_gru"} < names
    assert recurrent_layer(small.nested_gru()) == "deep_gru"
    assert recurrent_layer(small.unrolled()) is None
    assert recurrent_layer(small.dense()) is None


def test_precision_and_awareness_of_models():
    assert computes_in_half(small.half())
    assert not computes_in_half(small.dense())
    assert not is_quantization_aware(small.dense())
    assert layers_of(small.dense())[0].name == "dense"

"""Which models become files: a Distiller's student, and those that are refused with a reason."""

import keras
import pytest

from keras_kd.deployment.source.source_model import (
    computes_in_half,
    is_quantization_aware,
    plainly_named,
    recurrent_layer,
    resolve_model,
    student_keys,
)
from keras_kd.deployment.tflite import export
from keras_kd.legacy import all_layers_of
from tests.deployment import small


def test_of_a_distiller_it_is_the_student(dense):
    assert resolve_model(small.Distilling(dense)) is dense


def test_what_a_student_takes_is_what_its_distiller_says(dense):
    distiller = small.Distilling(dense)
    assert student_keys(distiller) is None
    distiller.student_inputs = "image"
    assert student_keys(distiller) == "image"
    dense.student_inputs = "image"
    assert student_keys(dense) is None


def test_a_copy_has_names_that_a_graph_takes(dense):
    assert plainly_named(dense) is dense
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="größe")])
    copy = plainly_named(model)
    assert (model.layers[0].name, copy.layers[0].name) == ("größe", "layer_gr__e")
    assert copy.layers[0].kernel is model.layers[0].kernel


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
    names = {layer.name for layer in all_layers_of(small.nested_gru())}
    assert {"nested_gru", "inner", "deep_gru"} < names
    assert recurrent_layer(small.nested_gru()) == "deep_gru"
    assert recurrent_layer(small.unrolled()) is None
    assert recurrent_layer(small.dense()) is None


def test_precision_and_awareness_of_models():
    assert computes_in_half(small.half())
    assert not computes_in_half(small.dense())
    assert not is_quantization_aware(small.dense())
    assert all_layers_of(small.dense())[0].name == "dense"

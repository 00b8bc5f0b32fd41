"""SavedModels compute in float32, and leave the policy of the model as it was."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.deployment.conversion.saved_model import save
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from tests.deployment import small


def test_half_precision_models_are_saved_in_float32(tmp_path):
    model = small.half()
    x = small.data(model)
    save(make_serving(model), tmp_path / "saved")
    assert {layer.dtype_policy.name for layer in model.layers[1:]} == {"mixed_float16"}
    assert model(x).dtype == "float16"
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    (output,) = signature(tf.constant(x)).values()
    assert output.dtype == "float32"
    np.testing.assert_allclose(output, model(x), atol=5e-3)


def test_the_policy_is_restored_where_saving_fails(tmp_path):
    class Fails(keras.layers.Layer):
        def call(self, x):
            if tf.executing_eagerly():
                return x
            raise RuntimeError("not in a graph")

        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, self.compute_dtype)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_float16"), Fails()])
    with pytest.raises(RuntimeError, match="not in a graph"):
        save(make_serving(model), tmp_path / "saved")
    assert model.layers[0].dtype_policy.name == "mixed_float16"


def test_names_that_no_graph_takes_beside_a_lookup_table(tmp_path):
    numbers = keras.Input((1,), dtype="int64")
    model = keras.Model(numbers, keras.layers.IntegerLookup(vocabulary=[1, 5], name="größe")(numbers))
    with pytest.raises(ValueError, match=r"beside a lookup table, names of layers need A-Z.*'größe'"):
        save(make_serving(model), tmp_path / "saved")


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_the_model_is_never_changed(library, tmp_path):
    seen = []

    class Watching(library.layers.Layer):
        def call(self, x):
            seen.append(first.compute_dtype)
            return x

    first = library.layers.Dense(2, dtype="mixed_float16")
    model = library.Sequential([library.layers.Input((4,)), first, Watching(dtype="mixed_float16")])
    seen.clear()
    save(make_serving(model), tmp_path / "saved")
    assert set(seen) == {"float16"}


@pytest.mark.slow  # that the model is never changed is tested above
def test_threads_that_export_one_model_report_one_error(tmp_path):
    model = small.half()
    errors = []

    def work(number):
        for _ in range(2):
            file = export(model, tmp_path / f"{number}.tflite", overwrite=True)
            errors.append(file.max_error)

    alone = export(model, tmp_path / "alone.tflite").max_error
    threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [alone] * 6


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_lookup_tables_are_saved_however_deep(library, tmp_path):
    ids = library.Input((2,), dtype="int64")
    lookup = library.Sequential([library.layers.IntegerLookup(vocabulary=[30, 40, 50])])
    model = library.Model(ids, lookup(ids))
    save(make_serving(model), tmp_path / "saved")
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    (output,) = signature(tf.constant([[30, 50], [7, 40]], "int64")).values()
    assert output.numpy().tolist() == [[1, 3], [0, 2]]

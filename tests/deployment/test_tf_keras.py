"""Models of tf_keras, and those that tensorflow-model-optimization made of them, as files."""

import functools

import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.deployment.source.serving import make_serving

layers = tf_keras.layers


@pytest.fixture(scope="module")
def tfmot():
    return kd.tfmot.import_tfmot()


def sequential():
    stack = [layers.Conv2D(6, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    return tf_keras.Sequential([*stack, layers.Flatten(), layers.Dense(10)], name="sequential")


def functional():
    image = tf_keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    return tf_keras.Model(image, {"scores": layers.Dense(10)(layers.Flatten()(x))}, name="functional")


def lists():
    left, right = tf_keras.Input((8, 8, 1)), tf_keras.Input((4,))
    x = layers.Concatenate()([layers.Flatten()(left), right])
    return tf_keras.Model([left, right], [layers.Dense(3)(x), layers.Dense(2)(x)], name="lists")


def recurrent():
    return tf_keras.Sequential([tf_keras.Input((8, 8)), layers.LSTM(4), layers.Dense(2)], name="recurrent")


def half():
    image = tf_keras.Input((8, 8, 1), dtype="float32")
    x = layers.Flatten(dtype="mixed_float16")(image)
    return tf_keras.Model(image, layers.Dense(3, dtype="mixed_float16")(x), name="half")


class Subclassed(tf_keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.flatten, self.head = layers.Flatten(), layers.Dense(3)

    def call(self, x):
        return self.head(self.flatten(x))


def built(build):
    tf_keras.utils.set_random_seed(0)
    model = build()
    model(inputs_of(model, 2))
    return model


def inputs_of(model, rows=40):
    images = np.random.default_rng(0).random((rows, 8, 8, 1), "float32")
    if model.name == "recurrent":
        return images[..., 0]
    return [images, images[:, :4, 0, 0]] if model.name == "lists" else images


@pytest.fixture(scope="module")
def exported_of(tmp_path_factory):
    """Builds and exports a model once."""
    folder = tmp_path_factory.mktemp("files")

    @functools.cache
    def exported(build, kind):
        model = built(build)
        samples = inputs_of(model) if kind == "int8" else None
        path = folder / f"{build.__name__}-{kind}.tflite"
        return model, kd.export(model, path, quantization=kind, calibration=samples)

    return exported


@pytest.mark.parametrize(
    ("build", "kind"),
    [
        (sequential, None),
        (functional, "int8"),
        pytest.param(Subclassed, None, marks=pytest.mark.slow),
        (half, None),
        pytest.param(sequential, "float16", marks=pytest.mark.slow),
        pytest.param(functional, "dynamic", marks=pytest.mark.slow),
        pytest.param(lists, "int8", marks=pytest.mark.slow),
        pytest.param(recurrent, None, marks=pytest.mark.slow),
        pytest.param(recurrent, "int8", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)).lower(),
)
def test_the_file_predicts_what_the_model_predicts(build, kind, exported_of):
    model, exported = exported_of(build, kind)
    x = inputs_of(model)
    checked = kd.verify(model, exported.path, x)
    assert checked.max_error < {None: 1e-5, "float16": 2e-3, "dynamic": 0.02, "int8": 0.05}[kind] + (
        1e-3 if build is half else 0
    )
    assert {tensor.dtype for tensor in exported.inputs} == {"float32"}
    if kind == "int8":
        assert exported.float_tensors == ()


@pytest.mark.slow
def test_state_of_a_fused_lstm_is_reset(exported_of):
    _, exported = exported_of(recurrent, None)
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in exported.operators  # it remembers between calls
    lite = kd.LiteModel(exported.path)
    outputs = lite.predict(np.ones((3, 8, 8), "float32"))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs, lite.predict(np.ones((3, 8, 8), "float32")))


def test_names_of_inputs_and_outputs(exported_of):
    for build, kind, names in (
        (functional, "int8", ["image", "scores"]),
        (sequential, None, ["input_0", "output_0"]),
    ):
        _, exported = exported_of(build, kind)
        assert [exported.inputs[0].name, exported.outputs[0].name] == names
    shaped = tf_keras.Sequential([layers.Dense(2, batch_input_shape=(3, 4))])
    inputs = make_serving(shaped).inputs
    assert [(tensor.name, tensor.shape) for tensor in inputs] == [("input_0", (3, 4))]


def test_half_precision_models_keep_their_policy(exported_of):
    model, exported = exported_of(half, None)
    assert model.layers[-1].dtype_policy.name == "mixed_float16"
    assert model(inputs_of(model)).dtype == "float16"
    assert exported.notes == ("the Keras model computes in half precision, the file in float32",)


def test_timed_like_every_model():
    timed = kd.benchmark(built(sequential), runs=5)
    assert (timed.kind, timed.name, timed.runs) == ("keras", "sequential", 5)


# Quantization-aware training by tensorflow-model-optimization.


@pytest.fixture(scope="module")
def aware(tfmot, digits):
    """A classifier of digits, trained, and then trained for one epoch seen through int8."""
    x, y = digit_arrays(digits, "train")
    model = built(sequential)
    for epochs in (8, 1):
        model.compile(
            tf_keras.optimizers.Adam(3e-3 if epochs > 1 else 1e-3),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
        if epochs > 1:
            model = tfmot.quantization.keras.quantize_model(model)
    return model


def digit_arrays(digits, split):
    batches = list(getattr(digits, split).as_numpy_iterator())
    return tuple(np.concatenate([batch[i] for batch in batches]) for i in (0, 1))


@pytest.fixture(scope="module")
def exported_aware(aware, tmp_path_factory):
    """Exports the quantization aware model once for each type of its inputs and outputs."""
    folder = tmp_path_factory.mktemp("aware")
    return functools.cache(lambda io: kd.export(aware, folder / f"{io}.tflite", quantization="int8", io=io))


@pytest.mark.slow
@pytest.mark.parametrize("io", ["float32", "int8", "uint8"])
def test_a_quantization_aware_model_becomes_int8_without_calibration(io, aware, exported_aware, digits):
    exported = exported_aware(io)
    assert {exported.inputs[0].dtype, exported.outputs[0].dtype} == {io}
    assert exported.float_tensors == ()
    edges = {"float32": {"QUANTIZE": 1, "DEQUANTIZE": 1}, "int8": {}, "uint8": {"QUANTIZE": 2}}[io]
    inner = {"CONV_2D": 1, "FULLY_CONNECTED": 1, "RESHAPE": 1}
    assert exported.operators == inner | edges
    checked = kd.verify(aware, exported.path, digit_arrays(digits, "test"))
    assert checked.keras_accuracy > 0.85
    assert checked.agreement >= 0.99
    assert checked.file_accuracy == pytest.approx(checked.keras_accuracy, abs=0.01)


@pytest.mark.slow
def test_calibration_does_not_change_ranges_that_were_trained(aware, exported_aware, tmp_path):
    plain = exported_aware("int8")
    far = 100 * np.random.default_rng(0).random((40, 8, 8, 1), "float32")
    given = kd.export(aware, tmp_path / "given.tflite", quantization="int8", io="int8", calibration=far)
    assert given.inputs == plain.inputs
    assert given.path.read_bytes() == plain.path.read_bytes()


@pytest.mark.slow
def test_a_quantization_aware_model_is_compared_as_its_int8_file(aware, exported_aware, digits):
    path = exported_aware("float32").path
    report = kd.compare(digit_arrays(digits, "test"), baseline=aware, int8=path)
    assert report["int8"].source == report.baseline
    assert report["baseline"].bytes == report["int8"].bytes == path.stat().st_size
    assert report["int8"].agreement >= 0.99
    assert report["int8"].kind == "int8"
    assert "int8 file that it was trained to be" in " ".join(report["baseline"].notes)


def test_freezing_saving_and_loading_keep_the_fingerprint(tmp_path):
    model = built(sequential)
    before = Fingerprint.of(model)
    assert before.keras == tf_keras.__version__
    model.layers[0].trainable = False
    assert Fingerprint.of(model) == before
    model.save(tmp_path / "m.keras")
    loaded = tf_keras.models.load_model(tmp_path / "m.keras")
    assert Fingerprint.of(loaded) == before
    loaded.set_weights([weight + 1 for weight in loaded.get_weights()])
    assert Fingerprint.of(loaded)._replace(weights=before.weights) == before != Fingerprint.of(loaded)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_quantization_aware_model_keeps_its_fingerprint_too(aware, exported_aware, tfmot, tmp_path):
    assert kd.LiteModel(exported_aware("int8").path).made_from.is_of(Fingerprint.of(aware))
    aware.save(tmp_path / "m.h5")
    with tfmot.quantization.keras.quantize_scope():
        loaded = tf_keras.models.load_model(tmp_path / "m.h5", compile=False)
    assert Fingerprint.of(loaded) == Fingerprint.of(aware)


@pytest.mark.slow
def test_a_quantization_aware_model_is_nothing_but_int8(tfmot, tmp_path):
    model = tfmot.quantization.keras.quantize_model(built(sequential))
    for kind in (None, "float16", "dynamic", "int16x8"):
        with pytest.raises(ValueError, match=r"'sequential' is quantization aware.*Pass quantization='int8'"):
            kd.export(model, tmp_path / "m.tflite", quantization=kind, calibration=inputs_of(model))


def pruned(tfmot):
    return tfmot.sparsity.keras.prune_low_magnitude(built(functional))


def clustered(tfmot):
    centroids = tfmot.clustering.keras.CentroidInitialization.LINEAR
    return tfmot.clustering.keras.cluster_weights(
        built(functional), number_of_clusters=4, cluster_centroids_init=centroids
    )


def annotated(tfmot):
    return tfmot.quantization.keras.quantize_annotate_model(built(sequential))


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (pruned, r"still wrapped in PruneLowMagnitude: pass tfmot\.sparsity\.keras\.strip_pruning\(model\)"),
        pytest.param(
            *(clustered, r"in ClusterWeights: pass tfmot\.clustering\.keras\.strip_clustering\(model\)"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(annotated, r"in QuantizeAnnotate: pass tfmot\.quantization\.keras\.quantize_apply\(model\)"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["pruned", "clustered", "annotated"],
)
def test_what_is_not_finished_is_refused(wrap, message, tfmot, tmp_path):
    model = wrap(tfmot)
    for refused in (
        lambda: kd.export(model, tmp_path / "m.tflite"),
        lambda: kd.verify(model, tmp_path / "m.tflite", np.ones((1, 8, 8, 1))),
        lambda: kd.benchmark(model),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [pruned, clustered])
def test_what_was_stripped_is_an_ordinary_model(wrap, tfmot, tmp_path):
    model = wrap(tfmot)
    kinds = tfmot.sparsity.keras.strip_pruning, tfmot.clustering.keras.strip_clustering
    stripped = kinds[wrap is clustered](model)
    assert kd.export(stripped, tmp_path / "m.tflite").max_error < 1e-5


def test_stateful_recurrent_layers_are_refused(tmp_path):
    stack = [layers.LSTM(2, stateful=True, name="memory")]
    model = tf_keras.Sequential([tf_keras.Input((3, 2), batch_size=1), *stack])
    with pytest.raises(ValueError, match=r"Layer 'memory' keeps its state"):
        kd.export(model, tmp_path / "m.tflite")


@pytest.mark.slow
def test_the_student_of_a_tf_keras_distiller(aware, tmp_path):
    distiller = kd.tfmot.Distiller(aware)
    exported = kd.export(distiller, tmp_path / "m.tflite", quantization="int8", io="int8")
    assert Contents.read(exported.path).float_tensors == ()

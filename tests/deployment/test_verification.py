"""verify: the figures, by hand, and data that does not fit."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from tests.deployment import small
from tests.deployment.foreign import converted


@pytest.fixture(scope="module")
def other():
    """A model of the same shape as `dense`, with other weights."""
    keras.utils.set_random_seed(7)
    return small.dense()


def labelled(model, rows=50):
    return small.data(model, rows), np.arange(rows) % 3


def test_figures_are_those_of_both_models(dense, dense_file, other):
    x, y = labelled(dense)
    mine, its = np.asarray(other(x)), np.asarray(dense(x))
    checked = verify(other, dense_file, (x, y))
    assert checked.samples == 50
    assert checked.max_error == pytest.approx(np.abs(mine - its).max(), rel=1e-4)
    assert checked.mean_error == pytest.approx(np.abs(mine - its).mean(), rel=1e-4)
    assert checked.agreement == pytest.approx((mine.argmax(1) == its.argmax(1)).mean())
    assert checked.keras_accuracy == pytest.approx((mine.argmax(1) == y).mean())
    assert checked.file_accuracy == pytest.approx((its.argmax(1) == y).mean())
    assert 0 < checked.agreement < 1
    moved = its - its.mean(0), mine - mine.mean(0)
    relative = np.sqrt(((mine - its) ** 2).mean() / (moved[1] ** 2).mean())
    assert checked.relative_error == pytest.approx(relative, rel=1e-4)
    origin, note = checked.notes
    assert origin == "the file was made from 'dense' with other weights: export it again"
    assert "nothing to do with the model's" in note
    assert note.endswith(f"{checked.agreement:.0%} of the answers agree")
    assert verify(dense, dense_file, (x, y)).notes == ()


def test_whose_a_file_of_another_tool_is_has_to_be_guessed(dense, other, tmp_path):
    x, y = labelled(dense)
    (note,) = verify(other, converted(dense, tmp_path / "m.tflite"), (x, y)).notes
    assert "nothing to do with the model's" in note
    assert "of the answers agree. It looks like the file of another model" in note


def test_a_file_of_a_model_with_other_layers_is_called_that(dense, small_file):
    path = small_file(small.custom)[1].path
    (note, *_) = verify(dense, path, small.data(dense)).notes
    assert note == "the file was made from another model, 'custom'"


def test_the_form_of_the_data_does_not_matter(dense, dense_file, other):
    x, y = labelled(dense)
    expected = verify(other, dense_file, (x, y))
    one_hot = np.eye(3)[y]
    tensors = tf.data.Dataset.from_tensor_slices((x, y, y)).batch(7)
    for data in [(x, y[:, None]), (x, one_hot), (x, y.astype("float32")), (x, y, y), tensors]:
        checked = verify(other, dense_file, data)
        assert str(checked) == str(expected)


def test_without_labels_there_is_agreement_alone(dense, dense_file):
    checked = verify(dense, dense_file, small.data(dense), metric="accuracy")
    assert checked.agreement == 1.0
    assert (checked.keras_accuracy, checked.file_accuracy, checked.metric) == (None, None, None)
    assert checked.notes == ("no accuracy: the data has no labels",)


def test_without_labels_three_numbers_may_be_anything(dense, dense_file):
    checked = verify(dense, dense_file, small.data(dense))
    assert checked.agreement is None
    (note,) = checked.notes
    assert note.startswith("no agreement and no accuracy: the data has no labels, and neither activation nor")
    assert note.endswith("pass labels, or metric='accuracy' if it is")


def test_regression_has_errors_alone(tmp_path, dense, dense_file):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    path = export(model, tmp_path / "m.tflite").path
    x = small.data(model)
    checked = verify(model, path, (x, np.ones(40)))
    assert (checked.agreement, checked.keras_accuracy) == (None, None)
    assert "are not classes of outputs of shape (40, 1): pass metric=" in checked.notes[0]
    assert checked.max_error < 1e-5
    targets = np.random.default_rng(0).normal(size=(40, 3))
    measured = verify(dense, dense_file, (x, targets), metric="mae")
    assert (measured.agreement, measured.notes, measured.metric) == (None, (), "mean_absolute_error")
    assert measured.keras_metric == pytest.approx(np.abs(np.asarray(dense(x)) - targets).mean(), rel=1e-4)
    assert measured.file_metric == pytest.approx(measured.keras_metric, rel=1e-5)
    assert "mean_absolute_error of output_0: " in str(measured)
    assert verify(dense, dense_file, (x, np.full(40, 0.5))).agreement is None


def test_several_outputs_have_figures_each(small_file):
    model, exported = small_file(small.dicts)
    path = exported.path
    x = small.data(model)
    labels = {"z": np.arange(40) % 3, "alpha": np.arange(40) % 2}
    checked = verify(model, path, (x, labels))
    assert (checked.agreement, checked.keras_accuracy) == (None, None)
    assert [output.name for output in checked.outputs] == ["alpha", "z"]
    assert all(output.agreement == 1.0 for output in checked.outputs)
    scores = model(x)
    for output in checked.outputs:
        right = np.asarray(scores[output.name]).argmax(1) == labels[output.name]
        assert output.file_accuracy == pytest.approx(right.mean())
    assert checked.max_error == max(output.max_error for output in checked.outputs)
    some = verify(model, path, (x, {"z": labels["z"]}))
    assert some.notes[0].startswith("alpha: no agreement and no accuracy: the data has no labels")
    assert some.outputs[1].agreement == 1.0
    asked = verify(model, path, (x, {"z": labels["z"]}), metric={"alpha": "accuracy"})
    assert [output.agreement for output in asked.outputs] == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"metric names the output 'beta'; the outputs are"):
        verify(model, path, (x, labels), metric={"beta": "accuracy"})
    with pytest.raises(ValueError, match=r"Labels: Unknown name 'alfa'.*Did you mean 'alpha'"):
        verify(model, path, (x, {"alfa": labels["alpha"]}))
    assert some.notes[0].split(": ")[2].startswith("the data has no labels of this output, and neither")
    unnamed = verify(model, path, (x, labels["z"]))
    assert [output.keras_accuracy for output in unnamed.outputs] == [None, None]
    assert "z: no agreement and no accuracy: the labels are one array for 2 outputs" in unnamed.notes[1]
    with pytest.raises(ValueError, match=r"metric='mean.* needs labels, and the labels are one array for 2"):
        verify(model, path, (x, labels["z"]), metric="mae")
    named = verify(model, path, (x, labels["z"]), metric={"z": "accuracy"})
    assert named.outputs[1].keras_accuracy == checked.outputs[1].keras_accuracy


@pytest.mark.slow
def test_outputs_by_the_names_that_evaluate_takes(tmp_path):
    inputs = keras.Input((4,))
    heads = [keras.layers.Dense(3, activation="softmax")(inputs), keras.layers.Dense(1)(inputs)]
    model = keras.Model(inputs, heads)
    first, second = model.output_names
    metrics = {first: "sparse_categorical_accuracy", second: "mae"}
    model.compile(loss={first: "sparse_categorical_crossentropy", second: "mse"}, metrics=metrics)
    x, y = labelled(model)
    data = (x, {first: y, second: x[:, :1]})
    wanted = model.evaluate(*data, verbose=0, return_dict=True)
    checked = verify(model, export(model, tmp_path / "m.tflite").path, data, metric={second: "mae"})
    assert [output.name for output in checked.outputs] == ["output_0", "output_1"]
    assert checked.outputs[0].keras_accuracy == pytest.approx(wanted[f"{first}_sparse_categorical_accuracy"])
    assert checked.outputs[1].keras_metric == pytest.approx(wanted[f"{second}_mae"], rel=1e-5)


def test_lists_of_labels(small_file):
    model, exported = small_file(small.lists)
    checked = verify(model, exported.path, (small.data(model), [np.arange(40) % 3, np.arange(40) % 2]))
    assert all(output.keras_accuracy is not None for output in checked.outputs)


def test_the_loss_of_a_distiller_says_what_its_student_answers(dense, dense_file):
    distiller = small.Distilling(dense)
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    checked = verify(distiller, dense_file, small.data(dense))
    assert (checked.agreement, checked.notes) == (1.0, ("no accuracy: the data has no labels",))
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 2.* Received from 0\.5 to 0\.5"):
        verify(distiller, dense_file, (small.data(dense), np.full(40, 0.5)))


def test_the_student_of_a_distiller_reads_its_own_part_of_the_data(dense, tmp_path):
    x, y = labelled(dense)
    distiller = small.Distilling(dense)
    distiller.student_inputs = "image"
    data = {"image": x, "wide": -x, "label": y}
    exported = export(distiller, tmp_path / "m.tflite", quantization="int8", calibration=data)
    assert verify(distiller, exported.path, data) == verify(dense, exported.path, (x, y))
    np.testing.assert_array_equal(LiteModel(exported.path).predict(data), LiteModel(exported.path).predict(x))
    with pytest.raises(ValueError, match=r"Unknown name 'wide'; expected one of \['input_0', 'image'\]"):
        verify(distiller, exported.path, {"wide": x})


def test_embeddings_and_their_identities(tmp_path):
    layers = [keras.layers.Dense(8), keras.layers.UnitNormalization()]
    model = keras.Sequential([keras.Input((4,)), *layers])
    path, x = export(model, tmp_path / "m.tflite").path, small.data(model)
    for identities in (np.arange(40) % 5, 1000 + np.arange(40)):
        checked = verify(model, path, (x, identities))
        assert (checked.agreement, checked.metric) == (None, None)
        assert "are not classes of outputs of shape (40, 8): pass metric=" in checked.notes[0]


def test_maps_of_classes_and_fixed_batches(tmp_path):
    image = keras.Input(batch_shape=(4, 6, 6, 1))
    segments = keras.Model(image, keras.layers.Conv2D(3, 1)(image))
    exported = export(segments, tmp_path / "s.tflite")
    assert exported.batch_size == 4
    x = np.random.default_rng(0).random((9, 6, 6, 1))
    checked = verify(segments, exported.path, (x, np.ones((9, 6, 6), int)))
    assert checked.max_error < 1e-6
    assert checked.agreement == 1.0
    assert checked.keras_accuracy == pytest.approx(checked.file_accuracy)


def test_recurrent_models(small_file):
    recurrent, exported = small_file(small.lstm)
    assert verify(recurrent, exported.path, small.data(recurrent, 9)).max_error < 1e-5


def test_nan_is_not_agreement(dense, dense_file):
    x = small.data(dense)
    x[0] = np.nan
    checked = verify(dense, dense_file, x, metric="accuracy")
    assert np.isnan(checked.max_error)
    assert checked.agreement == 39 / 40
    assert json.loads(checked.to_json())["max_error"] is None
    assert (
        checked.notes[0] == "the file gives NaN for 1 of 40 samples, and Keras gives NaN for 1 of 40 samples"
    )


def test_a_file_that_gives_nan_or_infinity_is_called_that(dense, dense_file, tmp_path):
    content, kernel = dense_file.read_bytes(), dense.layers[0].kernel.numpy().T.astype("<f4").tobytes()
    assert content.count(kernel) == 1
    x = small.data(dense)
    for value, called in ((np.nan, "NaN"), (np.inf, "infinity")):
        broken = np.float32(value).tobytes() + kernel[4:]
        (tmp_path / "m.tflite").write_bytes(content.replace(kernel, broken))
        note, *_ = verify(dense, tmp_path / "m.tflite", (x, np.asarray(dense(x))), metric="mse").notes
        assert note == f"the file gives {called} for 40 of 40 samples, and Keras for none"
    other = keras.models.clone_model(dense)
    other.set_weights([np.full_like(weight, np.nan) for weight in dense.get_weights()])
    _, note, *_ = verify(other, dense_file, x).notes
    assert note == "Keras gives NaN for 40 of 40 samples, and the file does not"


def test_infinity_where_keras_has_it_is_no_error(tmp_path):
    model = small.applied(lambda x: tf.math.log(tf.nn.relu(x)))
    path, x = converted(model, tmp_path / "m.tflite"), small.data(model)
    assert np.isneginf(model.predict(x, verbose=0)).any()
    checked = verify(model, path, (x, np.zeros(40)))
    assert checked.max_error < 1e-5
    assert (checked.agreement, checked.notes) == (1, ())


def test_verification_prints_a_table(dense, dense_file):
    checked = verify(dense, dense_file, labelled(dense))
    lines = str(checked).splitlines()
    assert lines[0] == f"{dense_file} against Keras on 50 samples"
    assert lines[1].split() == ["output", "max", "|error|", "mean", "|error|", "agreement", "Keras", "file"]
    assert lines[2].split()[0] == "output_0"
    assert lines[2].split()[3] == "100.00%"
    assert len({len(line) for line in lines[1:]}) == 1


def test_data_and_files_that_do_not_fit(dense, dense_file, tmp_path):
    x, y = labelled(dense)
    with pytest.raises(ValueError, match="The data is empty"):
        verify(dense, dense_file, x[:0])
    with pytest.raises(ValueError, match=r"needs shape \(rows, 4\)"):
        verify(dense, dense_file, x[:, :2])
    with pytest.raises(ValueError, match=r"Labels of shape \(50, 2\) do not fit outputs of shape \(50, 3\)"):
        verify(dense, dense_file, (x, np.ones((50, 2))), metric="accuracy")
    assert "labels of shape (50, 2)" in verify(dense, dense_file, (x, np.ones((50, 2)))).notes[0]
    with pytest.raises(ValueError, match=r"same number of rows"):
        verify(dense, dense_file, (x, y[:4]))
    with pytest.raises(FileNotFoundError, match="There is no file"):
        verify(dense, tmp_path / "no.tflite", x)
    with pytest.raises(TypeError, match=r"Expected a keras\.Model"):
        verify(str(dense_file), dense_file, x)
    two = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="two")
    with pytest.raises(
        ValueError, match=r"is not a file of 'two': the outputs of the model are .*2.*file .*3"
    ):
        verify(two, dense_file, x)


def test_data_that_never_ends_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    endless = tf.data.Dataset.from_tensor_slices(np.zeros((8, 4), "float32")).batch(4).repeat()
    with pytest.raises(ValueError, match="goes on forever"):
        verify(model, tmp_path / "m.tflite", endless)

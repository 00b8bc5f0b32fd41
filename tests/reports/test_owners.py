"""Files of other tools in a comparison: by the names and in the order of the models that they belong to."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.tflite import export
from keras_kd.reports.comparison import compare
from keras_kd.reports.owners import with_owners
from keras_kd.reports.subjects import open_subject
from keras_kd.reports.tally import count
from tests.deployment.foreign import converted, rewritten

layers = keras.layers
RNG = np.random.default_rng(0)
X = list(RNG.normal(size=(2, 40, 4)).astype("float32"))
Y = RNG.integers(0, 3, 40)


@pytest.fixture(scope="module")
def model():
    """Two inputs, and two outputs of one shape: nothing but names tells them apart."""
    keras.utils.set_random_seed(0)
    second, first = keras.Input((4,)), keras.Input((4,))
    x = layers.Subtract()([layers.Dense(3)(first), layers.Dense(3)(second)])
    return keras.Model([first, second], [layers.Dense(3, name=name)(x) for name in ("zcls", "abox")])


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    """The file that TensorFlow's converter makes of it; `keras_tensor` is the second input."""
    return converted(model, tmp_path_factory.mktemp("converted") / "m.tflite")


@pytest.fixture(scope="module")
def own(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("own") / "m.tflite").path


def counted(subjects, data=(X, [Y, Y]), sources=None):
    opened = with_owners([open_subject(*item) for item in subjects.items()], sources or {})
    tallies, _ = count(
        opened, [data], next(iter(subjects)), sources or {}, lambda text: None, {"zcls": "accuracy"}
    )
    return tallies


@pytest.mark.parametrize("sources", [{}, {"file": "model"}])
def test_a_file_of_the_converter_has_the_figures_of_its_model(sources, model, file):
    right = (model.predict(X, verbose=0)[0].argmax(-1) == Y).mean()
    for subjects in ({"model": model, "file": file}, {"file": file, "model": model}):
        tally = counted(subjects, sources=sources)["file"]
        assert (tally.answers.accuracy, tally.answers.agreement) == (pytest.approx(right), 1)
        assert tally.max_error is None if not sources else tally.max_error < 1e-5


def test_a_file_beside_another_file_of_its_model_or_alone(model, file, own):
    right = (model.predict(X, verbose=0)[0].argmax(-1) == Y).mean()
    tallies = counted({"file": file, "own": own})
    assert tallies["file"].answers.accuracy == tallies["own"].answers.accuracy == pytest.approx(right)
    assert tallies["own"].answers.agreement == 1
    # By its own names, as nothing else is known of it.
    named = {tensor.name: x for tensor, x in zip(model.inputs, X, strict=True)}
    alone = with_owners([open_subject("file", file)], {})
    tallies, _ = count(alone, [(named, [Y, Y])], None, {}, lambda text: None, {"output_0": "accuracy"})
    assert tallies["file"].answers.accuracy == pytest.approx(right)


@pytest.mark.slow
def test_the_whole_report(model, file):
    metric = {"zcls": "accuracy"}
    report = compare((X, [Y, Y]), m=model, f=file, baseline="m", sources={"f": "m"}, metric=metric)
    assert (report["f"].agreement, report["f"].accuracy) == (1, report["m"].accuracy)
    assert report["f"].max_error < 1e-5
    assert report["f"].median_ms > 0


def test_evidence_ranges_and_limits_go_by_the_names_of_the_model(model, tmp_path):
    quantized = export(
        keras.Model(model.inputs, [layers.Softmax()(model.outputs[0]), model.outputs[1]]),
        tmp_path / "own.tflite",
        quantization="int8",
        calibration=X,
    )
    path = rewritten(quantized.path, tmp_path / "m.tflite", ["args_0", "args_0_1"], ["o_1", "o_2"])
    subjects = [open_subject("model", model), open_subject("file", path)]
    _, file = with_owners(subjects, {})
    assert list(file.ranges) == ["input_0", "input_1"]
    assert file.ranges["input_0"] == subjects[1].ranges["args_0"] != subjects[1].ranges["args_0_1"]
    outputs = file.predict(X)
    assert list(outputs) == ["zcls", "abox"]
    np.testing.assert_allclose(outputs["zcls"].sum(-1), 1, atol=0.02)
    assert [name for name, known in file.evidence().items() if known.activation == "softmax"] == ["zcls"]
    assert file.limits() == {"zcls": (0, 255 / 256), "abox": subjects[1].limits()["o_2"]}
    sources = dict.fromkeys(("file", "own"), "model")
    tallies = counted({"model": model, "file": path, "own": quantized.path}, sources=sources)
    # Scores leave the range of probabilities, and the other output has the range of this very data.
    assert [note.partition(" than ")[0] for note in tallies["file"].notes] == [
        "zcls: the file cannot give more",
        "zcls: the file cannot give less",
    ]
    assert tallies["own"].notes == tallies["file"].notes


def test_files_that_fit_none(model, file, own, tmp_path):
    single = keras.Sequential([keras.Input((4,)), layers.Dense(3)], name="single")
    subjects = [open_subject("single", single), open_subject("file", file)]
    assert with_owners(subjects, {})[1] is subjects[1]
    with pytest.raises(ValueError, match=r"m\.tflite' is not a file of 'single': the model takes"):
        with_owners(subjects, {"file": "single"})
    path = rewritten(own, tmp_path / "m.tflite", ["args_0", "args_0_1"], ["p", "q"])
    with pytest.raises(ValueError, match=r"Neither names nor shapes tell which output of .* is which"):
        counted({"model": model, "file": path})


def test_models_that_read_different_parts_of_the_data(tmp_path):
    student, teacher = (keras.Sequential([keras.Input((4,)), layers.Dense(3)]) for _ in range(2))
    distiller = keras.Model()
    distiller.student, distiller.student_inputs = student, "small"
    path = rewritten(export(student, tmp_path / "own.tflite").path, tmp_path / "m.tflite", ["x"], ["y"])
    subjects = [open_subject(*item) for item in (("t", teacher), ("s", distiller), ("f", path))]
    with pytest.raises(ValueError, match=r"'f' may be a file of any of \['t', 's'\], which .* in sources"):
        with_owners(subjects, {})
    *_, file = with_owners(subjects, {"f": "s"})
    (output,) = file.predict({"small": X[0], "large": X[1]}).values()
    np.testing.assert_allclose(output, student.predict(X[0], verbose=0), atol=1e-5)

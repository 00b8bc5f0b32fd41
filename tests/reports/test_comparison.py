import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.distillation.distiller import Distiller
from keras_kd.reports import NotMeasured, Report, compare, provenance
from tests.deployment.foreign import converted_functions
from tests.reports.conftest import CLASSES, FEATURES, dense


def gaps(report):
    return {gap.what: gap.why for gap in report.not_measured}


@pytest.fixture(scope="module")
def full(models, files, data):
    teacher, student = models
    said = []
    report = compare(
        data,
        baseline=teacher,
        models={"student distilled": student, **files},
        seeds={"student distilled": [0.9, 0.8, 1.0], "baseline": [0.5]},
        curves={"student distilled": {"accuracy": np.array([0.1, np.nan])}},
        facts=["It helped."],
        not_measured=[("energy", "no meter")],
        title="All of it",
        data_name="noise",
        command="make it",
        progress=said.append,
    )
    return report, said


def test_a_row_for_everything_the_baseline_first(full, files):
    report, _ = full
    assert report.baseline == "baseline"
    assert [row.name for row in report.rows] == ["baseline", "student distilled", *files]
    assert [row.kind for row in report.rows] == ["keras", "keras", *files]


def test_accuracy_and_agreement(full, models, data):
    report, _ = full
    x, y = data
    teacher, student = (model.predict(x, verbose=0).argmax(-1) for model in models)
    assert report["baseline"].accuracy == pytest.approx((teacher == y).mean())
    assert report["student distilled"].accuracy == pytest.approx((student == y).mean())
    assert report["student distilled"].agreement == pytest.approx((teacher == student).mean())
    assert report["student distilled"].accuracy_delta == pytest.approx(
        (student == y).mean() - (teacher == y).mean()
    )
    assert report["baseline"].agreement == 1.0
    assert 0.2 < report["student distilled"].agreement < 0.9


def test_files_answer_for_themselves(full, models, files, data):
    report, _ = full
    for name, path in files.items():
        verified = verify(models[1], path, data)
        assert report[name].accuracy == pytest.approx(verified.file_accuracy)
        assert report[name].max_error == pytest.approx(verified.max_error, rel=0.05, abs=1e-6)
        assert report[name].parameters == models[1].count_params()
        assert report[name].macs == kd.cost(models[1]).macs < report["baseline"].macs
        assert (report[name].source, report[name].path) == ("student distilled", str(path))
    assert report["float32"].max_error < report["float16"].max_error < report["int8"].max_error
    assert (report["baseline"].source, report["baseline"].path) == (None, None)


def test_sizes_and_times(full, files, models, tmp_path):
    report, _ = full
    for name, path in files.items():
        row = report[name]
        assert row.bytes == path.stat().st_size
        assert 0 < row.gzip_bytes < row.bytes
        assert row.compression == pytest.approx(report["baseline"].bytes / row.bytes)
        assert row.speedup == pytest.approx(report["baseline"].median_ms / row.median_ms)
        assert 0 < row.median_ms <= row.p90_ms
    assert report["int8"].bytes < report["float32"].bytes
    exported = export(models[0], tmp_path / "teacher.tflite")
    assert report["baseline"].bytes == exported.bytes
    assert report["baseline"].gzip_bytes == exported.gzip_bytes
    assert report["student distilled"].bytes == report["float32"].bytes


def test_spread_over_seeds(full):
    report, _ = full
    distilled, baseline = report["student distilled"], report["baseline"]
    assert (distilled.accuracy_mean, distilled.accuracy_std, distilled.seeds) == (
        pytest.approx(0.9),
        pytest.approx(0.1),
        3,
    )
    assert (baseline.accuracy_mean, baseline.accuracy_std, baseline.seeds) == (0.5, None, 1)
    assert "90.00 ± 10.00 % (3)" in str(report)


def test_what_the_caller_says_is_in_the_report(full):
    report, said = full
    meta = report.meta
    assert (meta.title, meta.data, meta.command, meta.samples) == ("All of it", "noise", "make it", 100)
    assert (meta.threads, bool(meta.cpu)) == (1, True)
    assert meta.versions["keras"] == keras.__version__
    assert meta.created.endswith(" UTC")
    assert report.curves == {"student distilled": {"accuracy": (0.1, None)}}
    assert report.facts == ("It helped.",)
    assert report.not_measured == (NotMeasured("energy", "no meter"),)
    assert [line.split()[0] for line in said] == ["predicted", "exporting", "exporting", "timing"]


def test_the_report_of_a_comparison_can_be_saved(full, tmp_path):
    report, _ = full
    for suffix in (".html", ".md", ".json"):
        report.save(tmp_path / f"report{suffix}")
    assert Report.load(tmp_path / "report.json") == report


def test_every_way_to_give_data(files, data):
    x, y = data
    file = files["float32"]
    one_hot = np.eye(CLASSES)[y]
    ways = [
        (x, y[:, None]),
        (x, one_hot),
        (x, y, np.zeros(100)),
        tf.data.Dataset.from_tensor_slices((x, y)).batch(7),
        (x, 0.9 * one_hot + 0.1 / CLASSES),
        tf.data.Dataset.from_tensor_slices((x, one_hot, np.zeros(100))).batch(64),
    ]
    expected = compare(data, a=file, batch_size=9)["a"].accuracy
    assert [compare(way, a=file)["a"].accuracy for way in ways] == [expected] * len(ways)


def test_a_data_set_shuffled_anew_each_time_is_read_once(files, data):
    shuffled = tf.data.Dataset.from_tensor_slices(data).shuffle(100).batch(10)
    report = compare(shuffled, baseline="a", a=files["float32"], b=files["float32"])
    assert report["b"].agreement == 1.0


@pytest.mark.slow
def test_script_of_the_readme(models, files, data, tmp_path):
    val = tf.data.Dataset.from_tensor_slices(data).batch(32)
    teacher, student = models
    report = compare(val, baseline=teacher, student=student, int8=str(files["int8"]))
    report.save(tmp_path / "report.html")
    assert [row.name for row in report.rows] == ["baseline", "student", "int8"]
    assert gaps(report) == {}
    assert report["int8"].source == "student"


def test_without_a_baseline(files, data):
    report = compare(data, a=files["float32"], sources={})
    row = report["a"]
    assert (row.agreement, row.accuracy_delta, row.compression, row.speedup) == (None,) * 4
    assert row.accuracy is not None
    assert gaps(report)["agreement, smaller and faster"] == "no baseline was given"


@pytest.mark.slow
def test_files_as_baseline_and_saved_models(models, files, data, tmp_path):
    models[1].save(tmp_path / "student.keras")
    report = compare(data, baseline=files["float32"], saved=tmp_path / "student.keras")
    assert report["float32"].kind == "float32"
    assert report["float32"].source == "saved"
    assert report["saved"].kind == "keras"
    assert report["saved"].agreement == 1.0


def test_a_damaged_keras_file(data, tmp_path):
    (tmp_path / "torn.keras").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match=r"'a': .*torn\.keras does not load: ") as raised:
        compare(data, a=tmp_path / "torn.keras")
    assert "\n" not in str(raised.value)


def test_a_distiller_stands_for_its_student(models, data):
    teacher, student = models
    report = compare(data, baseline="student", student=student, distilled=Distiller(student, teacher))
    assert report["distilled"].parameters == student.count_params()
    assert report["distilled"].agreement == 1.0


@pytest.mark.slow
def test_the_student_of_a_distiller_reads_its_own_part_of_the_data(models, files, data, tmp_path):
    teacher, student = models
    x, y = data
    wide = keras.Input((FEATURES,), name="wide")
    teacher = keras.Model(wide, teacher(wide))
    distiller = Distiller(student, teacher, student_inputs="image")
    path = export(distiller, tmp_path / "student.tflite").path
    both = {"wide": -x, "image": x}
    report = compare((both, y), baseline=teacher, student=distiller, file=path, sources={"file": "student"})
    alone = compare(data, student=student)["student"]
    assert report["student"].accuracy == report["file"].accuracy == alone.accuracy
    assert report["baseline"].accuracy == compare((-x, y), teacher=teacher)["teacher"].accuracy
    assert report["student"].bytes == pytest.approx(alone.bytes, abs=200)
    assert gaps(report) == {}
    with pytest.raises(ValueError, match=r"'file' cannot run .* 'wide'.*if the Distiller is exported"):
        compare((both, y), student=distiller, file=files["float32"])


def test_without_labels(models, files, data):
    report = compare((data[0],), baseline=models[0], b=files["float32"], sources={}, metric="accuracy")
    assert report["b"].accuracy is None
    assert 0 < report["b"].agreement < 1
    assert gaps(report)["accuracy of baseline, b"] == "the data has no labels"


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [
        (1, np.linspace(0, 1, 100)),
        (3, np.full((100, 3), -1.5)),
        (3, np.full(100, 0.5)),
        (3, 1000 + np.arange(100)),  # the numbers of people, for an embedding
    ],
)
def test_what_is_not_classification(data, scores, outputs, labels):
    report = compare((data[0], labels), a=scores[outputs], b=scores[outputs])
    assert report["a"].accuracy is None
    assert report["a"].bytes > 0
    assert "are not classes of outputs of shape" in gaps(report)["accuracy of a, b"]
    # verify says the same.
    checked = verify(dense(2, outputs), scores[outputs], (data[0], labels))
    assert f"no agreement and no accuracy: {gaps(report)['accuracy of a, b']}" in checked.notes


def test_without_scores_there_is_no_agreement(data, scores):
    report = compare(data, baseline=scores[1], a=scores[1])
    assert report["a"].agreement is None
    assert report.baseline == scores[1].stem
    assert f"accuracy and agreement of {report.baseline}, a" in gaps(report)


@pytest.mark.slow
def test_several_outputs(data, tmp_path):
    inputs = keras.Input((FEATURES,))
    heads = {"b": keras.layers.Dense(3)(inputs), "a": keras.layers.Dense(2, name="last")(inputs)}
    model = keras.Model(inputs, heads)
    export(model, tmp_path / "two.tflite")
    report = compare((data[0],), two=model, file=tmp_path / "two.tflite", sources={"file": "two"})
    assert report["two"].accuracy is None
    assert report["file"].max_error < 1e-5
    # Keras goes by the names of layers.
    x, y = data[0], data[0][:, :2]
    wanted = np.abs(model.predict(x, verbose=0)["a"] - y).mean()
    for labels, metric in (({"last": y}, {"a": "mae"}), (y, {"last": "mae"})):
        report = compare((x, labels), two=model, file=tmp_path / "two.tflite", metric=metric)
        assert report["two"].metric_value == pytest.approx(wanted, rel=1e-5)
        assert report["file"].metric_value == pytest.approx(wanted, rel=1e-4)


def test_another_metric_is_shown_by_its_name(data, scores, tmp_path):
    y = np.linspace(-1, 1, 100).astype("float32")
    report = compare((data[0], y), baseline=scores[1], metric="mean_absolute_error", file=scores[1])
    row = report["file"]
    predicted = LiteModel(scores[1]).predict(data[0])[:, 0]
    assert (row.metric, row.accuracy, row.agreement) == ("mean_absolute_error", None, None)
    assert row.metric_value == pytest.approx(np.abs(predicted - y).mean(), rel=1e-5)
    assert gaps(report).keys() == {"max error of 1, file"}
    assert str(report).splitlines()[0].split()[:3] == ["model", "kind", "mean_absolute_error"]
    for suffix in (".md", ".html", ".json"):
        text = report.save(tmp_path / f"report{suffix}").read_text(encoding="utf-8")
        assert "absolute" in text
        assert suffix == ".json" or f"{row.metric_value:.5g}" in text
    assert Report.load(tmp_path / "report.json") == report
    assert "mean_absolute_error" in provenance.methods(report)[0]


def test_a_compiled_model_says_what_it_answers(data, tmp_path):
    x, _ = data
    model = dense(8, 1)
    model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    labels = (x[:, 0] > 0).astype("float32")
    exported = export(model, tmp_path / "m.tflite", quantization="int8", calibration=x)
    report = compare((x, labels), baseline=model, file=exported.path)
    checked = verify(model, exported.path, (x, labels))
    right = (model.predict(x, verbose=0)[:, 0] > 0) == labels
    assert report["baseline"].accuracy == checked.keras_accuracy == pytest.approx(right.mean())
    assert report["file"].accuracy == checked.file_accuracy
    assert report["file"].agreement == checked.agreement > 0.9


def test_scores_a_step(data):
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    x = data[0].reshape(100, 5, 4)
    truth = model.predict(x, verbose=0).argmax(-1)
    truth[:, 0] = (truth[:, 0] + 1) % 3
    assert compare((x, truth), a=model)["a"].accuracy == pytest.approx(0.8)


def test_answers_that_are_nan_count_as_wrong(models, data):
    broken = dense(8)
    broken.layers[-1].bias.assign([np.nan] * CLASSES)
    report = compare(data, baseline=broken, good=models[0])
    assert report["baseline"].accuracy == 0.0
    assert report["baseline"].agreement == 0.0
    assert report["good"].agreement == 0.0
    assert report["baseline"].notes == ("100 of 100 predictions are NaN and count as wrong.",)
    assert "note: baseline: 100 of 100 predictions are NaN" in str(report)


def test_numbers_that_are_nan_are_called_that(data):
    broken = dense(2, 1)
    broken.layers[-1].bias.assign([np.nan])
    report = compare(data[0], broken=broken)
    assert report["broken"].notes == ("It gives NaN for 100 of 100 samples.",)
    assert "note: broken: It gives NaN for 100 of 100 samples." in str(report).splitlines()


@pytest.mark.slow
def test_a_file_that_keeps_values_is_called_that(tmp_path):
    path = converted_functions(tmp_path / "m.tflite", serving_default="added")
    (note,) = compare(np.ones((3, 4), "float32"), file=path)["file"].notes
    assert note.startswith("The file keeps values from one sample to the next")


def test_a_file_that_saturates_is_called_that_as_by_verify(models, files, data):
    far = 2 * np.sign(data[0])  # inside the calibrated range; the outputs are not
    rows = {"student": models[1], "int8": files["int8"], "float32": files["float32"]}
    sources = dict.fromkeys(("int8", "float32"), "student")
    report = compare(far, baseline="student", models=rows, sources=sources)
    said = [note for note in verify(models[1], files["int8"], far).notes if "cannot give" in note]
    assert len(said) == 2
    assert report["int8"].notes == tuple(said)
    assert report["student"].notes == report["float32"].notes == ()
    assert f"note: int8: {said[0]}" in str(report).splitlines()


def test_user_models_are_left_alone(data):
    model = dense(8)
    before = [weight.copy() for weight in model.get_weights()]
    compare(data, a=model)
    assert not model.compiled
    assert model.predict_function is None
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


BAD = {
    "nothing": ({}, ValueError, "nothing to compare"),
    "no model": ({"a": 3}, TypeError, "'a' must be a keras.Model or the path"),
    "no file": ({"a": "none.tflite"}, FileNotFoundError, r"none\.tflite"),
    "no keras file": ({"a": "none.keras"}, FileNotFoundError, r"none\.keras"),
    "other file": ({"a": "model.onnx"}, ValueError, r"a \.tflite file or a Keras model"),
    "blank name": ({"models": {" ": "student"}}, ValueError, "needs a readable name"),
    "baseline twice": (
        {"models": {"baseline": "student"}, "baseline": "teacher"},
        ValueError,
        "Two models are named",
    ),
    "near baseline": ({"baseline": "teachr", "teacher": "teacher"}, ValueError, "Did you mean 'teacher'"),
    "other shape": (
        {"baseline": "teacher", "a": "wide"},
        ValueError,
        r"'baseline' has \[\(4,\)\], 'a' has \[\(7,\)\]",
    ),
    "unbuilt": ({"a": "unbuilt"}, ValueError, "has not been built"),
    "percent": ({"a": "student", "seeds": {"a": [97.0]}}, ValueError, "accuracies from 0 to 1"),
    "facts": ({"a": "student", "facts": "It helped."}, TypeError, "list of sentences"),
    "curves": ({"a": "student", "curves": {"a": {"loss": ["high"]}}}, TypeError, "must be a number"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case, models, data):
    arguments, error, message = BAD[case]
    known = {"teacher": models[0], "student": models[1], "wide": dense(4, 7)}
    known["unbuilt"] = keras.Sequential([keras.layers.Dense(2)])

    def filled(value):
        return known.get(value, value) if isinstance(value, str) else value

    arguments = dict(arguments)
    if "models" in arguments:
        arguments["models"] = {name: filled(value) for name, value in arguments["models"].items()}
    arguments = {name: filled(value) for name, value in arguments.items()}
    said = []
    with pytest.raises(error, match=message) as raised:
        compare(data, progress=said.append, **arguments)
    assert "\n" not in str(raised.value)
    assert said == []


X = np.zeros((4, FEATURES), "float32")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ((X[:0], np.zeros(0)), "data is empty"),
        (tf.data.Dataset.from_tensor_slices((X, np.zeros(4))).batch(2).take(0), "data is empty"),
        (tf.data.Dataset.from_tensor_slices((X, np.zeros(4))).batch(2).repeat(), "goes on forever"),
        (tf.data.Dataset.from_tensor_slices((X, np.zeros(4))), r"holds single samples, .*: add \.batch"),
        (tf.data.Dataset.from_tensor_slices(np.zeros(4)), "'a' cannot run on this data"),
        ((X[:, :3], np.zeros(4)), "'a' cannot run on this data"),
        ((X + np.nan, np.zeros(4)), "NaN or infinity"),
        ((X, np.full(4, CLASSES)), "whole numbers from 0 to 3.*Received from 4 to 4"),
        ((X, np.array([0, 1, -1, 2])), "Received from -1 to 2"),
        ((X, np.full(4, 0.5)), "whole numbers.*Received from 0.5 to 0.5"),
        ((X, np.zeros((4, 2))), "do not fit outputs of shape"),
        ((X, np.zeros(3)), "same number of rows"),
    ],
)
def test_bad_data(bad, message, models):
    with pytest.raises(ValueError, match=message) as raised:
        compare(bad, a=models[0], metric="accuracy")
    assert "\n" not in str(raised.value)


def test_empty_batches_are_left_out(files, data):
    halves = tf.data.Dataset.from_tensor_slices(data).batch(50)
    empty = halves.map(lambda x, y: (x[:0], y[:0]))
    assert compare(empty.concatenate(halves), a=files["float32"]).meta.samples == 100


@pytest.mark.slow
def test_teacher_and_student_read_their_own_parts_of_the_data(data, tmp_path):
    x, y = data
    a, b = keras.Input((FEATURES,), name="a"), keras.Input((2,), name="b")
    teacher = keras.Model([a, b], keras.layers.Dense(CLASSES)(keras.layers.Concatenate()([a, b])))
    student = keras.Model(b, keras.layers.Dense(CLASSES)(b))
    both = {"a": x, "b": x[:, :2]}
    exported = export(student, tmp_path / "m.tflite", quantization="int8", calibration=both)
    named = {"student": student, "teacher": teacher, "file": exported.path}
    report = compare((both, y), baseline="teacher", models=named)
    for name, model, inputs in (("teacher", teacher, list(both.values())), ("student", student, both["b"])):
        right = model.predict(inputs, verbose=0).argmax(-1) == y
        assert report[name].accuracy == pytest.approx(right.mean())
    checked = verify(student, exported.path, (both, y))
    assert checked.keras_accuracy == report["student"].accuracy
    assert checked.file_accuracy == report["file"].accuracy


@pytest.mark.parametrize(
    "given", ["sparse_categorical_crossentropy", keras.metrics.SparseCategoricalCrossentropy]
)
def test_a_crossentropy_reads_each_model_as_what_it_ends_in(given, data, tmp_path):
    logits = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(CLASSES)])
    shares = keras.Sequential([logits, keras.layers.Softmax()])
    named = {"logits": logits, "shares": shares}
    named |= {f"{name}_file": export(m, tmp_path / f"{name}.tflite").path for name, m in named.items()}
    report = compare(data, models=named, metric=given)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    wanted = pytest.approx(float(loss(data[1], logits.predict(data[0], verbose=0))), rel=1e-4)
    assert [row.metric_value for row in report.rows] == [wanted] * 4
    assert [row.notes for row in report.rows] == [()] * 4
    checked = verify(logits, named["logits_file"], data, metric=given)
    assert (checked.keras_metric, checked.file_metric, checked.notes) == (wanted, wanted, ())
    relu = keras.Sequential([logits, keras.layers.Lambda(lambda x: x - x + 2.0)])
    (note,) = compare(data, relu=relu, metric=given)["relu"].notes
    assert note.startswith("sparse_categorical_crossentropy takes the outputs for probabilities, and")

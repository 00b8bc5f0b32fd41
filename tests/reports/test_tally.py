"""Counting what models answer: by hand, with subjects that are plain functions."""

from dataclasses import replace

import numpy as np
import pytest

from keras_kd.deployment.elements import Inputs
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.reports.subjects import Subject
from keras_kd.reports.tally import count

X = np.eye(3, dtype="float32")
SOURCE = {"file": "model"}


def subject(name, function=lambda x: x):
    return Subject(name, "keras", lambda x: {"y": function(x)})


def counted(subjects, data, baseline=None, sources=None):
    return count(subjects, data, baseline, sources or {}, lambda text: None)


def test_right_and_equal_answers_over_batches():
    subjects = [subject("one"), subject("other", lambda x: x[:, ::-1])]
    tallies, samples = counted(subjects, [(X, np.array([0, 1, 0])), (X[:1], np.array([0]))], baseline="one")
    assert samples == 4
    assert (tallies["one"].answers.accuracy, tallies["one"].answers.agreement) == (3 / 4, 1)
    assert (tallies["other"].answers.accuracy, tallies["other"].answers.agreement) == (2 / 4, 1 / 4)
    assert tallies["one"].why == tallies["other"].why == ""


def test_differences_from_the_source():
    subjects = [subject("model"), subject("file", lambda x: x + x / 4)]
    tallies, _ = counted(subjects, [(X, None), (2 * X, None)], sources={"file": "model"})
    assert tallies["file"].max_error == 0.5
    assert tallies["model"].max_error is None
    assert tallies["file"].why.startswith("the data has no labels")


def test_nan_answers_are_broken():
    subjects = [subject("one"), subject("broken", lambda x: x * np.nan)]
    tallies, _ = counted(subjects, [(X, np.arange(3))], baseline="broken", sources={"broken": "one"})
    broken = tallies["broken"].answers
    assert (broken.broken, broken.answers, broken.accuracy) == (3, 3, 0)
    assert broken.agreement == tallies["one"].answers.agreement == 0
    assert np.isnan(tallies["broken"].max_error)
    assert (tallies["broken"].unusable, tallies["one"].unusable) == ("NaN for 3 of 3 samples", "")
    infinite = [
        Subject("one", "keras", two_outputs),
        Subject("far", "keras", lambda x: {"a": x, "b": x - np.inf}),
    ]
    for sources, unusable in (({}, ""), ({"far": "one"}, "infinity for 3 of 3 samples")):
        assert counted(infinite, [(X, None)], sources=sources)[0]["far"].unusable == unusable


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "The data is empty"),
        ([(X[:0], None)], "The data is empty"),
        ([(np.full((3, 3), np.inf), None)], "holds NaN or infinity"),
    ],
)
def test_data_that_cannot_be_counted(data, message):
    with pytest.raises(ValueError, match=message):
        counted([subject("one")], data)


def test_models_that_do_not_fit_are_named():
    def fails(x):
        raise TypeError("wrong\nshape")

    with pytest.raises(ValueError, match="'bad' cannot run on this data: wrong"):
        counted([subject("bad", fails)], [(X, None)])
    with pytest.raises(
        ValueError, match=r"outputs of the same shape: 'one' has \[\(3,\)\], 'two' has \[\(2,\)\]"
    ):
        counted([subject("one"), subject("two", lambda x: x[:, :2])], [(X, None)])


def test_what_keeps_answers_from_being_counted():
    tallies, _ = counted([subject("regression", lambda x: x[:, :1])], [(X, np.arange(3))])
    assert "are not classes of outputs of shape (3, 1)" in tallies["regression"].why
    tallies, _ = counted([subject("one")], [(X, np.full(3, 0.5))])
    assert "from 0.5 to 0.5 are not classes" in tallies["one"].why
    assert tallies["one"].answers.accuracy is None


def test_outputs_are_paired_by_name_else_in_order():
    swapped = Subject("swapped", "keras", lambda x: {"b": x[:, ::-1], "a": x})
    renamed = Subject("renamed", "keras", lambda x: {"p": x, "q": x[:, ::-1]})
    subjects = [Subject("one", "keras", two_outputs), swapped, renamed]
    sources = {"swapped": "one", "renamed": "one"}
    tallies, _ = count(
        subjects, [(X, {"b": 2 - np.arange(3)})], "one", sources, lambda text: None, {"b": "accuracy"}
    )
    for name in sources:
        assert (tallies[name].max_error, tallies[name].answers.accuracy) == (0, 1)
        assert tallies[name].answers.agreement == 1


def two_outputs(x):
    return {"a": x, "b": x[:, ::-1]}


@pytest.mark.parametrize(
    ("metric", "value"),
    [({"b": "accuracy"}, 1 / 3), ({"a": "mean_absolute_error"}, 1.0), ({"a": "accuracy"}, 1 / 3)],
)
def test_one_of_several_outputs(metric, value):
    subjects = [Subject("one", "keras", two_outputs), Subject("other", "keras", two_outputs)]
    labels = {"a": np.array([0, 0, 0]), "b": np.array([1, 1, 1])}
    if "mean_absolute_error" in metric.values():
        labels = {"a": 1 - X, "b": X}
    tallies, _ = count(subjects, [(X, labels)], "one", {}, lambda text: None, metric)
    tally = tallies["other"]
    assert (tally.value if tally.metric else tally.answers.accuracy) == pytest.approx(value)
    assert tally.metric == (None if "accuracy" in metric.values() else "mean_absolute_error")


def test_several_outputs_need_a_name():
    subjects = [Subject("one", "keras", two_outputs)]
    tallies, _ = counted(subjects, [(X, None)])
    assert "several outputs: name one, as in metric={'NAME': 'accuracy'}, or use verify" in tallies["one"].why
    for metric in ("mae", {"a": "mae", "b": "mae"}):
        with pytest.raises(ValueError, match=r"name one, as in metric=\{'a': \.\.\.\}"):
            count(subjects, [(X, X)], None, {}, lambda text: None, metric)


def test_what_any_of_the_models_tells_of_the_output_counts_for_all():
    known = Subject("known", "keras", lambda x: {"y": x}, evidence=lambda: {"y": Evidence("softmax")})
    tallies, _ = counted([subject("file"), known], [(X, None)], baseline="known")
    assert tallies["file"].answers.agreement == 1.0
    assert tallies["file"].why == "the data has no labels"


def test_a_file_whose_calibrated_range_the_data_leaves():
    tensors = tuple(TensorDetails(name, (None, *X.shape[1:]), "float32") for name in ("x", "other"))
    inputs = Inputs(Interface(["x", "other"], "y", {"keras_tensor": "x", "keras_tensor_1": "other"}), tensors)
    file = Subject("file", "int8", lambda x: {"y": X}, ranges={"x": (0.0, 0.1)}, inputs=inputs)
    data = [
        [X, X],
        {"x": X, "other": X},
        {"keras_tensor": X, "keras_tensor_1": X},
        {"input_0": X, "other": X},
    ]
    for x in data:
        tallies, _ = counted([file], [(x, None)])
        (note,) = tallies["file"].notes
        assert "'x' was calibrated for 0 to 0.1, and the data reaches from 0 to 1: 33.3%" in note
    # Outputs that are cut off as well follow from it.
    saturated = replace(file, limits=lambda: {"y": (0.0, 0.5)})
    tallies, _ = counted([saturated, subject("model", lambda x: X)], [([X, X], None)], sources=SOURCE)
    assert tallies["file"].notes == [note]


@pytest.mark.parametrize("limits", [{"y": (0.0, 1.0)}, {"y": None}, {}])
def test_a_file_that_can_give_what_its_source_gives(limits):
    file = Subject("file", "int8", lambda x: {"y": x}, limits=lambda: limits)
    tallies, _ = counted([file, subject("model")], [(X, None)], sources=SOURCE)
    assert tallies["file"].notes == []


def test_a_file_that_cannot_give_what_its_source_gives():
    file = Subject("file", "int8", lambda x: {"y": x}, limits=lambda: {"y": (0.0, 0.5)})
    subjects, data = [file, subject("model")], [(X, None), (X[:2] * 2, None)]
    tallies, _ = counted(subjects, data, sources=SOURCE)
    (note,) = tallies["file"].notes
    assert note.startswith("the file cannot give more than 0.5, and Keras gives up to 2 (5 of 5 samples): ")
    assert tallies["model"].notes == counted(subjects, data)[0]["file"].notes == []


def test_a_saturated_output_has_the_name_that_its_source_gives_it():
    model = Subject("model", "keras", lambda x: {"a": x, "b": 3 * x})
    teacher = Subject("teacher", "keras", lambda x: {"p": x, "q": x})
    file = replace(model, name="file", limits=lambda: {"a": None, "b": (0.0, 2.0)})
    turned = Subject(
        "file", "int8", lambda x: {"b": 3 * x, "a": x}, limits=lambda: {"b": (0.0, 2.0), "a": None}
    )
    for subjects in ([model, file], [model, turned], [teacher, model, file]):
        (note,) = counted(subjects, [(X, None)], sources=SOURCE)[0]["file"].notes
        assert note.startswith(
            "b: the file cannot give more than 2, and Keras gives up to 3 (3 of 3 samples)"
        )


@pytest.mark.parametrize(("names", "outputs"), [(["a", "b"], 3), ("abcd", 3), (["no"], 1)])
def test_names_that_are_not_those_of_the_classes(names, outputs):
    batches = iter([(X, np.arange(3)), None])
    with pytest.raises(ValueError, match=f"each of the {max(2, outputs)} classes.* Received {len(names)}"):
        count([subject("one", lambda x: x[:, :outputs])], batches, None, {}, lambda text: None, None, names)
    assert list(batches) == [None]  # before the rest of the data is read

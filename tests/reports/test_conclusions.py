"""What a comparison concludes: intervals, figures by class, confusions, the file to ship and its programs."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.scoring.accuracy import Accuracy
from keras_kd.reports import Report, Row, compare
from keras_kd.reports.conclusions import conclude
from keras_kd.reports.tally import Tally
from tests.reports.conftest import CLASSES

NAMES = ["cat", "dog", "cow", "hen"]


@pytest.fixture(scope="module")
def concluded(models, data, files):
    teacher, student = models
    some = {name: files[name] for name in ("float16", "int8")}
    return compare(data, baseline="teacher", teacher=teacher, student=student, **some, class_names=NAMES)


def test_each_row_has_the_interval_of_its_accuracy(concluded):
    for row in concluded.rows:
        assert 0 <= row.accuracy_low < row.accuracy < row.accuracy_high <= 1


def test_classes_add_up_to_the_accuracy(concluded, data):
    assert [figures.label for figures in concluded.classes] == NAMES
    assert [figures.samples for figures in concluded.classes] == np.bincount(data[1]).tolist()
    for row in concluded.rows:
        right = sum(figures.samples * figures.accuracies[row.name] for figures in concluded.classes)
        assert right == pytest.approx(100 * row.accuracy)


def test_confusions_are_those_of_numpy(concluded, models, data):
    teacher = [pair for pair in concluded.confusions if pair.name == "teacher"]
    answers = models[0].predict(data[0], verbose=0).argmax(1)
    for pair in teacher:
        wrong = (data[1] == NAMES.index(pair.label)) & (answers == NAMES.index(pair.answer))
        assert pair.samples == wrong.sum() > 0
        assert pair.label != pair.answer
    counts = [pair.samples for pair in teacher]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == 10 < CLASSES * (CLASSES - 1)
    assert {pair.name for pair in concluded.confusions} == {row.name for row in concluded.rows}


def test_a_file_is_chosen_with_its_programs(concluded):
    assert concluded.choice.name in ("float16", "int8")
    assert f"Interpreter('{concluded.choice.name}.tflite')" in concluded.snippets["Python"]
    assert f'"{concluded.choice.name}.tflite"' in concluded.snippets["Kotlin"]


def test_a_regression_has_none_of_it():
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    report = compare((rng.normal(size=(20, 3)), rng.normal(size=(20, 1))), model=model, metric="mae")
    assert (report.choice, report.classes, report.confusions, report.snippets) == (None, (), (), {})
    assert report["model"].accuracy_low is None


def answers(found, truth=(0, 1, 2, 2)):
    accuracy = Accuracy.of_classes(3)
    accuracy.add(np.array(found), np.array(truth))
    return accuracy


@pytest.mark.parametrize(
    "tally",
    [
        Tally(answers([0, 1, 2, -1])),
        Tally(answers([0, 1, 2, 2]), unusable="infinity for 1 of 4 samples"),
        Tally(answers([0, 1, 2, 2], [-1, -1, -1, -1])),
    ],
)
def test_an_unusable_file_is_never_chosen(tally):
    report = Report([Row("broken", "int8", bytes=10, path="none.tflite")])
    assert conclude(report, {"broken": tally}).choice is None


def test_classes_without_names_have_numbers_and_those_without_samples_no_figure():
    tallies = {"one": Tally(answers([0, 1, 1, 2], [0, 0, 0, 1]))}
    report = conclude(Report([Row("one", "keras")]), tallies)
    assert [(figures.label, figures.samples) for figures in report.classes] == [("0", 3), ("1", 1), ("2", 0)]
    assert [figures.accuracies for figures in report.classes] == [{"one": 1 / 3}, {"one": 0.0}, {}]
    assert [(p.label, p.answer, p.samples) for p in report.confusions] == [("0", "1", 2), ("1", "2", 1)]

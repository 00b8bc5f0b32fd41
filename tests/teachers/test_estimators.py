"""Estimators of scikit-learn."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from keras_kd.teachers.estimators import estimator_teacher, is_estimator
from tests.oracles.row import softmax

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(5, random_state=0), GradientBoostingClassifier(n_estimators=3, random_state=0)],
    ids=["forest", "boosting"],
)
def test_probabilities(estimator):
    estimator.fit(X, Y)
    teacher, outputs = estimator_teacher(estimator, "trees", None)
    assert (outputs, tuple(teacher.inputs.shape)) == ("probabilities", (None, 4))
    for x in (X, X.reshape(-1, 2, 2, 1)):
        np.testing.assert_allclose(teacher.answer(x)["output"], estimator.predict_proba(X), atol=1e-6)
    log = teacher.__class__(teacher.name, teacher.run, outputs=outputs).answer(X)["output"]
    assert np.isfinite(log).all()
    np.testing.assert_allclose(softmax(log.astype("float64")), estimator.predict_proba(X), atol=1e-5)


def test_numbers():
    forest = RandomForestRegressor(3, random_state=0).fit(X, Y)
    teacher, outputs = estimator_teacher(forest, "trees", None)
    assert outputs == "values"
    np.testing.assert_allclose(teacher.answer(X)["output"], forest.predict(X)[:, None], rtol=1e-6)
    several = RandomForestClassifier(3, random_state=0).fit(X, np.stack([Y, 2 - Y], 1))
    found = estimator_teacher(several, "trees", None)[0].answer({"a": X[:, :1], "b": X[:, 1:]})
    assert {tap: array.shape for tap, array in found.items()} == {"output/0": (60, 3), "output/1": (60, 3)}


@pytest.mark.parametrize(
    ("estimator", "outputs", "message"),
    [
        (LinearSVC(), None, "'it' has no predict_proba.*estimator.decision_function with outputs='logits'"),
        (KMeans(2, n_init=1), None, "has no predict_proba"),
        (DecisionTreeClassifier(), "logits", "answers with probabilities. Leave out `outputs`"),
    ],
)
def test_numbers_of_classes_are_no_answers(estimator, outputs, message):
    estimator.fit(X, Y)
    with pytest.raises(ValueError, match=message):
        estimator_teacher(estimator, "it", outputs)
    assert estimator_teacher(estimator, "it", "values")[1] == "values"


def test_what_an_estimator_is():
    assert is_estimator(LinearSVC())
    assert not is_estimator(lambda x: x)
    assert not is_estimator(LinearSVC)

"""The digest of an estimator: of what it answers, wherever it was stored, and of nothing else."""

import pickle
import threading

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from keras_kd.teachers.object_digest import object_digest

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3

ESTIMATORS = {
    "forest": lambda: RandomForestClassifier(3, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=2, random_state=np.random.RandomState(0)),
    "neighbors": KNeighborsClassifier,
    "pipeline": lambda: make_pipeline(FunctionTransformer(np.tanh), StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_an_estimator(make):
    fitted = make().fit(X, Y)
    digest = object_digest(fitted)
    fitted.predict(X)
    assert object_digest(fitted) == digest
    loaded = pickle.loads(pickle.dumps(fitted))  # as joblib.load does
    assert object_digest(loaded) == digest
    if "n_jobs" in loaded.get_params():
        assert object_digest(loaded.set_params(n_jobs=2)) == digest
    assert object_digest(make().fit(np.roll(X, 1, axis=1), Y)) != digest


def test_bytes_between_the_fields_of_a_record_are_not_read():
    kind = np.dtype([("a", "u1"), ("b", "f8")], align=True)
    one, two = (np.frombuffer(bytes([fill]) * 2 * kind.itemsize, kind).copy() for fill in (0, 7))
    for name in kind.names:
        one[name] = two[name] = 1
    assert one.tobytes() != two.tobytes()
    assert object_digest(one) == object_digest(two)


def test_values_types_and_order():
    itself = [1]
    itself.append(itself)
    values = [1, True, 1.0, "1", b"1", None, [1], (1,), {1}, {1: 2}, {2: 1}, np.ones(1), np.ones((1, 1))]
    values += [np.ones(1, "float32"), np.array([None, 1]), np.float32(1), np.sin, len, str, itself]
    assert len({object_digest(value) for value in values}) == len(values)
    assert object_digest({"b", "a", "c"}) == object_digest({"c", "b", "a"})
    with pytest.raises(TypeError, match="lock"):
        object_digest({"lock": threading.Lock()})

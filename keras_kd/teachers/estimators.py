"""Estimators in the way of scikit-learn, as functions of NumPy arrays."""

import functools
from typing import Any

import keras
import numpy as np

from keras_kd.parts import parts
from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.object_digest import object_digest
from keras_kd.teachers.outputs import Kinds
from keras_kd.tensors import Tensors


def is_estimator(source: object) -> bool:
    """Whether something predicts as an estimator of scikit-learn does, such as one of its forests."""
    if isinstance(source, type):
        return False
    return hasattr(source, "fit") and (hasattr(source, "predict_proba") or hasattr(source, "predict"))


def estimator_teacher(source: Any, name: str, outputs: Kinds) -> tuple[HostFunction, Kinds]:
    """An estimator as a function, and what it answers with.

    Its `predict_proba` is asked, or its `predict` where it has none or numbers are wanted. Inputs of more
    axes are flattened.

    Raises:
        ValueError: It predicts numbers of classes or clusters; `outputs` says that probabilities are logits.
    """
    has_classes = hasattr(source, "predict_proba") and outputs != "values"
    if has_classes and outputs == "logits":
        raise ValueError(
            f"{name!r} has predict_proba, which answers with probabilities. Leave out `outputs`."
        )
    if not has_classes and outputs != "values" and _predicts_names(source):
        raise ValueError(
            f"{name!r} has no predict_proba, and its `predict` answers with the number of a class. Calibrate "
            "it (sklearn.calibration.CalibratedClassifierCV), or pass a function of its scores: "
            "estimator.decision_function with outputs='logits'."
        )
    predict = source.predict_proba if has_classes else source.predict

    def run(x: Tensors) -> Any:
        arrays = [np.asarray(part).reshape(len(part), -1) for part in parts(x).values()]
        found = predict(arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1))
        return keras.tree.map_structure(_as_columns, found)

    features = getattr(source, "n_features_in_", None)
    inputs = (
        None if features is None else keras.KerasTensor((None, int(features)), "float32", name="features")
    )
    digest = functools.partial(_fingerprint, source)
    made = HostFunction(name, run, inputs, fingerprint=digest)
    return made, outputs or ("probabilities" if has_classes else "values")


def _predicts_names(source: Any) -> bool:
    """Whether what an estimator predicts are names or numbers of classes or clusters, not quantities."""
    from sklearn.base import ClassifierMixin, ClusterMixin, OutlierMixin

    tags = getattr(source, "__sklearn_tags__", None)
    kind = tags().estimator_type if tags else None
    return (
        hasattr(source, "classes_")
        or kind in ("classifier", "clusterer", "outlier_detector")
        or isinstance(source, (ClassifierMixin, ClusterMixin, OutlierMixin))
    )


def _fingerprint(source: object) -> str | None:
    """The digest of an estimator; `None` for one that holds what cannot be stored."""
    try:
        return object_digest(source)
    except Exception:  # of whatever the estimator holds
        return None


def _as_columns(array: np.ndarray) -> np.ndarray:
    return array[:, None] if array.ndim == 1 else array

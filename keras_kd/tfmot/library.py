"""tensorflow-model-optimization, imported without side effects on the process."""

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import tensorflow as tf

from keras_kd.legacy import KerasLayer

_VARIABLE = "TF_USE_LEGACY_KERAS"
_LOCK = threading.RLock()  # otherwise one thread would restore what another has set


def import_tfmot() -> ModuleType:
    """Import `tensorflow_model_optimization` without changing the process.

    By itself, that import sets `TF_USE_LEGACY_KERAS=1` for the process and its children, and makes `tf.keras`
    tf_keras from then on. Here, the variable and what `tf.keras` resolves to, even later, are restored. If it
    was imported before, nothing is changed.

    Returns:
        The module, usually called `tfmot`.

    Raises:
        ImportError: tensorflow-model-optimization or tf_keras is not installed.

    Examples:
        >>> import os
        >>> import keras_kd as kd
        >>> before = os.environ.get("TF_USE_LEGACY_KERAS")
        >>> tfmot = kd.tfmot.import_tfmot()
        >>> schedule = tfmot.sparsity.keras.ConstantSparsity(0.5, begin_step=0)
        >>> os.environ.get("TF_USE_LEGACY_KERAS") == before
        True
    """
    name = "tensorflow_model_optimization"
    with _LOCK:  # for the look-up too: a module that is still being imported is already there
        if name not in sys.modules:
            with warnings.catch_warnings(action="ignore"), _restored_variable(), _tf_keras_as_keras():
                # It imports distutils, which warns.
                import tensorflow_model_optimization as tensorflow_model_optimization
    return sys.modules[name]


@contextlib.contextmanager
def global_policy_of(layer: KerasLayer) -> Iterator[None]:
    """A context in which the global dtype policy is that of a layer: tfmot creates its wrappers with it."""
    from tf_keras import mixed_precision

    before = mixed_precision.global_policy()
    mixed_precision.set_global_policy(layer.dtype_policy)
    try:
        yield
    finally:
        mixed_precision.set_global_policy(before)


@contextlib.contextmanager
def _restored_variable() -> Iterator[None]:
    before = os.environ.get(_VARIABLE)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


@contextlib.contextmanager
def _tf_keras_as_keras() -> Iterator[None]:
    """A context in which `tf.keras` is tf_keras: tfmot looks there for the layers and cells it supports.

    TensorFlow's lazy loaders are restored unchanged, so that one that has not loaded yet still can.
    """
    import tf_keras
    from tf_keras.api._v1 import keras as first
    from tf_keras.api._v2 import keras as second

    modules: list[tuple[Any, Any]] = [(tf, tf_keras), (tf.compat.v1, first), (tf.compat.v2, second)]
    before = [vars(module)["keras"] for module, _ in modules]
    try:
        for module, keras in modules:
            module.keras = keras
        yield
    finally:
        for (module, _), loader in zip(modules, before, strict=True):
            module.keras = loader

import os
import warnings

import pytest
import tensorflow as tf


@pytest.fixture(scope="session")
def tfmot():
    """The library tensorflow-model-optimization, whose import leaves nothing behind."""
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    assert tf.keras.__version__.startswith("3.")  # from here on; else the import would make it tf_keras
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of distutils
        import tensorflow_model_optimization as library
    if before is None:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
    else:
        os.environ["TF_USE_LEGACY_KERAS"] = before
    return library

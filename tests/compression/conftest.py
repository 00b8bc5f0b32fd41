import pytest


@pytest.fixture(scope="session")
def tfmot():
    """The library tensorflow-model-optimization, whose import leaves nothing behind."""
    from keras_kd.tfmot.library import import_tfmot

    return import_tfmot()

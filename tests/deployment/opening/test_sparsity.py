"""Positions of sparse constants: those that export writes fit, and each that does not is found."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.opening.validation import find_fault
from keras_kd.deployment.tflite import export
from tests.deployment.damage import changed


@pytest.fixture(scope="module", params=[(1, 1), (1, 4)], ids=["single", "blocks"])
def content(request, tmp_path_factory):
    """A file with one sparse kernel, whose zeros are single or in blocks of (outputs, inputs)."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(32), keras.layers.Dense(2)])
    kernel = model.layers[0].kernel
    blocks = np.random.default_rng(0).random(np.array([32, 32]) // request.param) < 0.2
    model.layers[0].kernel.assign(kernel.numpy() * np.kron(blocks, np.ones(request.param)).T)
    path = tmp_path_factory.mktemp("sparse") / "m.tflite"
    return export(model, path, sparse=True).path.read_bytes()


def sparse_tensor(model):
    return next(tensor for tensor in model.subgraphs[0].tensors if tensor.sparsity is not None)


def indices(model):
    return next(level for level in sparse_tensor(model).sparsity.dimMetadata if level.format == 1)


def put(table, name, index, value):
    values = np.array(getattr(table, name))
    values[index] = value
    setattr(table, name, values)


def test_what_export_writes_fits(content):
    assert find_fault(content) is None


DAMAGES = {
    "an index beyond the axis": lambda m: put(indices(m).arrayIndices, "values", 0, 200),
    "segments that go back": lambda m: put(indices(m).arraySegments, "values", 1, 250),
    "segments that start later": lambda m: put(indices(m).arraySegments, "values", 0, 1),
    "segments that end early": lambda m: put(indices(m).arraySegments, "values", -1, 0),
    "no segments": lambda m: setattr(indices(m).arraySegments, "values", None),
    "no indices": lambda m: vars(indices(m)).update(arrayIndicesType=0, arrayIndices=None),
    "an axis twice": lambda m: put(sparse_tensor(m).sparsity, "traversalOrder", 0, 1),
    "an axis too few": lambda m: sparse_tensor(m).sparsity.dimMetadata.pop(),
    "more places": lambda m: setattr(sparse_tensor(m).sparsity.dimMetadata[0], "denseSize", 4000),
    "another shape": lambda m: put(sparse_tensor(m), "shape", 0, 31),
    "blocks of no axis": lambda m: setattr(sparse_tensor(m).sparsity, "blockMap", [9]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_does_not_fit_is_found(damage, content):
    assert "is sparse, with" in find_fault(changed(content, DAMAGES[damage]))


def test_fewer_values_than_positions(content):
    def change(model):
        buffer = model.buffers[sparse_tensor(model).buffer]
        buffer.data = buffer.data[:-4]

    assert "bytes, and its shape (32, 32) needs" in find_fault(changed(content, change))

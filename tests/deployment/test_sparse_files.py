"""Files whose weights are stored without their zeros."""

import functools

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.deployment.opening.flatbuffer import Contents
from tests.deployment import small

layers = keras.layers


def emptied(model, fraction, block=1):
    """Zeros in every kernel, those of smallest magnitude, in blocks along the inputs."""
    for layer in model.layers:
        if getattr(layer, "kernel", None) is not None:
            kernel = layer.kernel.numpy()
            blocks = np.abs(kernel).reshape(-1, block, kernel.shape[-1]).sum(1)
            smallest = np.argsort(blocks, axis=None)[: round(fraction * blocks.size)]
            kept = np.ones(blocks.size, "float32")
            kept[smallest] = 0
            mask = np.repeat(kept.reshape(-1, 1, kernel.shape[-1]), block, 1)
            layer.kernel.assign(kernel * mask.reshape(kernel.shape))
    return model


def every_kind():
    image = keras.Input((8, 8, 4), name="image")
    x = layers.Conv2D(24, 3, padding="same", name="square")(image)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Conv2D(24, 1, activation="relu", name="pointwise")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(8, name="head")(x), name="every_kind")


def dense_layers():
    stack = [layers.Dense(64, activation="relu", name="first"), layers.Dense(8, name="last")]
    return keras.Sequential([keras.Input((64,)), *stack], name="dense_layers")


@pytest.fixture(scope="module")
def every_kind_files(tmp_path_factory):
    """A model with every kind of kernel, 80 % of zeros, and `file(quantization, sparse)`."""
    folder = tmp_path_factory.mktemp("every_kind")
    keras.utils.set_random_seed(0)
    model = emptied(every_kind(), 0.8)

    @functools.cache
    def file(quantization, sparse):
        path = folder / f"{quantization}-{sparse}.tflite"
        return kd.export(model, path, quantization=quantization, sparse=sparse)

    return model, file


@pytest.mark.parametrize(
    ("kind", "tolerance"), [(None, 1e-5), pytest.param("float16", 5e-3, marks=pytest.mark.slow)], ids=str
)
def test_every_kind_of_kernel_is_stored_sparse(kind, tolerance, every_kind_files):
    model, file = every_kind_files
    x = small.data(model)
    plain, sparse = file(kind, False), file(kind, True)
    contents = Contents.read(sparse.path)
    assert len(contents.sparse_weights) == contents.operators["DENSIFY"] == 4
    assert contents.dense_weights == ()
    shapes = ["(1, 3, 3, 24)", "(24, 1, 1, 24)", "(24, 3, 3, 4)", "(8, 24)"]
    assert sorted(name[name.index("(") :] for name in contents.sparse_weights) == shapes
    assert len(sparse.notes) == 1
    assert sparse.notes[0].startswith("4 weights stored sparse: ")
    assert sparse.bytes < plain.bytes
    assert kd.verify(model, sparse.path, x).max_error < tolerance * np.abs(model(x)).max()
    np.testing.assert_allclose(
        kd.LiteModel(sparse.path).predict(x), kd.LiteModel(plain.path).predict(x), atol=1e-6
    )
    assert kd.benchmark(sparse.path, runs=5).runs == 5


@pytest.mark.parametrize(
    ("first", "last", "stored"),
    [
        (0.35, 0.25, 1),
        pytest.param(0.25, 0.25, 0, marks=pytest.mark.slow),
        pytest.param(0.9, 0, 1, marks=pytest.mark.slow),
    ],
)
def test_from_30_percent_of_zeros_on(first, last, stored, tmp_path):
    model = dense_layers()
    for layer, fraction in zip(model.layers, (first, last), strict=True):
        emptied(keras.Sequential([layer]), fraction)
    exported = kd.export(model, tmp_path / "m.tflite", sparse=True)
    contents = Contents.read(exported.path)
    assert len(contents.sparse_weights) == stored
    assert len(contents.dense_weights) == 2 - stored
    if stored:
        assert exported.notes[0].startswith("1 weights stored sparse: ")
        assert exported.notes[0].endswith("(64, 64)")
        assert exported.notes[1].startswith("1 stored dense: ")
    else:
        assert exported.notes == (
            "nothing is sparse enough: no weight is zero in 30 % of its values, so none is stored sparse",
        )
        assert "note          nothing is sparse enough" in str(exported)


def test_zeros_for_which_the_converter_has_no_sparse_form_are_named(tmp_path):
    volume = keras.Input((6, 6, 6, 4))
    model = emptied(keras.Model(volume, layers.Conv3D(8, 3, name="volume")(volume)), 0.8)
    exported = kd.export(model, tmp_path / "m.tflite", sparse=True)
    assert Contents.read(exported.path).sparse_weights == ()
    (note,) = exported.notes
    assert note.startswith("none is stored sparse: the converter has no sparse form for these")
    assert note.endswith("(3, 3, 3, 4, 8)")


def test_dense_kernels_empty_in_blocks_of_four_inputs_run_sparse(tmp_path):
    model = emptied(dense_layers(), 0.75, block=4)
    exported = kd.export(model, tmp_path / "m.tflite", sparse=True)
    assert exported.operators == {"FULLY_CONNECTED": 2}  # nothing turns them dense first
    x = small.data(model)
    np.testing.assert_allclose(kd.LiteModel(exported.path).predict(x), model(x), atol=1e-5)
    scattered = kd.export(emptied(dense_layers(), 0.75), tmp_path / "scattered.tflite", sparse=True)
    assert scattered.operators["DENSIFY"] == 2


@pytest.mark.slow
def test_three_dimensional_kernels_stay_dense(tmp_path):
    stack = [layers.Conv3D(8, 3), layers.Flatten(), layers.Dense(4)]
    model = emptied(keras.Sequential([keras.Input((4, 4, 4, 2)), *stack]), 0.9)
    exported = kd.export(model, tmp_path / "m.tflite", sparse=True)
    assert exported.notes[0].startswith("1 weights stored sparse")
    assert exported.notes[1].startswith("1 stored dense")


def transposed():
    return keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2DTranspose(16, 2, strides=2)])


@pytest.mark.slow
@pytest.mark.parametrize(("build", "block", "batch"), [(transposed, 1, None), (dense_layers, 4, 1)])
def test_float16_that_comes_out_wrong_is_refused(build, block, batch, tmp_path):
    # LiteRT computes with weights that it has not unpacked; what they hold then may be anything.
    model = emptied(build(), 0.8, block)
    with pytest.raises(ValueError, match=r"float16 file of .* is wrong: .* Try sparse=False\."):
        kd.export(model, tmp_path / "m.tflite", quantization="float16", sparse=True, batch_size=batch)
    assert list(tmp_path.iterdir()) == []
    assert kd.export(model, tmp_path / "m.tflite", sparse=True).max_error < 1e-5


@pytest.mark.slow
def test_sparse_files_are_compared_like_others(every_kind_files):
    model, file = every_kind_files
    paths = {"plain": file(None, True).path, "half": file("float16", True).path}
    x = small.data(model)
    report = kd.compare((x, np.zeros(len(x), int)), baseline=model, models=paths)
    assert (report["plain"].kind, report["half"].kind) == ("float32", "float16")
    for name, path in paths.items():
        assert report[name].bytes == path.stat().st_size
        assert report[name].agreement == 1.0

"""Models in `.keras` files: loaded safely, and one clear error where that fails."""

import json
import zipfile

import keras
import numpy as np
import pytest

from keras_kd.model_files import load_model


@pytest.fixture
def saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", loss="mse")
    model.train_on_batch(np.zeros((1, 2)), np.zeros((1, 3)))
    model.save(tmp_path / "model.keras")
    return model, tmp_path / "model.keras"


def test_a_model_comes_back_compiled_or_not(saved):
    model, path = saved
    for compile in (True, False):
        loaded = load_model(str(path), compile=compile)
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
        assert loaded.compiled is compile


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_the_formats_of_keras(saved, suffix, tmp_path):
    model, path = saved[0], tmp_path / f"old{suffix}"
    model.compile("sgd", loss=keras.losses.MeanSquaredError())
    model.save(path)
    loaded = load_model(path)
    assert loaded.compiled
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    content = path.read_bytes()
    for damaged in (b"not a model", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"old\{suffix} does not load: "):
            load_model(path)


def test_nothing_is_said_of_an_optimizer_that_has_not_stepped(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        keras.models.load_model(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").compiled


def test_what_keras_cannot_compile_again_loads_all_the_same(saved, tmp_path):
    """Keras 3.15 does not find the loss "mse" of an HDF5 file."""
    saved[0].save(tmp_path / "old.h5")
    with pytest.warns(UserWarning, match=r"old\.h5 loads without the loss, metrics and optimizer .*mse"):
        loaded = load_model(tmp_path / "old.h5")
    np.testing.assert_array_equal(loaded.get_weights()[0], saved[0].get_weights()[0])


def test_an_unpacked_file(saved, tmp_path):
    with zipfile.ZipFile(saved[1]) as archive:
        archive.extractall(tmp_path / "unpacked")
    np.testing.assert_array_equal(
        load_model(tmp_path / "unpacked").get_weights()[0], saved[0].get_weights()[0]
    )


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_is_not_run(suffix, tmp_path):
    path = tmp_path / f"code{suffix}"
    named = (
        keras.layers.Lambda(keras.ops.relu, name="known"),
        keras.layers.Lambda(lambda x: x + 1, name="plus"),
    )
    inner = keras.Sequential([keras.Input((2,)), *named])
    keras.Sequential([keras.Input((2,)), inner, keras.layers.Dense(2)]).save(path)
    with pytest.raises(
        ValueError, match=rf"code\{suffix} does not load: its Lambda 'plus' holds code"
    ) as caught:
        load_model(path)
    assert "safe_mode" not in str(caught.value)


class Zoom(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_layer_that_is_not_known_is_named(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"own{suffix}"
    keras.Sequential([keras.Input((2,)), Zoom()]).save(path)
    monkeypatch.delitem(globals(), "Zoom")
    with pytest.raises(
        ValueError, match=r"'Zoom' is not one of Keras\. Register it .*, and import the module first"
    ):
        load_model(path)


def test_errors_are_one_line_and_name_the_file(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.keras"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "folder.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Expected a \.keras file; .*folder\.keras' is a folder"):
        load_model(tmp_path / "folder.keras")
    with pytest.raises(ValueError, match=r"Expected a Keras model .* Received: .*model\.pt.*model\.save"):
        load_model(tmp_path / "model.pt")
    path = saved[1]
    for content in (b"not a model", path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.keras does not load: ") as caught:
            load_model(path)
        assert "\n" not in str(caught.value)


def rewritten(path, change=lambda config: config, drop=""):
    """The same archive with another configuration, or with a file less."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != drop}
    if "config.json" in files:
        files["config.json"] = json.dumps(change(json.loads(files["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_an_archive_that_holds_no_model(saved):
    with pytest.raises(ValueError, match=r"does not load: .*config\.json"):
        load_model(rewritten(saved[1], drop="config.json"))


def test_a_layer_is_no_model(saved):
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}, "registered_name": None}
    with pytest.raises(ValueError, match="does not load: it holds a Dense, which is not a model"):
        load_model(rewritten(saved[1], lambda _: dense))


def test_a_file_that_is_there_is_not_said_to_be_missing(saved):
    saved[1].write_bytes(b"")
    with pytest.raises(ValueError, match=r"it is not a \.keras file, or an incomplete one"):
        load_model(saved[1])


def test_a_file_damaged_inside_does_not_load(saved):
    path = saved[1]
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("model.weights.h5").header_offset + 200
    content = bytearray(path.read_bytes())
    content[at : at + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="does not load"):
        load_model(path)


def test_a_changed_weight_is_noticed(saved):
    """Keras reads parts of the archive, and HDF5 has no checksums."""
    model, path = saved
    value = model.get_weights()[0].tobytes()[:8]
    content = path.read_bytes()
    place = content.index(value)
    path.write_bytes(content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :])
    with pytest.raises(
        ValueError, match=r"model\.keras does not load, it is damaged: 'model.weights.h5' in it"
    ):
        load_model(path)

"""What earlier versions have saved goes on to load: see `tests/saved_files.py`."""

import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from tests import saved_files
from tests.saved_files import FOLDER, INSIDE, STATE

FILES = sorted(path.stem for path in FOLDER.glob("*.keras"))
ANSWERS = json.loads((FOLDER / "answers.json").read_text())


def test_every_registered_class_has_a_file():
    names = {name.removeprefix("keras_kd>") for name in saved_files.registered()}
    without = names - set(FILES) - INSIDE.keys() - saved_files.BASES
    assert not without, f"`python -m tests.saved_files` writes the files for {without}: commit them."


def plain(config):
    """A configuration without what belongs to where the code stands and to what was built."""
    if isinstance(config, dict):
        left_out = "module", "build_config", "shared_object_id"
        return {key: plain(value) for key, value in config.items() if key not in left_out}
    return [plain(value) for value in config] if isinstance(config, list) else config


def ours(config):
    """The parts of a configuration that are of classes of the package: `{registered name: configuration}`."""
    found = {}
    if isinstance(config, dict):
        if str(config.get("registered_name", "")).startswith("keras_kd>"):
            found[config["registered_name"]] = config["config"]
        config = list(config.values())
    for value in config if isinstance(config, list) else []:
        found |= ours(value)
    return found


@pytest.mark.parametrize("name", FILES)
def test_loads(name):
    path = FOLDER / f"{name}.keras"
    model = keras.models.load_model(path, safe_mode=True)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json").decode()
    saved = ours(plain(json.loads(text)))
    now = ours(plain(json.loads(json.dumps(keras.saving.serialize_keras_object(model)))))
    assert name in text
    assert all(inner in text for inner, outer in INSIDE.items() if outer == name)
    assert all(now[key][part] == value for key, config in saved.items() for part, value in config.items())
    for answer, kept in zip(saved_files.answers(model), ANSWERS[name], strict=True):
        np.testing.assert_allclose(answer, kept, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The student .* takes probabilities")  # as the stored training was made
def test_an_interrupted_training_goes_on(tmp_path):
    path = shutil.copy(STATE, tmp_path / "state.npz")
    distiller, fit = saved_files.resumable(path=path)
    resumed = distiller.fit(**fit)
    uninterrupted, fit = saved_files.resumable(path=tmp_path / "other.npz")
    history = uninterrupted.fit(**fit)
    assert len(resumed.epoch) == len(history.epoch) > 2
    for a, b in zip(distiller.get_weights(), uninterrupted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)

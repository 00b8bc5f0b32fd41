"""Damaged `.keras` files, `.npz` data and checkpoints of `kd.FullState`: refused, or as if undamaged."""

from attacks.damage import damaged
from attacks.processes import Caller
from attacks.tally import Tally

MODELS = """
import keras, numpy as np
from keras_kd.model_files import load_model

expected = [value.copy() for value in load_model("{path}").get_weights()]

def attack(path):
    model = load_model(path)
    found = model.get_weights()
    assert len(found) == len(expected), "other weights"
    assert all(np.array_equal(a, b) for a, b in zip(found, expected)), "changed weights"
    assert model.optimizer.get_config()["learning_rate"] == 0.125, "another learning rate"
"""
DATA = """
import numpy as np
import keras_kd as kd

expected = kd.datasets.load("{path}").arrays

def attack(path):
    found = kd.datasets.load(path).arrays
    for name, split in expected.items():
        assert np.array_equal(found[name].x, split.x) and np.array_equal(found[name].y, split.y), name
"""
STATES = """
import shutil
import keras, numpy as np
import keras_kd as kd

X = np.random.default_rng(0).random((16, 4)).astype("float32")

class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError

def train(path, stop=()):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.1), loss="mse", run_eagerly=True)
    model.fit(X, X[:, :3], epochs=3, batch_size=8, verbose=0, callbacks=[kd.FullState(path), *stop])
    return model.get_weights()

expected = train("{path}.unused")
try:
    train("{path}", [Stop()])
except InterruptedError:
    pass

def attack(path):
    if path == "{path}":
        return
    found = train(path)
    assert all(np.allclose(a, b, rtol=1e-6) for a, b in zip(found, expected)), "other weights"
"""


def attack(rng, folder, short):
    """Yield one tally after the other."""
    save_examples(folder)
    for name, code, file, changes in (
        (".keras files", MODELS, "model.keras", 1500),
        (".npz data", DATA, "data.npz", 3000),
        ("FullState files", STATES, "state.npz", 300),
    ):
        path = folder / file
        tally = Tally(name)
        with Caller(code.replace("{path}", str(path))) as caller:
            tally.add("the undamaged file", caller.call(path))
            for what, content in damaged(path.read_bytes(), rng, 10 if short else changes):
                damaged_path = path.with_name(f"damaged{path.suffix}")
                damaged_path.write_bytes(content)
                tally.add(f"{file}: {what}", caller.call(damaged_path))
        yield tally


def save_examples(folder):
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.125), loss="mse")
    model.save(folder / "model.keras")
    x, y = rng.random((60, 4), "float32"), np.arange(60) % 3
    np.savez(folder / "data.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])

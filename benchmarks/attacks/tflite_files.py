"""Damaged `.tflite` files, opened and run with `kd.LiteModel`."""

from attacks.processes import Caller
from attacks.tally import Tally

CODE = """
import numpy as np
import keras_kd as kd

def attack(path):
    lite = kd.LiteModel(path)
    rng = np.random.default_rng(0)
    for scale in (1, 1000):
        lite.predict({
            tensor.name: (scale * rng.normal(size=[2, *(size or 8 for size in tensor.shape[1:])])).astype(tensor.value_dtype)
            for tensor in lite.inputs
        })
"""
PATTERNS = (0x01, 0x80, 0xFF)


def attack(rng, folder, short):
    """Yield one tally after the other."""
    content = small_file(folder)
    path = folder / "damaged.tflite"
    with Caller(CODE, limit=60) as caller:
        tally = Tally("bytes flipped")
        places = range(len(content)) if not short else rng.sample(range(len(content)), 20)
        for place in places:
            for pattern in PATTERNS:
                damaged = bytearray(content)
                damaged[place] ^= pattern
                path.write_bytes(damaged)
                tally.add(f"byte {place} ^ {pattern:#x}", caller.call(path))
        yield tally


def small_file(folder):
    import keras
    import numpy as np

    import keras_kd as kd

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    samples = np.random.default_rng(0).normal(size=(16, 4))
    path = folder / "small.tflite"
    kd.export(model, path, quantization="int8", calibration=samples)
    return path.read_bytes()

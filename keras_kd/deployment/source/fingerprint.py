"""What tells models apart: a digest of their layers, and one of their weights."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from keras_kd.legacy import KerasModel, all_layers_of, is_tf_keras, is_wrapper, own_variables_of

# What does not change what a layer computes, or what saving and loading change: names, what only training
# reads, and the code of a Lambda, which holds the number of its line.
_LEFT_OUT = {"name", "trainable", "dtype", "seed", "function", "module", "registered_name"}
_LEFT_OUT |= {"build_config", "build_input_shape", "compile_config", "shared_object_id"}
_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
# Where the configuration of a model speaks of its layers by name.
_WIRING = {"inbound_nodes", "input_layers", "output_layers"}


class Fingerprint(NamedTuple):
    """What a model is, whatever it and its layers are called. Saving and loading do not change it.

    Args:
        layers: the digest of its layers, and of how they are connected.
        weights: the digest of the values of its weights.
        keras: the version of the Keras, or tf_keras, that described the layers.
    """

    layers: str
    weights: str
    keras: str

    @classmethod
    def of(cls, model: KerasModel) -> Fingerprint:
        """The fingerprint of a built model of Keras 3 or tf_keras.

        Examples:
            >>> import keras
            >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            >>> before = Fingerprint.of(model)
            >>> model.set_weights([weight + 1 for weight in model.get_weights()])
            >>> after = Fingerprint.of(model)
            >>> after.layers == before.layers, after.weights == before.weights
            (True, False)
        """
        layers = hashlib.sha256(_description(model).encode()).hexdigest()
        version = str(sys.modules["tf_keras" if is_tf_keras(model) else "keras"].__version__)
        # So many digits tell models apart, and are few bytes in a file.
        return cls(layers[:8], _weights(model)[:16], version)


def _weights(model: KerasModel) -> str:
    # Layer by layer: freezing one changes the order of the weights of a tf_keras model.
    layers = all_layers_of(model)
    variables = {id(variable): variable for layer in layers for variable in own_variables_of(layer)}
    digests = [_digest(np.asarray(variable.numpy())) for variable in variables.values()]
    if any(map(is_wrapper, layers)):  # loaded from a file, they take the weights of a layer in another order
        digests.sort()
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(str(values.shape).encode() + values.tobytes()).digest()


def _description(model: KerasModel) -> str:
    kinds = [type(layer).__name__ for layer in all_layers_of(model)]
    try:
        return json.dumps([kinds, _unnamed(model.get_config(), {})], sort_keys=True, default=_plain)
    except Exception:  # a layer of the user's own may have no configuration, and raise anything
        return json.dumps(kinds)


def _unnamed(value: object, numbers: Mapping[str, int], wiring: bool = False) -> object:
    """A configuration without what differs between models that compute the same.

    Args:
        value: the configuration, or a part of one.
        numbers: the name of each layer of the model that it belongs to -> its place.
        wiring: whether the part says what is connected.
    """
    if isinstance(value, Mapping):
        own = _numbers(value) or numbers
        return {
            str(key): _unnamed(part, own, wiring or key in _WIRING)
            for key, part in value.items()
            if key not in _LEFT_OUT and not str(key).endswith(_OF_TRAINING) and part is not None
        }
    if isinstance(value, list | tuple):
        return [_unnamed(part, numbers, wiring) for part in value]
    return numbers.get(value, value) if wiring and isinstance(value, str) else value


def _numbers(config: Mapping[str, object]) -> dict[str, int]:
    layers = config.get("layers")
    entries = layers if isinstance(layers, list) else []
    return {
        entry["name"]: i for i, entry in enumerate(entries) if isinstance(entry, Mapping) and "name" in entry
    }


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else type(value).__name__

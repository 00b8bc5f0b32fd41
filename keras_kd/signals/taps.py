"""Taps: names of signals, and reading these signals in a single pass of the model.

A tap is a path such as `"block2"`, `"backbone/block4"` or, for a layer that is called more than
once, `"shared:1"` (its second call). A weight of a layer is tapped as `"head/kernel"`.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import keras

from keras_kd.keras_internals import attach_mask, mask_of
from keras_kd.legacy import is_weight, unwrapped
from keras_kd.messages import close_matches
from keras_kd.paths import layers_by_path
from keras_kd.signals.batches import parts
from keras_kd.signals.padding_masks import mask_models
from keras_kd.signals.recording import RecordedCall, Recording, record
from keras_kd.tensors import Tensor, Tensors

Layers = Mapping[str, keras.layers.Layer]
Value = TypeVar("Value")


def resolve(model: keras.Model, tap: str) -> tuple[keras.layers.Layer, int | None]:
    """The layer that a path names, and which of its calls (`None`: the only one).

    Raises:
        ValueError: No such layer; near misses are suggested.
    """
    return _resolve(model.name, layers_by_path(model), tap)


def _resolve(model_name: str, layers: Layers, tap: str) -> tuple[keras.layers.Layer, int | None]:
    path, _, call = tap.partition(":")
    if path in layers and (not call or call.isdigit()):
        return layers[path], int(call) if call else None
    same_name = [name for name in layers if name.rsplit("/", 1)[-1] == path]
    similar = close_matches(tap, [*layers, "output", "labels"], 3)
    names = list(dict.fromkeys(same_name[:3] + similar)) or list(layers)[:6]
    raise ValueError(
        f"No tap {tap!r} in model {model_name!r}. Did you mean {', '.join(map(repr, names))}? "
        f"kd.tap_names(model) lists all {len({id(layer) for layer in layers.values()})}."
    )


def _find_weight(layers: Layers, tap: str) -> tuple[keras.layers.Layer, str] | None:
    """The layer and the name of its weight if a path such as `"head/kernel"` names one, else `None`."""
    path, _, weight = tap.rpartition("/")
    if tap in layers or path not in layers or not layers[path].built:
        return None
    layer = unwrapped(layers[path])
    return (layer, weight) if is_weight(getattr(layer, weight, None)) else None


def _find_attention(layers: Layers, tap: str) -> keras.layers.Layer | None:
    """The attention layer around a tap such as `"attention/query"`: it removes the mask from inner layers."""
    around = layers.get(tap.rpartition("/")[0])
    kinds = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
    return around if isinstance(around, kinds) else None


class Taps:
    """The signals of one model that objectives read.

    Args:
        model: The model.
        names: Tap names; `"output"` and `"output/NAME"` are the model's own outputs.

    Raises:
        ValueError: A name that is not a layer of the model.
    """

    def __init__(self, model: keras.Model, names: Iterable[str]) -> None:
        self.model = model
        self.names = list(dict.fromkeys(names))
        layers = layers_by_path(model)
        inside = [name for name in self.names if name != "output" and not name.startswith("output/")]
        self._weights = {name: weight for name in inside if (weight := _find_weight(layers, name))}
        paths = [name for name in inside if name not in self._weights]
        self._layers = {name: _resolve(model.name, layers, name) for name in paths}
        self._attentions = {name: layer for name in paths if (layer := _find_attention(layers, name))}
        tapped = {name: layer for name, (layer, _) in self._layers.items()} | self._attentions
        self._masks = mask_models(model, layers, tapped)

    def record(self) -> contextlib.AbstractContextManager[Recording]:
        """Record the tapped layers while the context is open."""
        around = [*self._attentions.values(), *(owner for owner, _ in self._masks if owner is not self.model)]
        return record([*(layer for layer, _ in self._layers.values()), *around])

    def signals(self, outputs: Tensors, recording: Recording) -> dict[str, Any]:
        """The tapped tensors by name, from the model's outputs and the recorded calls."""
        found = {name: self._require_one(name, self._read(name, outputs, recording)) for name in self.names}
        for owner, masks in self._masks:
            inputs = [call.inputs for call in recording.of(owner)]
            inputs = [recording.inputs] if owner is self.model else inputs
            if len(inputs) == 1 and inputs[0] is not None:
                _attach_masks(found, masks(inputs[0]))
        return found

    def _read(self, name: str, outputs: Tensors, recording: Recording) -> Any:
        if name in self._weights:
            layer, weight = self._weights[name]
            return keras.ops.copy(getattr(layer, weight))
        return self._recorded(name, recording) if name in self._layers else self._output(name, outputs)

    def _recorded(self, name: str, recording: Recording) -> Any:
        layer, number = self._layers[name]
        calls = recording.of(layer)
        found = self._select_call(name, calls, number)
        mask = found.mask
        if mask is None and name in self._attentions:
            around = recording.of(self._attentions[name])
            mask = around[number or 0].mask if len(around) == len(calls) else None
        if mask is not None and keras.ops.is_tensor(found.outputs):
            attach_mask(found.outputs, mask)
        return found.outputs

    def _select_call(self, name: str, calls: list[RecordedCall], number: int | None) -> RecordedCall:
        if not calls:
            raise ValueError(
                f"Layer {name!r} of {self.model.name!r} does not run in the forward pass, so it has no "
                "output to tap. Tap a layer that runs."
            )
        if number is None and len(calls) > 1:
            each = ", ".join(repr(f"{name}:{i}") for i in range(len(calls)))
            raise ValueError(
                f"Layer {name!r} of {self.model.name!r} runs {len(calls)} times in one pass. "
                f"Choose one of its calls: {each}."
            )
        if number is not None and number >= len(calls):
            raise ValueError(
                f"Tap {name!r} of {self.model.name!r}: the layer runs {len(calls)} times, counted from 0."
            )
        return calls[number or 0]

    def _output(self, name: str, outputs: Tensors) -> Any:
        named = parts(outputs)
        if name == "output" and len(named) == 1:
            return next(iter(named.values()))
        key = name.removeprefix("output").removeprefix("/")
        if key in named and key:
            return named[key]
        taps = [f"output/{k}" if k else "output" for k in named]
        raise ValueError(f"No tap {name!r} in model {self.model.name!r}. Its outputs are {taps}.")

    def _require_one(self, name: str, value: Value) -> Value:
        if isinstance(value, (list, tuple, dict)):
            raise ValueError(
                f"Tap {name!r} of {self.model.name!r} returns {len(value)} tensors, and an objective reads "
                "one. Tap a layer inside it, or wrap it in a layer that returns the tensor you need."
            )
        return value


def _attach_masks(signals: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    for name, mask in masks.items():
        if name in signals and mask_of(signals[name]) is None:
            attach_mask(signals[name], mask)

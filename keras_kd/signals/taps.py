"""Taps: names of signals, and reading these signals in a single pass of the model.

A tap is a path such as `"block2"`, `"backbone/block4"` or, for a layer that is called more than
once, `"shared:1"` (its second call). One of several tensors that a layer returns is tapped as `"lstm/0"` or
`"encoder/hidden"`, the scores of an attention layer as `"attention/scores"`, and a weight as `"head/kernel"`.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from keras_kd.keras_internals import attach_mask, mask_of
from keras_kd.messages import number_of
from keras_kd.parts import parts
from keras_kd.paths import layers_by_path
from keras_kd.signals.addresses import Address, find_address, takes_scores, unknown_tap
from keras_kd.signals.padding_masks import mask_models
from keras_kd.signals.recording import RecordedCall, Recording, record
from keras_kd.tensors import Tensor, Tensors


class SeveralSignalsError(ValueError):
    """A tap names several tensors where one is read.

    Attributes:
        tap: The tap.
        elements: The taps of the single tensors.
    """

    def __init__(self, message: str, tap: str, elements: tuple[str, ...]) -> None:
        super().__init__(message)
        self.tap, self.elements = tap, elements


class Taps:
    """The signals of one model that objectives read.

    Attributes:
        distributions: The names of those that are known to be softmaxes, whatever their values look like.

    Args:
        model: The model.
        names: Tap names; `"output"` and `"output/NAME"` are the model's own outputs.

    Raises:
        ValueError: A name that is not a layer of the model.
    """

    def __init__(self, model: keras.Model, names: Iterable[str]) -> None:
        self.model = model
        self.names = list(dict.fromkeys(names))
        self._layers = layers_by_path(model)
        inside = [name for name in self.names if name != "output" and not name.startswith("output/")]
        self._addresses = {name: find_address(model.name, self._layers, name) for name in inside}
        tapped = {name: address for name, address in self._addresses.items() if not address.weight}
        self._attentions = {
            name: around
            for name, address in tapped.items()
            if (around := _find_attention(self._layers, address.path))
        }
        self.distributions = {name for name, address in tapped.items() if address.is_distribution}
        self._masks = mask_models(model, self._layers, tapped | self._attentions)

    def record(self) -> contextlib.AbstractContextManager[Recording]:
        """Record the tapped layers while the context is open."""
        tapped = [address for address in self._addresses.values() if not address.weight]
        around = [address.layer for address in self._attentions.values()]
        around += [owner for owner, _ in self._masks if owner is not self.model]
        layers = [*(address.layer for address in tapped), *around]
        return record(layers, [address.layer for address in tapped if address.scores])

    def signals(self, outputs: Tensors, recording: Recording) -> dict[str, Any]:
        """The tapped tensors by name, from the model's outputs and the recorded calls.

        Raises:
            SeveralSignalsError: A name of several tensors.
            ValueError: A layer that does not run, or runs more than once; an element that it does not return.
        """
        found = {name: self._read(name, outputs, recording) for name in self.names}
        for owner, masks in self._masks:
            inputs = [call.inputs for call in recording.of(owner)]
            inputs = [recording.inputs] if owner is self.model else inputs
            if len(inputs) == 1 and inputs[0] is not None:
                _attach_masks(found, masks(inputs[0]), self._addresses)
        return found

    def _read(self, name: str, outputs: Tensors, recording: Recording) -> Any:
        address = self._addresses.get(name)
        if address is None:
            return self._output(name, outputs)
        if address.weight:
            return keras.ops.copy(getattr(address.layer, address.weight))
        return self._recorded(name, address, recording)

    def _recorded(self, name: str, address: Address, recording: Recording) -> Any:
        calls = recording.of(address.layer)
        call = self._select_call(name, address, calls)
        if address.scores and call.scores is not None:
            return _with_query_mask(call.scores, call)
        element = self._select_element(name, address, call)
        found, mask = parts(call.outputs)[element], call.masks.get(element)
        if element == "1" and takes_scores(address.layer):
            return _with_query_mask(found, call)
        if mask is None and name in self._attentions:
            around = recording.of(self._attentions[name].layer)
            mask = around[address.call or 0].first_mask if len(around) == len(calls) else None
        if mask is not None and keras.ops.is_tensor(found):
            attach_mask(found, mask)
        return found

    def _select_call(self, name: str, address: Address, calls: list[RecordedCall]) -> RecordedCall:
        if not calls:
            raise ValueError(
                f"Layer {address.path!r} of {self.model.name!r} does not run in the forward pass, so it has "
                "no output to tap. Tap a layer that runs."
            )
        if address.call is None and len(calls) > 1:
            element = address.element and f"/{address.element}"
            each = ", ".join(repr(f"{address.path}:{i}{element}") for i in range(len(calls)))
            raise ValueError(
                f"Layer {address.path!r} of {self.model.name!r} runs {len(calls)} times in one pass. "
                f"Choose one of its calls: {each}."
            )
        number = address.call or 0
        if number >= len(calls):
            raise ValueError(
                f"Tap {name!r} of {self.model.name!r}: the layer runs {number_of(len(calls), 'time')}, "
                "counted from 0."
            )
        return calls[number]

    def _select_element(self, name: str, address: Address, call: RecordedCall) -> str:
        named = [path for path, value in parts(call.outputs).items() if value is not None]
        inside = _inside(named, address.element)
        of_layer = name.removesuffix(f"/{address.element}") if address.element else name
        if not inside:
            raise unknown_tap(self.model.name, self._layers, name, [f"{of_layer}/{path}" for path in named])
        taps = tuple(f"{of_layer}/{path}" for path in inside)
        return self._require_one(name, inside, taps)

    def _output(self, name: str, outputs: Tensors) -> Any:
        named = parts(outputs)
        key = name.removeprefix("output").removeprefix("/")
        inside = _inside(list(named), key)
        if not inside or (key and "" in named):
            taps = [f"output/{k}" if k else "output" for k in named]
            raise ValueError(f"No tap {name!r} in model {self.model.name!r}. Its outputs are {taps}.")
        return named[self._require_one(name, inside, tuple(f"output/{path}" for path in inside))]

    def _require_one(self, name: str, inside: list[str], taps: tuple[str, ...]) -> str:
        if len(inside) == 1:
            return inside[0]
        raise SeveralSignalsError(
            f"Tap {name!r} of {self.model.name!r} returns {len(inside)} tensors, and an objective whose loss "
            f"takes no tuple reads one of them. Its outputs are {list(taps)}.",
            name,
            taps,
        )


def _inside(paths: list[str], element: str) -> list[str]:
    """The paths that are an element, or are inside it."""
    return [path for path in paths if not element or path == element or path.startswith(f"{element}/")]


def _find_attention(layers: Mapping[str, keras.layers.Layer], path: str) -> Address | None:
    """The attention layer around one such as `"attention/query"`: it removes the mask from inner layers."""
    around = path.rpartition("/")[0]
    kinds = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
    return Address(layers[around], path=around) if isinstance(layers.get(around), kinds) else None


def _with_query_mask(scores: Tensor, call: RecordedCall) -> Tensor:
    """Attention scores with the padding mask of the tokens that attend, which are those of the output.

    The mask that the scores come with says which tokens may be attended to: scores there are zero.
    """
    copy = keras.ops.copy(scores)
    if call.first_mask is not None:
        attach_mask(copy, _fitted(call.first_mask, scores))
    return copy


def _fitted(mask: Tensor, scores: Tensor) -> Tensor:
    """The mask of the tokens that attend, for scores `(batch, heads, tokens, tokens)` of several heads."""
    if len(scores.shape) != len(mask.shape) + 2:
        return mask
    return keras.ops.broadcast_to(keras.ops.expand_dims(mask, 1), keras.ops.shape(scores)[:-1])


def _attach_masks(
    signals: Mapping[str, Tensor], masks: Mapping[str, Tensor], addresses: Mapping[str, Address]
) -> None:
    for name, mask in masks.items():
        if name in signals and mask_of(signals[name]) is None:
            scores = name in addresses and addresses[name].scores
            attach_mask(signals[name], _fitted(mask, signals[name]) if scores else mask)

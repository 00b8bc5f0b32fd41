"""Taps: names of signals, and recording them while a model runs once.

A tap is a path such as `"block2"`, `"backbone/block4"` or, for a layer that is called more than
once, `"shared:1"` (its second call). A weight of a layer is tapped as `"head/kernel"`. Recording
replaces `layer.call` on the instance for the duration of one forward pass, so there is no second
graph and no second pass, and nested and subclassed models work like functional ones.
"""

import contextlib
import dataclasses
import difflib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask

from keras_kd.legacy import is_weight, unwrapped
from keras_kd.paths import layers_by_path
from keras_kd.signals.batches import parts
from keras_kd.signals.padding_masks import mask_models


@dataclasses.dataclass
class Call:
    """What a layer returned, and the padding mask that Keras attached to it then.

    The mask is noted at once, because Keras takes it off again when a `MultiHeadAttention` reads the tensor.
    """

    layer: int
    outputs: Any
    mask: Any
    inputs: Any


@dataclasses.dataclass
class Recording:
    """What some layers returned, in the order in which their calls ended, and the model's inputs."""

    wanted: frozenset[int]
    calls: list[Call]
    inputs: Any = None

    def of(self, layer: keras.layers.Layer) -> list[Call]:
        return [call for call in self.calls if call.layer == id(layer)]


_lock = threading.Lock()
_attached: dict[int, tuple[int, dict[str, Any]]] = {}  # id(layer) -> (recorders, what they replaced)
_local = threading.local()  # replicas of tf.distribute trace in threads of their own


def resolve(model: keras.Model, tap: str) -> tuple[keras.layers.Layer, int | None]:
    """The layer that a path names, and which of its calls (`None`: its only one).

    Raises:
        ValueError: No such layer; near misses are suggested.
    """
    layers = layers_by_path(model)
    path, _, call = tap.partition(":")
    if path in layers and (not call or call.isdigit()):
        return layers[path], int(call) if call else None
    ends = [name for name in layers if name.rsplit("/", 1)[-1] == path]
    near = difflib.get_close_matches(tap, [*layers, "output", "labels"], n=3, cutoff=0.5)
    names = list(dict.fromkeys(ends[:3] + near)) or list(layers)[:6]
    raise ValueError(
        f"No tap {tap!r} in model {model.name!r}. Did you mean {', '.join(map(repr, names))}? "
        f"kd.tap_names(model) lists all {len({id(layer) for layer in layers.values()})}."
    )


def _holder(model: keras.Model, tap: str) -> tuple[keras.layers.Layer, str] | None:
    """The layer and the name of its weight when a path such as `"head/kernel"` names one."""
    layers = layers_by_path(model)
    path, _, weight = tap.rpartition("/")
    if tap in layers or path not in layers or not layers[path].built:
        return None
    layer = unwrapped(layers[path])
    return (layer, weight) if is_weight(getattr(layer, weight, None)) else None


def _attention(model: keras.Model, tap: str) -> keras.layers.Layer | None:
    """The attention layer around a tap such as `"attention/query"`: it takes the mask from what is inside."""
    around = layers_by_path(model).get(tap.rpartition("/")[0])
    kinds = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
    return around if isinstance(around, kinds) else None


def _recorder(layer: keras.layers.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        for recording in getattr(_local, "stack", ()):
            if id(layer) in recording.wanted:
                inputs = args[0] if args else None
                recording.calls.append(Call(id(layer), outputs, _mask(outputs), inputs))
        return outputs

    return recorded


def _mask_recorder(layer: keras.layers.Layer, attach: Callable[..., Any]) -> Callable[..., Any]:
    """Keras attaches the mask after `call` has returned."""

    @functools.wraps(attach)
    def attached(inputs: Any, outputs: Any, *masks: Any) -> None:
        attach(inputs, outputs, *masks)
        for recording in getattr(_local, "stack", ()):
            for call in recording.calls[-1:]:
                if call.layer == id(layer) and call.outputs is outputs:
                    call.mask = _mask(outputs)

    return attached


def _mask(outputs: Any) -> Any:
    return get_keras_mask(outputs)  # a traced tensor of JAX has no attributes


def _attach(layer: keras.layers.Layer) -> None:
    with _lock:
        count, replaced = _attached.get(id(layer), (0, {}))
        if count == 0:
            # `quantized_call` runs instead of `call` in layers that Keras has quantized.
            wrappers = {"call": _recorder, "quantized_call": _recorder, "_set_mask_metadata": _mask_recorder}
            for method, wrap in wrappers.items():
                if hasattr(layer, method):
                    replaced[method] = layer.__dict__.get(method)
                    layer.__dict__[method] = wrap(layer, getattr(layer, method))
        _attached[id(layer)] = (count + 1, replaced)


def _detach(layer: keras.layers.Layer) -> None:
    with _lock:
        count, replaced = _attached.pop(id(layer))
        if count > 1:
            _attached[id(layer)] = (count - 1, replaced)
            return
        for method, original in replaced.items():
            if original is None:
                del layer.__dict__[method]
            else:
                layer.__dict__[method] = original


@contextlib.contextmanager
def record(layers: Iterable[keras.layers.Layer]) -> Iterator[Recording]:
    """While open, collect what `layers` return in this thread."""
    wanted = {id(layer): layer for layer in layers}
    recording = Recording(frozenset(wanted), [])
    stack = _local.__dict__.setdefault("stack", [])
    attached = []
    stack.append(recording)
    try:
        for layer in wanted.values():
            _attach(layer)
            attached.append(layer)
        yield recording
    finally:
        stack[:] = [other for other in stack if other is not recording]
        for layer in attached:
            _detach(layer)


class Taps:
    """The signals of one model that objectives read.

    Args:
        model: The model.
        names: Tap names; `"output"` and `"output/NAME"` are the model's own outputs.

    Raises:
        ValueError: A name that is no layer of the model.
    """

    def __init__(self, model: keras.Model, names: Iterable[str]) -> None:
        self.model = model
        self.names = list(dict.fromkeys(names))
        inside = [name for name in self.names if name != "output" and not name.startswith("output/")]
        self._weights = {name: holder for name in inside if (holder := _holder(model, name))}
        self._layers = {name: resolve(model, name) for name in inside if name not in self._weights}
        self._attentions = {name: layer for name in self._layers if (layer := _attention(model, name))}
        tapped = {name: layer for name, (layer, _) in self._layers.items()} | self._attentions
        self._masks = mask_models(model, layers_by_path(model), tapped)

    def record(self) -> contextlib.AbstractContextManager[Recording]:
        """Record the tapped layers while the context is open."""
        around = [*self._attentions.values(), *(owner for owner, _ in self._masks if owner is not self.model)]
        return record([*(layer for layer, _ in self._layers.values()), *around])

    def signals(self, outputs: Any, recording: Recording) -> dict[str, Any]:
        """The tapped tensors by name, from the model's outputs and from what was recorded."""
        found = {name: self._one(name, self._read(name, outputs, recording)) for name in self.names}
        for owner, masks in self._masks:
            inputs = [call.inputs for call in recording.of(owner)]
            inputs = [recording.inputs] if owner is self.model else inputs
            if len(inputs) == 1 and inputs[0] is not None:
                self._attach_masks(found, masks(inputs[0]))
        return found

    def _attach_masks(self, found: dict[str, Any], masks: dict[str, Any]) -> None:
        for name, mask in masks.items():
            if name in found and _mask(found[name]) is None:
                set_keras_mask(found[name], mask)

    def _read(self, name: str, outputs: Any, recording: Recording) -> Any:
        if name in self._weights:
            layer, weight = self._weights[name]
            return keras.ops.copy(getattr(layer, weight))
        return self._recorded(name, recording) if name in self._layers else self._output(name, outputs)

    def _recorded(self, name: str, recording: Recording) -> Any:
        layer, call = self._layers[name]
        calls = recording.of(layer)
        if not calls:
            raise ValueError(
                f"Layer {name!r} of {self.model.name!r} does not run in the forward pass, so it has no "
                "output to tap. Tap a layer that runs."
            )
        if call is None and len(calls) > 1:
            each = ", ".join(repr(f"{name}:{i}") for i in range(len(calls)))
            raise ValueError(
                f"Layer {name!r} of {self.model.name!r} runs {len(calls)} times in one pass. "
                f"Say which: {each}."
            )
        if call is not None and call >= len(calls):
            raise ValueError(
                f"Tap {name!r} of {self.model.name!r}: the layer runs {len(calls)} times, counted from 0."
            )
        found = calls[call or 0]
        mask = found.mask
        if mask is None and name in self._attentions:
            around = recording.of(self._attentions[name])
            mask = around[call or 0].mask if len(around) == len(calls) else None
        if mask is not None and keras.ops.is_tensor(found.outputs):
            set_keras_mask(found.outputs, mask)
        return found.outputs

    def _output(self, name: str, outputs: Any) -> Any:
        named = parts(outputs)
        if name == "output" and len(named) == 1:
            return next(iter(named.values()))
        key = name.removeprefix("output").removeprefix("/")
        if key in named and key:
            return named[key]
        taps = [f"output/{k}" if k else "output" for k in named]
        raise ValueError(f"No tap {name!r} in model {self.model.name!r}. Its outputs are {taps}.")

    def _one(self, name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple, dict)):
            raise ValueError(
                f"Tap {name!r} of {self.model.name!r} returns {len(value)} tensors, and an objective reads "
                "one. Tap a layer inside it, or wrap it in a layer that returns the tensor you need."
            )
        return value

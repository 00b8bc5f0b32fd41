"""Recording what layers return while a model runs once.

Methods of the layer are replaced on the instance for the duration of one forward pass. So there is no second
graph and no second pass, and nested and subclassed models work like functional ones.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from keras_kd.keras_internals import CALL_METHODS, MASK_METHOD, mask_of
from keras_kd.tensors import Tensor, Tensors


@dataclasses.dataclass
class RecordedCall:
    """What a layer returned, and the padding mask that Keras attached to it at that time.

    The mask is saved at once, because Keras removes it when a `MultiHeadAttention` reads the tensor.
    """

    layer_id: int
    outputs: Any
    mask: Tensor | None
    inputs: Tensors


@dataclasses.dataclass
class Recording:
    """The outputs of some layers, in the order in which their calls ended, and the model's inputs."""

    layer_ids: frozenset[int]
    calls: list[RecordedCall]
    inputs: Tensors = None

    def of(self, layer: keras.layers.Layer) -> list[RecordedCall]:
        """The calls of one layer, in order."""
        return [call for call in self.calls if call.layer_id == id(layer)]


_lock = threading.Lock()
_attached: dict[int, tuple[int, dict[str, Any]]] = {}  # id(layer) -> (recorders, what they replaced)
_local = threading.local()  # replicas of tf.distribute trace in separate threads


@contextlib.contextmanager
def record(layers: Iterable[keras.layers.Layer]) -> Iterator[Recording]:
    """While the context is open, collect the outputs of `layers` in this thread."""
    recorded = {id(layer): layer for layer in layers}
    recording = Recording(frozenset(recorded), [])
    stack = _local.__dict__.setdefault("stack", [])
    attached = []
    stack.append(recording)
    try:
        for layer in recorded.values():
            _attach(layer)
            attached.append(layer)
        yield recording
    finally:
        stack[:] = [other for other in stack if other is not recording]
        for layer in attached:
            _detach(layer)


def _attach(layer: keras.layers.Layer) -> None:
    with _lock:
        count, replaced = _attached.get(id(layer), (0, {}))
        if count == 0:
            wrappers = {**dict.fromkeys(CALL_METHODS, _recorder), MASK_METHOD: _mask_recorder}
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


def _recorder(layer: keras.layers.Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        for recording in getattr(_local, "stack", ()):
            if id(layer) in recording.layer_ids:
                inputs = args[0] if args else None
                recording.calls.append(RecordedCall(id(layer), outputs, mask_of(outputs), inputs))
        return outputs

    return recorded


def _mask_recorder(layer: keras.layers.Layer, attach: Callable[..., None]) -> Callable[..., None]:
    """Keras attaches the mask after `call` has returned."""

    @functools.wraps(attach)
    def attached(inputs: Tensors, outputs: Tensors, *masks: Any) -> None:
        attach(inputs, outputs, *masks)
        for recording in getattr(_local, "stack", ()):
            for call in recording.calls[-1:]:
                if call.layer_id == id(layer) and call.outputs is outputs:
                    call.mask = mask_of(outputs)

    return attached

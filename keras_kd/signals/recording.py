"""Recording what layers return while a model runs once.

Methods of the layer are replaced on the instance for the duration of one forward pass. So there is no second
graph and no second pass, and nested and subclassed models work like functional ones.
"""

import contextlib
import dataclasses
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from keras_kd.keras_internals import CALL_METHODS, MASK_METHOD, mask_of
from keras_kd.parts import parts
from keras_kd.tensors import Tensor, Tensors


@dataclasses.dataclass
class RecordedCall:
    """What a layer returned, and the padding masks that Keras attached to it at that time.

    The masks are saved at once, because Keras removes them when a `MultiHeadAttention` reads the tensors.

    Attributes:
        layer_id: The `id` of the layer.
        outputs: What it returned.
        inputs: What it was called with first.
        scores: The attention scores, if they were asked for.
        masks: The mask of each tensor that has one, by its path in the outputs; `""` for a single tensor.
    """

    layer_id: int
    outputs: Any
    inputs: Tensors
    scores: Tensor | None = None
    masks: dict[str, Tensor] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.note_masks()

    @property
    def first_mask(self) -> Tensor | None:
        """The mask of the only output, or of the first of several."""
        return self.masks.get("", self.masks.get("0"))

    def note_masks(self) -> None:
        """Save the masks that the outputs carry now."""
        found = {path: mask_of(tensor) for path, tensor in parts(self.outputs).items()}
        self.masks = {path: mask for path, mask in found.items() if mask is not None}


@dataclasses.dataclass
class Recording:
    """The outputs of some layers, in the order in which their calls ended, and the model's inputs."""

    layer_ids: frozenset[int]
    calls: list[RecordedCall]
    inputs: Tensors = None
    scored_ids: frozenset[int] = frozenset()  # layers that are asked for attention scores

    def of(self, layer: keras.layers.Layer) -> list[RecordedCall]:
        """The calls of one layer, in order."""
        return [call for call in self.calls if call.layer_id == id(layer)]


_lock = threading.Lock()
_attached: dict[int, tuple[int, dict[str, Any]]] = {}  # id(layer) -> (recorders, what they replaced)
_local = threading.local()  # replicas of tf.distribute trace in separate threads


@contextlib.contextmanager
def record(
    layers: Iterable[keras.layers.Layer], scored: Iterable[keras.layers.Layer] = ()
) -> Iterator[Recording]:
    """While the context is open, collect the outputs of layers in this thread.

    Args:
        layers: The layers.
        scored: Attention layers among them whose scores are collected, too, even if the model does not ask
            for them.
    """
    recorded = {id(layer): layer for layer in layers}
    recording = Recording(frozenset(recorded), [], scored_ids=frozenset(map(id, scored)))
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
        recordings = [r for r in getattr(_local, "stack", ()) if id(layer) in r.layer_ids]
        scores = None
        if any(id(layer) in recording.scored_ids for recording in recordings):
            outputs, scores = _call_with_scores(call, *args, **kwargs)
        else:
            outputs = call(*args, **kwargs)
        inputs = args[0] if args else None
        for recording in recordings:
            recording.calls.append(RecordedCall(id(layer), outputs, inputs, scores))
        return outputs

    return recorded


def _call_with_scores(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, Tensor]:
    """What an attention layer returns, and its scores."""
    bound = inspect.signature(call).bind(*args, **kwargs)
    asked = bound.arguments.get("return_attention_scores", False)
    bound.arguments["return_attention_scores"] = True
    outputs, scores = call(*bound.args, **bound.kwargs)
    return (outputs, scores) if asked else outputs, scores


def _mask_recorder(layer: keras.layers.Layer, attach: Callable[..., None]) -> Callable[..., None]:
    """Keras attaches the mask after `call` has returned."""

    @functools.wraps(attach)
    def attached(inputs: Tensors, outputs: Tensors, *masks: Any) -> None:
        attach(inputs, outputs, *masks)
        for recording in getattr(_local, "stack", ()):
            for call in recording.calls[-1:]:
                if call.layer_id == id(layer) and call.outputs is outputs:
                    call.note_masks()

    return attached

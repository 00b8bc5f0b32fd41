"""What the name of a tap means: a layer, one of its calls, one of the tensors it returns, or a weight of it.

The grammar is `LAYER[:CALL][/ELEMENT]`. If a name means several things, a layer comes before a weight, and a
weight before an element; `LAYER/output/ELEMENT` is always an element.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras

from keras_kd.keras_internals import hidden_argument
from keras_kd.legacy import is_weight, keras_classes, unwrapped
from keras_kd.messages import close_matches
from keras_kd.paths import layers_by_path

Layers = Mapping[str, keras.layers.Layer]
SCORES = "scores"
_ASKED = "return_attention_scores"  # the argument of `call` with which an attention layer returns them


class Address(NamedTuple):
    """What a tap inside a model names.

    Attributes:
        layer: The layer.
        call: Which of its calls, or `None` for the only one.
        path: The path of the layer.
        element: Which of the tensors that it returns, as a path (`"0"`, `"heads/a"`, `"scores"`); `""` for
            the only one.
        weight: The name of its weight, if that is the signal.
    """

    layer: keras.layers.Layer
    call: int | None = None
    path: str = ""
    element: str = ""
    weight: str = ""

    @property
    def is_distribution(self) -> bool:
        """Whether these are the scores of one of Keras's layers: a softmax, even where a mask hides that."""
        names = "layers.MultiHeadAttention", "layers.Attention", "layers.AdditiveAttention"
        kinds = keras.layers.GroupQueryAttention, *(kind for name in names for kind in keras_classes(name))
        return self.element in (SCORES, "1") and isinstance(self.layer, kinds)

    @property
    def scores(self) -> bool:
        """Whether these are the scores of an attention layer."""
        return self.element == SCORES and takes_scores(self.layer)


def resolve(model: keras.Model, tap: str) -> Address:
    """What a tap of a model names.

    Whether the layer returns the element is known once it runs.

    Raises:
        ValueError: No such layer; near misses are suggested.
    """
    return find_address(model.name, layers_by_path(model), tap)


def find_address(model_name: str, layers: Layers, tap: str) -> Address:
    """As `resolve`, for a model's layers by path."""
    parts = tap.split("/")
    for end in range(len(parts), 0, -1):
        named = re.fullmatch(r"(.+?)(?::(\d+))?", "/".join(parts[:end]))
        if named is None or named[1] not in layers:
            continue
        path, call, rest = named[1], named[2], "/".join(parts[end:])
        layer, number = layers[path], int(call) if call else None
        if call is None and _has_weight(layer, rest):
            return Address(unwrapped(layer), None, path, weight=rest)
        address = Address(layer, number, path, rest.removeprefix("output/"))
        _check_scores(tap, address)
        return address
    raise unknown_tap(model_name, layers, tap)


def unknown_tap(model_name: str, layers: Layers, tap: str, elements: Sequence[str] = ()) -> ValueError:
    """The error for a tap that does not exist.

    Args:
        model_name: The name of the model.
        layers: Its layers by path.
        tap: The tap.
        elements: The taps of what its layer returns, if there is such a layer.
    """
    path = tap.partition(":")[0]
    same_name = [name for name in layers if name.rsplit("/", 1)[-1] == path]
    similar = close_matches(tap, [*layers, "output", "labels"], 3)
    several = list(elements) if len(elements) > 1 else []
    names = list(dict.fromkeys(several[:6] or same_name[:3] + similar)) or list(layers)[:6]
    scores = (
        f"Its layer's `call` has no argument {_ASKED!r}, so its scores are known only if it returns them. "
        if elements and tap.endswith(f"/{SCORES}")
        else ""
    )
    return ValueError(
        f"No tap {tap!r} in model {model_name!r}. {scores}Did you mean {', '.join(map(repr, names))}? "
        "kd.tap_names(model) lists them all."
    )


def takes_scores(layer: keras.layers.Layer) -> bool:
    """Whether a layer returns attention scores if it is asked to."""
    return _ASKED in inspect.signature(layer.call).parameters


def offers_scores(layer: keras.layers.Layer) -> bool:
    """Whether the scores of an attention layer can be tapped."""
    return takes_scores(layer) and not _uses_flash_attention(layer)


def _uses_flash_attention(layer: keras.layers.Layer) -> bool:
    kinds = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
    return isinstance(layer, kinds) and bool(hidden_argument(layer, "flash_attention"))


def _has_weight(layer: keras.layers.Layer, name: str) -> bool:
    return bool(name) and layer.built and is_weight(getattr(unwrapped(layer), name, None))


def _check_scores(tap: str, address: Address) -> None:
    if address.scores and _uses_flash_attention(address.layer):
        raise ValueError(
            f"Tap {tap!r}: the layer uses flash attention, which never computes the scores. Make the model "
            "with flash_attention=False; the weights are the same."
        )

"""Models that learn together, as one model with an output for each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_kd.distillation.model_checks import check_own_training
from keras_kd.distillation.model_inputs import MADE_BY_KERAS
from keras_kd.legacy import require_keras_model
from keras_kd.messages import did_you_mean, one_line
from keras_kd.parts import parts
from keras_kd.signals.batches import comes_with_data
from keras_kd.signals.tracing import symbolic_inputs
from keras_kd.tensors import Tensors


class Peers:
    """The names of several models and of their outputs, inside one model that holds them all.

    An output of that model has the name of its peer (`"a"`), or of both if a peer has several (`"a_boxes"`).

    Args:
        models: The peers.

    Raises:
        TypeError: Something that is not a Keras model.
        ValueError: Fewer than two; two of one name; inputs or outputs that differ.
    """

    __slots__ = "model", "names", "paths"

    def __init__(self, models: Sequence[keras.Model]) -> None:
        _check(models)
        self.names = [peer.name for peer in models]
        inputs, outputs = _answers(models)
        self.paths = list(parts(outputs[self.names[0]]))
        joined = {self.key(n, path): part for n in self.names for path, part in parts(outputs[n]).items()}
        self.model = keras.Model(inputs, joined, name="_".join(self.names))
        self.model.dtype_policy = models[0].dtype_policy

    def key(self, name: str, path: str = "") -> str:
        """The name of the output of a peer that has a path in what the peer returns."""
        return f"{name}_{path}".replace("/", "_") if path else name

    def tap(self, name: str, tap: str) -> str:
        """The tap of a peer, or of the data, as one of the model that holds it."""
        source, _, path = tap.partition("/")
        if source == "labels" or source == "output":
            return f"{source}/{self.key(name, path)}"
        return tap if comes_with_data(tap) else f"{name}/{tap}"

    def spread(self, given: Any, copy: Callable[[Any], Any] = lambda value: value) -> Any:
        """What is given for one peer, for each of them: labels, losses, metrics.

        Args:
            given: One for the output of a peer, or a structure for its outputs. `None`, and a dictionary by
                the names of this model's outputs, remain what they are.
            copy: Makes what another peer gets.

        Raises:
            ValueError: A dictionary with other names.
        """
        keys = {self.key(name, path) for name in self.names for path in self.paths}
        if given is None or (isinstance(given, Mapping) and given.keys() <= keys):
            return given
        if isinstance(given, Mapping) and not given.keys() <= set(self.paths):
            known = sorted(keys) + [path for path in self.paths if path]
            wrong = next(key for key in given if key not in known)
            raise ValueError(
                f"Losses, metrics and labels go by the names {known}. Received: {wrong!r}."
                f"{did_you_mean(str(wrong), known)}"
            )
        single = self.paths == [""] or not keras.tree.is_nested(given)
        by_path = dict.fromkeys(self.paths, given) if single else parts(given)
        return {self.key(name, path): copy(part) for name in self.names for path, part in by_path.items()}


def _check(models: Sequence[keras.Model]) -> None:
    if not isinstance(models, (list, tuple)) or len(models) < 2:
        raise ValueError(f"`models` is a list of two or more peers. Received: {models!r}.")
    for peer in models:
        require_keras_model(peer, "peer")
        check_own_training(peer)
    names = [peer.name for peer in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"Peers go by their names, and {twice[0]!r} is that of {names.count(twice[0])} of them: "
            f"{names}. Make each with its own: keras.Model(..., name='a')."
        )


def _input_like(index: int, symbol: keras.KerasTensor | None) -> keras.KerasTensor | None:
    if symbol is None:  # an input that may be left out
        return None
    # Those that Keras counts up would differ in a file that was loaded.
    name = f"input{index}" if MADE_BY_KERAS.fullmatch(symbol.name) else symbol.name
    return keras.Input(batch_shape=symbol.shape, dtype=symbol.dtype, name=name)


def _answers(models: Sequence[keras.Model]) -> tuple[Tensors, dict[str, Tensors]]:
    """Symbolic inputs, and what each peer makes of them."""
    known = next((taken for taken in map(symbolic_inputs, models) if taken is not None), None)
    if known is None:
        raise ValueError(
            "No peer tells what it takes: all of them are subclassed. Make a functional model of one: "
            "inputs = keras.Input(shape); keras.Model(inputs, peer(inputs), name='a')."
        )
    inputs = keras.tree.pack_sequence_as(
        known, [_input_like(*one) for one in enumerate(keras.tree.flatten(known))]
    )
    found: dict[str, Tensors] = {}
    for peer in models:
        try:
            found[peer.name] = peer(inputs)
        except Exception as error:
            shapes = {path: tuple(part.shape) for path, part in parts(inputs).items()}
            raise ValueError(
                f"Peers take the same inputs, and {peer.name!r} cannot take {shapes.get('', shapes)}: "
                f"{one_line(error)}"
            ) from error
    first, *others = ({path: tuple(t.shape) for path, t in parts(out).items()} for out in found.values())
    for peer, shapes in zip(models[1:], others, strict=True):
        if shapes != first:
            raise ValueError(
                f"Peers learn the same labels, so their outputs have the same shapes. {models[0].name!r} "
                f"returns {first.get('', first)}, and {peer.name!r} {shapes.get('', shapes)}."
            )
    return inputs, found

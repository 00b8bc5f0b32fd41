"""What `kd.ensemble` is given, by member, and the inputs that its members share."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np

from keras_kd.legacy import KerasModel, is_model
from keras_kd.messages import did_you_mean
from keras_kd.parts import parts, with_parts
from keras_kd.signals.tracing import symbolic_inputs
from keras_kd.teachers.averaging import WEIGHINGS
from keras_kd.teachers.member import Member, Preprocess
from keras_kd.tensors import Shape, Tensors

Given = TypeVar("Given")


def models_by_name(
    models: Sequence[KerasModel] | Mapping[str, KerasModel], names: Sequence[str] | None
) -> dict[str, KerasModel]:
    """The members by name; those of the same name are numbered.

    Raises:
        TypeError: Something else than models.
        ValueError: No members, unsuitable names, or a model without weights.
    """
    if isinstance(models, Mapping):
        if names is not None:
            raise ValueError("`names` are for a list of models. The keys of a dictionary are names already.")
        named = dict(models)
    else:
        if is_model(models) or not isinstance(models, Sequence):
            raise TypeError(
                f"`models` is a list or a dictionary of models. Received: {type(models).__name__}."
            )
        for model in models:
            _require_model(model)
        given = _numbered([model.name for model in models]) if names is None else list(names)
        if len(given) != len(models) or len(set(given)) < len(given):
            raise ValueError(f"`names` are different ones for {len(models)} models. Received: {given}.")
        named = dict(zip(given, models, strict=True))
    if not named:
        raise ValueError("An ensemble has at least one member. Received: no models.")
    for name, model in named.items():
        _check_member(name, model)
    return named


def _numbered(names: Sequence[str]) -> list[str]:
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = count = counts.get(name, -1) + 1
        found.append(f"{name}_{count}" if count else name)
    return found


def _require_model(model: object) -> None:
    if not is_model(model):
        raise TypeError(
            f"A member of an ensemble is a model of Keras 3 or tf_keras. Received: {type(model).__name__}. "
            "kd.as_teacher(...) makes a model of files and functions."
        )


def _check_member(name: str, model: KerasModel) -> None:
    _require_model(model)
    if not isinstance(name, str) or not name or "/" in name or ":" in name:
        raise ValueError(
            f"The name of a member is part of its taps: without '/' and ':'. Received: {name!r}."
        )
    if not model.built:
        raise ValueError(
            f"Member {name!r} has no weights yet, so it has nothing to teach. Train it, load its weights, or "
            "call it once on data."
        )


def by_member(
    given: Mapping[str, Given] | Sequence[Given] | None, names: Sequence[str], argument: str
) -> dict[str, Given | None]:
    """What an argument says of each member: a list in their order, or a dictionary of some of them.

    Raises:
        TypeError: It is neither a list nor a dictionary.
        ValueError: It names no member, or has another length.
    """
    if given is None:
        return dict.fromkeys(names)
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        if unknown:
            hint = did_you_mean(str(unknown[0]), names)
            raise ValueError(f"`{argument}` names {unknown[0]!r}, and the members are {list(names)}.{hint}")
        return {name: given.get(name) for name in names}
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)):
        raise TypeError(f"`{argument}` are a list, or a dictionary by name. Received: {given!r}.")
    if len(given) != len(names):
        raise ValueError(
            f"`{argument}` has {len(given)} entries, and there are {len(names)} members: {list(names)}."
        )
    return dict(zip(names, given, strict=True))


def preprocess_by_member(
    given: Preprocess | Mapping[str, Preprocess] | Sequence[Preprocess | None] | None, names: Sequence[str]
) -> dict[str, Preprocess | None]:
    """The preprocessing of each member; a single function is for all of them."""
    if callable(given):
        return dict.fromkeys(names, given)
    found = by_member(given, names, "preprocess")
    for name, one in found.items():
        if one is not None and not callable(one):
            raise TypeError(f"`preprocess` of {name!r} is a function or a layer. Received: {one!r}.")
    return found


def check_weights(
    weights: Mapping[str, float] | Sequence[float] | str | None, names: Sequence[str]
) -> list[float] | str:
    """The weights of members, summing to 1, or the way to find them.

    Raises:
        TypeError: They are neither numbers nor a name.
        ValueError: Another name, or numbers that are negative, not finite or all zero.
    """
    if isinstance(weights, str):
        if weights not in WEIGHINGS:
            ways = ", ".join(map(repr, WEIGHINGS))
            raise ValueError(
                f"`weights` are numbers, or one of {ways}. Received: {weights!r}."
                f"{did_you_mean(weights, WEIGHINGS)}"
            )
        return weights
    if weights is None:
        return [1 / len(names)] * len(names)
    found = by_member(weights, names, "weights")
    if any(isinstance(weight, str) or np.ndim(weight) for weight in found.values() if weight is not None):
        raise TypeError(f"`weights` are a number for each member. Received: {found}.")
    array = np.asarray([0.0 if weight is None else weight for weight in found.values()], "float64")
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ValueError(f"`weights` are finite numbers from 0, not all of them 0. Received: {found}.")
    return (array / array.sum()).tolist()


def find_inputs(
    models: Mapping[str, KerasModel],
    preprocess: Mapping[str, Preprocess | None],
    given: Tensors | Shape = None,
) -> Any:
    """Symbolic inputs for all members.

    Args:
        models: The members.
        preprocess: Their preprocessing; a member that has some takes other inputs than its model.
        given: What the user says they are: a shape without the batch, or `keras.Input`s.

    Raises:
        ValueError: They are not known, or members take different ones.
    """
    if given is not None:
        return as_inputs(given)
    known = {name: symbolic_inputs(model) for name, model in models.items() if preprocess[name] is None}
    known = {name: symbols for name, symbols in known.items() if symbols is not None}
    if not known:
        raise ValueError(
            "The inputs of the members are not known: they are subclassed models, or have a `preprocess`. "
            "State what the ensemble takes: inputs=keras.Input(SHAPE_OF_A_SAMPLE)."
        )
    structures = list(known.values())
    if all(parts(each).keys() == parts(structures[0]).keys() for each in structures):
        merged = {path: _merged(path, known) for path in parts(structures[0])}
        return with_parts(structures[0], merged.values())
    named = {
        symbol.name: {name: {symbol.name: symbol}} for name, each in known.items() for symbol in flat(each)
    }
    return {key: _merged(key, of_key) for key, of_key in named.items()}


def flat(structure: Tensors) -> list[Any]:
    """The tensors of a structure, in order."""
    return list(parts(structure).values())


def as_inputs(given: Tensors | Shape) -> Any:
    """`keras.Input`s of what a user states: a shape without the batch, a dictionary of shapes, or inputs."""
    if isinstance(given, tuple) and all(size is None or isinstance(size, int) for size in given):
        return keras.Input(given)
    if isinstance(given, dict) and any(isinstance(shape, tuple) for shape in given.values()):
        return {name: keras.Input(shape, name=name) for name, shape in given.items()}
    if all(isinstance(part, keras.KerasTensor) for part in flat(given)):
        return given
    raise ValueError(
        "`inputs` is the shape of a sample, such as (32, 32, 3), a dictionary of shapes by name, or a "
        f"structure of keras.Input. Received: {given!r}."
    )


def _merged(path: str, known: Mapping[str, Tensors]) -> keras.KerasTensor:
    """One input for all members that take it: a size that only some of them fix is fixed."""
    first, *others = ((name, parts(structure)[path]) for name, structure in known.items())
    shape = tuple(first[1].shape)
    for name, symbol in others:
        sizes = tuple(symbol.shape)
        fits = len(sizes) == len(shape) and all(
            None in pair or len({*pair}) == 1 for pair in zip(shape, sizes, strict=True)
        )
        if not fits:
            raise ValueError(
                f"Members take different inputs: {first[0]!r} {shape[1:]} and {name!r} {sizes[1:]}. Give "
                f"those that take something else a preprocess={{{name!r}: FUNCTION_OR_LAYER}}, such as "
                "keras.layers.Resizing, or state what the data holds: inputs={'NAME': keras.Input(...), ...}."
            )
        shape = tuple(a if b is None else b for a, b in zip(shape, sizes, strict=True))
    symbol = first[1]
    return keras.Input(
        batch_shape=shape, dtype=keras.backend.standardize_dtype(symbol.dtype), name=symbol.name
    )


def part_for(name: str, model: KerasModel, inputs: Any) -> Any:
    """The part of the shared inputs that a member without preprocessing takes, in its structure.

    Raises:
        ValueError: There is none.
    """
    symbols = symbolic_inputs(model)
    if symbols is None:
        return inputs
    held = parts(inputs)
    wanted = [symbol.name for symbol in flat(symbols)]
    if isinstance(inputs, dict) and set(wanted) <= held.keys():
        return keras.tree.map_structure(lambda symbol: held[symbol.name], symbols)
    paths = list(parts(symbols))
    if len(held) == len(wanted) and (len(held) == 1 or held.keys() == {*paths}):
        return with_parts(symbols, held.values() if len(held) == 1 else [held[path] for path in paths])
    raise ValueError(
        f"Member {name!r} takes {wanted}, and the inputs of the ensemble are {list(held)}. Give it a "
        f"preprocess={{{name!r}: FUNCTION_OR_LAYER}} that makes its inputs of them."
    )


def answer_of(name: str, model: KerasModel, preprocess: Preprocess | None, inputs: Any) -> Any:
    """What a member answers to the shared inputs, symbolically."""
    x = part_for(name, model, inputs) if preprocess is None else inputs
    return Member(model, preprocess, name=name)(x)

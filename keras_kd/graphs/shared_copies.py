"""Copies of models that share every variable with their original, to be run in another way beside it."""

from __future__ import annotations

import types
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import keras

from keras_kd.keras_internals import PARTS_OF_MODELS, TRACKED
from keras_kd.legacy import KerasModel, is_call_node, is_tf_keras
from keras_kd.tensorflow_internals import empty_container_like

_DICTS, _LISTS, _SETS = {dict, defaultdict, TRACKED[0]}, {list, TRACKED[1]}, {set, TRACKED[2]}


_Value = TypeVar("_Value")
_Tracked: TypeAlias = list[Any] | dict[Any, Any]  # of tf_keras


def shared_copy(model: KerasModel) -> KerasModel:
    """Copy a model of Keras 3 or tf_keras with all its layers, but not the variables, which are shared.

    Attributes of the copy, such as dtype policies, can be changed while other threads use the original. What
    is neither a layer nor a container is shared too: in an object of the user's own, a layer is the original.

    Args:
        model: A built model of any kind, subclassed ones included.

    Examples:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> copy = shared_copy(model)
        >>> copy.layers[0] is model.layers[0], copy.layers[0].kernel is model.layers[0].kernel
        (False, True)
    """
    return _Copying().copied(model)


class _Copying:
    """Copies objects and what they hold, each once; without recursion over layers, which can be many."""

    def __init__(self) -> None:
        self.copies: dict[int, Any] = {}
        self.originals: list[object] = []  # keeps them alive, so that no id is used twice
        self.waiting: list[Callable[[], None]] = []  # copies to fill

    def copied(self, value: _Value) -> _Value:
        copy = self._of(value)
        while self.waiting:
            self.waiting.pop()()
        return copy

    def _of(self, value: Any) -> Any:
        """The copy of a value, which may still be empty; the value itself if it is nothing to copy."""
        if id(value) in self.copies:
            return self.copies[id(value)]
        kind: Any = type(value)
        is_part = isinstance(value, (keras.Operation, *PARTS_OF_MODELS)) or is_call_node(value)
        if is_part or is_tf_keras(value):
            return self._later(value, object.__new__(kind), self._fill_object)
        if kind in _DICTS:
            return self._later(value, kind.__new__(kind), self._fill_dict)
        if kind in _LISTS:
            return self._later(value, kind.__new__(kind), self._fill_list)
        if kind in _SETS:
            return self._later(value, kind.__new__(kind), self._fill_set)
        if isinstance(value, tuple):
            parts = [self._of(part) for part in value]
            return kind._make(parts) if hasattr(kind, "_make") else kind(tuple(parts))
        if kind is types.MethodType:
            return kind(self._of(value.__func__), self._of(value.__self__))
        if kind is types.FunctionType and value.__closure__:
            return self._function(value)
        tracked = empty_container_like(value)
        return value if tracked is None else self._later(value, tracked, self._fill_tracked)

    def _later(self, value: _Value, copy: _Value, fill: Callable[[_Value, _Value], None]) -> _Value:
        self.copies[id(value)] = copy
        self.originals.append(value)
        self.waiting.append(lambda: fill(value, copy))
        return copy

    def _fill_object(self, value: object, copy: object) -> None:
        # `vars` avoids what a class does when an attribute is set; other threads may set some.
        vars(copy).update({name: self._of(part) for name, part in vars(value).copy().items()})

    def _fill_dict(self, value: dict[object, object], copy: dict[object, object]) -> None:
        if isinstance(value, defaultdict) and isinstance(copy, defaultdict):
            copy.default_factory = value.default_factory
        dict.update(copy, {self._of(key): self._of(part) for key, part in value.copy().items()})
        self._fill_rest(value, copy)

    def _fill_list(self, value: list[object], copy: list[object]) -> None:
        list.extend(copy, [self._of(part) for part in list(value)])
        self._fill_rest(value, copy)

    def _fill_set(self, value: set[object], copy: set[object]) -> None:
        set.update(copy, {self._of(part) for part in list(value)})
        self._fill_rest(value, copy)

    def _fill_tracked(self, value: _Tracked, copy: _Tracked) -> None:
        if isinstance(copy, list):
            copy.extend([self._of(part) for part in list(value)])
        else:
            copy.update({key: self._of(part) for key, part in dict(value).items()})

    def _fill_rest(self, value: object, copy: object) -> None:
        if hasattr(value, "__dict__"):
            self._fill_object(value, copy)

    def _function(self, value: types.FunctionType) -> types.FunctionType:
        """A function that reads the copies of the layers in its closure."""
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        copy = types.FunctionType(
            value.__code__, value.__globals__, value.__name__, value.__defaults__, cells
        )
        copy.__kwdefaults__ = value.__kwdefaults__
        self._later(value, copy, lambda value, copy: self._fill_cells(value, copy))
        return copy

    def _fill_cells(self, value: types.FunctionType, copy: types.FunctionType) -> None:
        vars(copy).update(vars(value))
        for old, new in zip(value.__closure__ or (), copy.__closure__ or (), strict=True):
            new.cell_contents = self._of(old.cell_contents)

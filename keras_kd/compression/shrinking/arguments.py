"""The arguments of `shrink`, checked before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_kd.compression.costs.shaped import InputShape
from keras_kd.compression.data import Data
from keras_kd.compression.shrinking.fractions import check_fraction, is_number
from keras_kd.compression.shrinking.importance import Importance, Loss
from keras_kd.compression.shrinking.sizes import MEASURES
from keras_kd.messages import did_you_mean


@dataclass(frozen=True)
class Arguments:
    """What `shrink` was asked for; see there.

    Raises:
        ValueError: One of them is out of range.
    """

    keep: float = 0.5
    budget: str = "channels"
    importance: Importance = "l2"
    scope: str = "global"
    layers: Sequence[str] | Mapping[str, float] | str | None = None
    skip: Sequence[str] | str = ()
    multiple_of: int = 8
    floor: float = 0.1
    data: Data | None = None
    loss: Loss | None = None
    depth: float | None = None
    drop: str = "importance"
    input_shape: InputShape = None

    def __post_init__(self) -> None:
        check_fraction("keep=", self.keep)
        _check_choice("budget=", self.budget, MEASURES)
        _check_choice("scope=", self.scope, ("global", "layer"))
        is_whole = is_number(self.multiple_of) and isinstance(self.multiple_of, (int, np.integer))
        if not is_whole or self.multiple_of < 1:
            raise ValueError(f"multiple_of= is a whole number of 1 or more. Received: {self.multiple_of!r}.")
        if not is_number(self.floor) or not 0 <= self.floor < 1:
            raise ValueError(f"floor= is a fraction in [0, 1). Received: {self.floor!r}.")
        for value in self.layers.values() if isinstance(self.layers, Mapping) else ():
            check_fraction("The fraction to keep of a layer", value)


def _check_choice(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise ValueError(f"{what} must be one of {', '.join(map(repr, known))}. Received: {value!r}.{hint}")

"""Parts of a model that can be made smaller one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import keras
import numpy as np

# Weights of a model with their new values; or another model, where no values do.
Change: TypeAlias = Sequence[tuple[keras.Variable, np.ndarray]] | keras.Model


@dataclass(frozen=True)
class Part:
    """A part of a model that can be made smaller.

    Args:
        layer: The path of its layer.
        change: What changes for an amount.
        tied: The paths of other layers that change with it.
    """

    layer: str
    change: Callable[[float], Change]
    tied: tuple[str, ...] = ()


class Dissection(NamedTuple):
    """A model, and its parts.

    Attributes:
        model: The model whose weights change.
        parts: Its parts, in the order of the layers.
    """

    model: keras.Model
    parts: list[Part]

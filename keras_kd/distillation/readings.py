"""The signals that a loss reads from one model, in the form in which it takes them."""

from collections.abc import Sequence
from typing import Any

from keras_kd.distillation.objective_arguments import Tap, as_tuple


class Reading:
    """The taps of one side of an objective.

    A tap that names several tensors, such as an LSTM's output and states, stands for all of them if the loss
    takes as many. What it names is known once the model has been traced.

    Args:
        tap: A tap, or a tuple of them.
        most: How many signals the loss takes.
    """

    def __init__(self, tap: Tap, most: float) -> None:
        self.tap, self._most = tap, most
        self._elements: dict[str, tuple[str, ...]] = {}

    @property
    def taps(self) -> tuple[str, ...]:
        """The taps of the single tensors."""
        return tuple(element for name in as_tuple(self.tap) for element in self._elements.get(name, (name,)))

    def expand(self, tap: str, elements: Sequence[str]) -> bool:
        """Let a tap stand for several tensors, and return whether the loss takes as many."""
        self._elements[tap] = tuple(elements)
        return len(self.taps) <= self._most

    def collapse(self) -> None:
        """Undo all that `expand` did, because the model may have changed."""
        self._elements = {}

    def arranged(self, values: Sequence[Any]) -> Any:
        """A value of each tensor as the loss takes them: the value itself for a single one, else a tuple.

        Examples:
            >>> Reading("output", 1).arranged([3]), Reading(("a", "b"), 2).arranged([3, 4])
            (3, (3, 4))
        """
        return values[0] if isinstance(self.tap, str) and len(values) == 1 else tuple(values)

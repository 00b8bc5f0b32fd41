"""Where the steps of an operation are noted."""

import dataclasses
from collections.abc import Iterable

import keras

from keras_kd.compression.costs.leaves import Leaf
from keras_kd.compression.costs.sizes import bytes_of
from keras_kd.compression.costs.steps import Recording


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """An operation, the tensors that it reads, and the recording of steps.

    Attributes:
        leaf: The operation with its arguments.
        reads: The tensors among these, in order.
        results: What it returns.
        record: The steps so far.
    """

    leaf: Leaf
    reads: list[int]
    results: list[keras.KerasTensor]
    record: Recording

    @property
    def size(self) -> int:
        """The bytes of its first result."""
        return bytes_of(self.results[0].shape, self.results[0].dtype)

    def new(self, *reads: int, size: int | None = None, takes: bool = False) -> int:
        """A tensor like the result, or of another size, in memory of its own."""
        return self.record.new(reads, self.size if size is None else size, takes)

    def over(self, *reads: int) -> int:
        """A tensor like the result, elementwise of others."""
        return self.record.over(reads, self.size)

    def part(self, fraction: float) -> int:
        """The bytes of a part of the result."""
        return int(self.size * fraction)

    def rest(self) -> Iterable[int]:
        """The results after the first one."""
        sizes = (bytes_of(symbol.shape, symbol.dtype) for symbol in self.results[1:])
        return [self.record.new(self.reads, size) for size in sizes]

"""What an interpreter does for a model: steps, each of which reads tensors and makes one."""

import enum
import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from keras_kd.compression.costs.arena import Life


class Place(enum.Enum):
    """Where the result of a step goes."""

    NEW = "memory of its own"
    VIEW = "what it reads, in another shape"
    OVER = "over something it reads that nothing else reads, as sums and products do"
    FUSED = "into the step before, as a convolution computes its activation itself"


class Step(NamedTuple):
    """A step; tensors are numbers.

    Attributes:
        reads: The tensors that it reads.
        result: The tensor that it makes.
        place: Where that goes, if nothing else prevents it.
        takes: Whether an activation after it is computed with it.
    """

    reads: tuple[int, ...]
    result: int
    place: Place
    takes: bool


class Recording:
    """The steps of a model, and the sizes of the tensors between them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.sizes: list[int] = []
        self._taking: set[int] = set()

    def tensor(self, size: int) -> int:
        """A tensor of some bytes that no step makes: an input."""
        self.sizes.append(size)
        return len(self.sizes) - 1

    def new(self, reads: Iterable[int], size: int, takes: bool = False) -> int:
        """The result of a step that needs memory of its own."""
        return self._add(reads, size, Place.NEW, takes)

    def over(self, reads: Iterable[int], size: int) -> int:
        """The result of an elementwise step, which may overwrite what it reads."""
        return self._add(reads, size, Place.OVER, takes=True)

    def fused(self, read: int) -> int:
        """The result of a step that the one before can compute."""
        return self._add([read], self.sizes[read], Place.FUSED, takes=self.takes(read))

    def view(self, read: int) -> int:
        """The same values in another shape."""
        return self._add([read], self.sizes[read], Place.VIEW, takes=False)

    def takes(self, tensor: int) -> bool:
        """Whether the step that makes a tensor computes an activation after it as well."""
        return tensor in self._taking

    def _add(self, reads: Iterable[int], size: int, place: Place, takes: bool) -> int:
        result = self.tensor(size)
        self._taking.update([result] if takes else [])
        self.steps.append(Step(tuple(reads), result, place, takes))
        return result


class Plan:
    """The buffers that steps need, and when.

    Args:
        recording: The steps.
        inputs: The tensors that the model is given; they stay to the end.
        outputs: The tensors that it returns; so do they.
    """

    def __init__(self, recording: Recording, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.sizes, self.steps = recording.sizes, recording.steps
        self.fixed, self.returned = set(inputs), set(outputs)
        self.readers = [0] * len(self.sizes)
        for step in self.steps:
            for read in step.reads:
                self.readers[read] += 1
        self.takes = {step.result: step.takes for step in self.steps}
        self.buffers = list(range(len(self.sizes)))  # tensor -> the first tensor in the same memory
        for step in self.steps:
            self.buffers[step.result] = self._buffer(step)

    def _buffer(self, step: Step) -> int:
        for read in step.reads[:1] if step.place in (Place.VIEW, Place.FUSED) else step.reads:
            if self._shares(step, read):
                return self.buffers[read]
        return step.result

    def _shares(self, step: Step, read: int) -> bool:
        """Whether the result of a step goes where something it reads is."""
        alone = self.readers[read] == 1 and read not in self.returned
        if step.place is Place.FUSED:
            return alone and self.takes.get(read, False)
        free = read not in self.fixed and read not in self.returned and step.result not in self.returned
        if step.place is Place.VIEW:
            return free
        same = self.sizes[read] == self.sizes[step.result]
        return step.place is Place.OVER and free and alone and same

    def lives(self) -> list[Life]:
        """Every buffer: its size, and from where to where it is needed."""
        ends = len(self.steps)
        first, last = dict.fromkeys(self.fixed, 0), dict.fromkeys(self.fixed, ends)
        for number, step in enumerate(self.steps):
            first.setdefault(self.buffers[step.result], number)
            for tensor in (*step.reads, step.result):
                last[self.buffers[tensor]] = max(last.get(self.buffers[tensor], 0), number)
        last.update((self.buffers[tensor], ends) for tensor in self.returned)
        return [Life(self.sizes[buffer], start, last[buffer]) for buffer, start in first.items()]

    def alive(self) -> list[int]:
        """The bytes in use during each step."""
        changes = [0] * (len(self.steps) + 2)
        for size, first, last in self.lives():
            changes[first] += size
            changes[last + 1] -= size
        return list(itertools.accumulate(changes))[: len(self.steps)]

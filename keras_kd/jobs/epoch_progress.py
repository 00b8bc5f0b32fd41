"""Where a training is: its epoch, its losses, and the time that is left."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping

import keras

from keras_kd.jobs.tasks import LABEL_LOSS

_PAUSE = 0.5  # seconds between two notes of one epoch
# What an epoch must have seen before its figures mean something.
_SHARE = 0.25
# The loss of the job against all labels, with its weight; those without are shown. On validation data, where
# no teacher is asked, it is all that `val_loss` of a distilled student has.
_HIDDEN = ("student_loss", "val_student_loss", "val_loss")


class EpochProgress(keras.callbacks.Callback):
    """Notes the epoch, its losses and metrics so far, the seconds of an epoch, and the time left.

    Args:
        title: What is trained.
        epochs: How many epochs.
        note: Called with one line of text, at most twice a second.
        clock: Seconds from any start.
        before: How many epochs of an earlier training these follow.

    Examples:
        >>> progress = EpochProgress("student", 2, print)
        >>> progress.on_epoch_begin(0)
        student: epoch 1 of 2
    """

    def __init__(
        self,
        title: str,
        epochs: int,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        before: int = 0,
    ) -> None:
        super().__init__()
        self._title, self._epochs, self._note, self._clock = title, epochs, note, clock
        self._before = before
        self._began = self._noted = clock()
        self._epoch = 0
        self._seconds: list[float] = []  # of each finished epoch
        self._building = 0.0  # seconds in which the first epoch built its graphs
        self._tested = self._began
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note which epoch begins."""
        self._epoch, self._began = epoch, self._clock()
        self._tell({})

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note the losses so far, every now and then."""
        if not self._seconds and batch == 0:
            self._building += self._clock() - self._began
        self._batches = max(self._batches, batch + 1)
        if self._clock() - self._noted >= _PAUSE:
            steps = self.params.get("steps") or (self._batches if self._seconds else None)
            tells = steps is not None and batch + 1 >= _SHARE * steps
            self._tell((logs or {}) if tells else {})

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Note when the validation begins."""
        self._tested = self._clock()

    def on_test_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note what the first batch took, which builds the graph of the validation."""
        if not self._seconds and batch == 0:
            self._building += self._clock() - self._tested

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Note the losses of the epoch."""
        # Of an epoch of one batch, nothing else would be left.
        building = 0.0 if self._seconds or self._batches < 2 else self._building
        self._seconds.append(self._clock() - self._began - building)
        self._epoch, self._began = epoch + 1, self._clock()
        self._tell(logs or {}, done=True)

    def _tell(self, logs: Mapping[str, float], done: bool = False) -> None:
        self._noted = self._clock()
        epoch = self._before + (self._epoch if done else self._epoch + 1)
        hidden = {*_HIDDEN, *_named_twice(logs)}
        figures = [f"{name} {float(value):.4g}" for name, value in logs.items() if name not in hidden]
        parts = [f"{self._title}: epoch {epoch} of {self._before + self._epochs}"]
        if self._seconds:
            each = statistics.median(self._seconds[1:] or self._seconds)
            gone = min(
                self._clock() - self._began, each
            )  # of an epoch that takes longer, no other one's time
            left = duration(each * (self._epochs - self._epoch) - gone if self._epoch < self._epochs else 0.0)
            parts += [f"{duration(each)} an epoch", f"{left} left"]
        self._note(", ".join([*parts, *figures]))  # a narrow terminal shows how it begins


def _named_twice(logs: Iterable[str]) -> list[str]:
    """The losses of outputs against their labels by Keras's names; the job has others for them."""
    own = [name for name in logs if name.endswith(f"_{LABEL_LOSS}") and name != f"val_{LABEL_LOSS}"]
    return [f"{name.removesuffix(LABEL_LOSS)}loss" for name in own]


def duration(seconds: float) -> str:
    """A time in one or two units.

    Examples:
        >>> [duration(seconds) for seconds in (0.04, 1.26, 59.7, 75, 3700)]
        ['0.04 s', '1.3 s', '60 s', '1 min 15 s', '1 h 1 min']
    """
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes < 10 and rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"

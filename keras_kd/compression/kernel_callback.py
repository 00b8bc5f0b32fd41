"""What `kd.Prune` and `kd.Cluster` have in common: they constrain kernels, and count the steps of `fit`."""

import warnings
from typing import Any, ClassVar, Generic, TypeVar

import keras

from keras_kd.compression.kernel_constraint import KernelConstraint, attach_constraints
from keras_kd.compression.kernels import Kernel
from keras_kd.keras_internals import optimizer_steps
from keras_kd.training import train_function

Logs = dict[str, Any]
C = TypeVar("C", bound=KernelConstraint)
V = TypeVar("V")


class KernelCallback(keras.callbacks.Callback, Generic[C, V]):
    """A callback that constrains kernels of the model, or of a Distiller's student, during training.

    Steps are the batches of this `fit`, counted from 1.
    """

    title: ClassVar[str]  # such as "kd.Prune"
    work: ClassVar[str]  # such as "prunes"
    twin: ClassVar[str]  # what does it for tf_keras models
    unreached: ClassVar[str]  # what happens in a training run that is too short

    def __init__(self) -> None:
        super().__init__()
        self._kernels: list[tuple[Kernel, V | None]] = []  # each with a value of its own, if it has one
        self._constraints: list[C] = []
        self._before = 0  # steps of the optimizer before this training
        self._reset_state()

    def _reset_state(self) -> None:
        """Reset the state that `kd.FullState` saves and restores, under these names: numbers and arrays."""
        self._epochs_steps = 0  # of the epochs that have ended
        self._batches = 0  # of this epoch

    def set_model(self, model: keras.Model) -> None:
        """Keras calls this before any callback restores anything."""
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"{self.title} {self.work} Keras 3 models. Received: a {type(model).__name__} of "
                f"{type(model).__module__}. For tf_keras models: {self.twin}."
            )
        super().set_model(model)
        self._before = optimizer_steps(getattr(self.model, "optimizer", None))

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                f"{self.title} works on TensorFlow, and Keras runs on {keras.backend.backend()!r}."
            )
        student = getattr(self.model, "student", None)
        self._reset_state()
        self._kernels = self._select(student if isinstance(student, keras.Model) else self.model)
        if self.model.compiled:
            train_function.remake(self.model)  # one traced earlier contains the old constraints

    def _select(self, model: keras.Model) -> list[tuple[Kernel, V | None]]:
        """The kernels to constrain, each with a value of its own, if it has one."""
        raise NotImplementedError

    def _constrain(self, kernel: Kernel, value: V | None) -> C:
        """The constraint for a kernel."""
        raise NotImplementedError

    def _attach(self) -> None:
        if not self._constraints:
            with self.model.distribute_strategy.scope():
                self._constraints = [self._constrain(*pair) for pair in self._kernels]
                attach_constraints(self._constraints, self.model)

    def _restored_steps(self) -> int:
        """The steps of an interrupted training that `BackupAndRestore` has restored."""
        return optimizer_steps(getattr(self.model, "optimizer", None)) - self._before

    def _find_planned(self, epoch: int, last: int) -> int | None:
        """The steps of this training run, if known; a warning if they are fewer than `last`."""
        steps, epochs = self._steps_per_epoch(), (self.params or {}).get("epochs")
        planned = self._epochs_steps + steps * (epochs - epoch) if steps and epochs else None
        if planned and planned < last:
            warnings.warn(
                f"This training run has {planned} steps, but {self.title} needs {last}: {self.unreached}.",
                stacklevel=2,
            )
        return planned

    def _steps_per_epoch(self) -> int | None:
        return (self.params or {}).get("steps")

    def _count(self, batch: int) -> int:
        """Count a batch that begins, with those of the same execution; returns the number of the last."""
        if not self._kernels:
            raise RuntimeError(f"Call `set_model(model)` and `on_train_begin()` of this {self.title} first.")
        if not self._constraints:  # in a loop without epochs
            self.on_epoch_begin(0)
        ended = batch + self.model.steps_per_execution
        self._batches = min(ended, self._steps_per_epoch() or ended)
        return self._epochs_steps + self._batches

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._batches = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epochs_steps += self._batches

    def on_train_end(self, logs: Logs | None = None) -> None:
        for constraint in self._constraints:
            constraint.detach()
        self._constraints = []
        self._before = optimizer_steps(getattr(self.model, "optimizer", None))
        train_function.discard(self.model)

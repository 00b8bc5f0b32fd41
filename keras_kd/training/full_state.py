"""A callback that saves everything training depends on, so that an interrupted `fit` can resume."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from keras_kd.keras_internals import begin_at, build_on_batch, strategy_of
from keras_kd.tensors import Tensors
from keras_kd.training import callback_state
from keras_kd.training.checkpoint_values import KEYS, check_position, check_values
from keras_kd.training.data_order import draw_seeds, find_position
from keras_kd.training.random_state import read_random_state, restore_random_state
from keras_kd.training.skipped_batches import SkippedBatches
from keras_kd.training.state_file import prepare_path, read_state, write_state
from keras_kd.training.training_variables import (
    assign_values,
    find_mismatch,
    read_values,
    require_variables,
    training_variables,
)


class FullState(keras.callbacks.Callback):
    """Save the full training state, and resume from it when `fit` is called again after an interruption.

    A run that was killed and restarted ends with the same weights as an uninterrupted run. In addition to
    weights, optimizer and epoch, which `keras.callbacks.BackupAndRestore` saves, the checkpoint contains
    dropout seeds, the order of shuffled data, the state of the other callbacks (`EarlyStopping`,
    `ReduceLROnPlateau`, your own), the history and, if saved mid-epoch, the position within the epoch. It
    works for any Keras model.

    A data set is advanced to its position by creating iterators over it, so create a new data set before
    calling `fit` again in the same process. The file is written atomically. Reading it executes no code.
    It is deleted when `fit` ends.

    Put it first in the list of callbacks, so that it sees the others between epochs; `Distiller.fit` does
    that automatically. The model, the data set and its seeds must be the same in every run. Python
    generators are read again from their first batch. A `keras.utils.PyDataset` determines its own order;
    derive it from the epoch. Data augmentation should use stateless random numbers. For other callbacks,
    the attributes that have changed since training began are restored, if they are numbers, strings,
    arrays, or lists or dictionaries of these.

    With several workers, all of them must share a file system: the chief writes, all read. Pass
    `delete_checkpoint=False` there, because one worker may be killed after another has finished.

    Args:
        path: The file, a NumPy archive: `"state.npz"`.
        save_freq: `"epoch"`, or a number of batches.
        delete_checkpoint: Whether to delete the file when training ends. If it is kept, calling `fit` again
            with the same arguments does not train any further.
        callbacks: The other callbacks. `Distiller.fit` sets them automatically.
        data: The data set that is passed to `fit`. `Distiller.fit` sets it automatically.

    Raises:
        ValueError: The file is not such a checkpoint, is damaged, or belongs to a model with other shapes or
            to a training of more epochs or batches; a `CSVLogger` that would overwrite its log; a model that
            does not have all its weights yet.
        OSError: The file cannot be read or written.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> distiller = kd.Distiller(student, teacher)
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.random.rand(32, 4), np.random.randint(0, 3, 32)
        >>> stop = keras.callbacks.EarlyStopping("loss", patience=3)
        >>> history = distiller.fit(x, y, epochs=2, verbose=0, callbacks=[stop, kd.FullState("state.npz")])
    """

    def __init__(
        self,
        path: str | Path,
        *,
        save_freq: str | int = "epoch",
        delete_checkpoint: bool = True,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        data: object = None,
    ) -> None:
        super().__init__()
        is_count = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not is_count:
            raise ValueError(
                f"`save_freq` must be 'epoch' or a positive number of batches. Received: {save_freq!r}."
            )
        self.path, self.save_freq, self.delete_checkpoint = Path(path), save_freq, delete_checkpoint
        self.watch(callbacks, data)
        self._checkpoint: dict[str, Any] | None = None  # from an earlier run, while it is needed
        self._skipping: SkippedBatches | None = None
        if isinstance(save_freq, int):
            # Defined only in this case: Keras waits for the end of each batch if a callback has this method.
            self.on_train_batch_end = self._batch_ended

    def watch(self, callbacks: Sequence[keras.callbacks.Callback], data: object) -> None:
        """Set the other callbacks, and the data that is passed to `fit`."""
        self._others, self._data = [c for c in callbacks if c is not self], data
        for callback in self._others:
            if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
                raise ValueError(
                    "This CSVLogger would overwrite its log when training is resumed. Pass it append=True."
                )

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._epoch, self._batch, self._since = 0, 0, 0
        self._before: list[dict[str, Any]] = []  # attributes of each callback
        self._first: int | None = None  # the epoch in which training began, in any process
        self._skipping = None
        begin_at(self.model, None)  # Keras keeps the value of an earlier fit
        require_variables(self.model)
        if _writes_files(self.model):
            prepare_path(self.path)
        self._position = find_position(self._data, 0, self.params["steps"])
        self._checkpoint = self._read() if self.path.exists() else None
        if self._checkpoint is not None:
            self._resume(self._checkpoint)

    def _read(self) -> dict[str, Any]:
        checkpoint: dict[str, Any] = read_state(self.path, KEYS)
        check_values(self.path, checkpoint)
        together = self.model.steps_per_execution
        check_position(self.path, checkpoint, self.params["epochs"], self.params["steps"], together)
        return checkpoint

    def _resume(self, checkpoint: dict[str, Any]) -> None:
        """Restore what must be restored before the first epoch, and let `fit` start at the right epoch."""
        self._restore_variables(checkpoint)
        self._epoch, self._first = checkpoint["epoch"], checkpoint["first"]
        begin_at(self.model, self.params["epochs"] if checkpoint["stopped"] else self._epoch)
        trained, together = self._epoch - checkpoint["first"], self.model.steps_per_execution
        self._position = find_position(self._data, trained, self.params["steps"], together)
        draw_seeds(self._data, self._position.iterators)
        if self.params["verbose"]:
            finished = checkpoint["stopped"] or self._epoch >= self.params["epochs"]
            where = f"epoch {self._epoch + 1}, batch {checkpoint['batch'] + 1}"
            print(f"{'Training had already finished' if finished else f'Resuming at {where}'} ({self.path}).")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        is_first = not self._before
        self._epoch, self._batch = epoch, 0
        if is_first:
            begin_at(self.model, None)  # it has been read, and would affect later fits
            self._before = callback_state.snapshot(self._watched())
            self._first = epoch if self._first is None else self._first
            if self._checkpoint is not None:
                self._continue_epoch(self._checkpoint)
        self._epoch_random = read_random_state()
        if not is_first and self.save_freq == "epoch":
            self._save()

    def _continue_epoch(self, checkpoint: dict[str, Any]) -> None:
        self._restore_all()  # other callbacks may have changed something when training began
        restore_random_state(checkpoint["epoch_random"])
        self._skipping = SkippedBatches(
            self.model, self._position.batches, checkpoint["batch"], self._restore_metrics, self._skipped
        )
        if not self._skipping.active:
            self._checkpoint = None  # it is as large as the model

    def _batch_ended(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        steps, self._batch = batch + 1 - self._batch, batch + 1
        self._since += steps
        skips = self._skipping is not None and self._skipping.active
        if self._since >= int(self.save_freq) and not skips:
            self._since = 0
            self._save()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        begin_at(self.model, None)
        trained = bool(self._before)
        if not trained:
            self._restore_all()
        elif not self.delete_checkpoint:
            self._epoch, self._batch = self._epoch + 1, 0
            self._save()
        if self.delete_checkpoint and _writes_files(self.model):
            self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        values = {
            "epoch": self._epoch,
            "batch": self._batch,
            "first": self._first,
            "optimizer": type(self.model.optimizer).__name__,
            "epoch_random": self._epoch_random,
            "stopped": bool(self.model.stop_training),
            "weights": read_values(training_variables(self.model)),
            "metrics": read_values(self.model.metrics_variables) if self._batch else [],
            "random": read_random_state(),
            "callbacks": callback_state.changed_attributes(self._watched(), self._before),
        }
        # All workers must read the values, some of which are spread over them; only one of them writes.
        if _writes_files(self.model):
            write_state(self.path, values)

    def _watched(self) -> list[keras.callbacks.Callback]:
        return [*self._others, self.model.history]

    def _restore_all(self) -> None:
        if self._checkpoint is not None:
            self._restore_variables(self._checkpoint)
            callback_state.restore_attributes(self._watched(), self._checkpoint["callbacks"])

    def _restore_variables(self, checkpoint: dict[str, Any]) -> None:
        self._assign(checkpoint, "weights", training_variables(self.model))
        restore_random_state(checkpoint["random"])

    def _restore_metrics(self, batch: Tensors) -> None:
        assert self._checkpoint is not None
        if strategy_of(self.model) is None:  # the first step, which is skipped, would create the metrics
            build_on_batch(self.model, batch)
        self._assign(self._checkpoint, "metrics", self.model.metrics_variables)

    def _skipped(self) -> None:
        self._restore_all()  # other callbacks have seen the epoch and these batches begin
        self._checkpoint = None

    def _assign(self, checkpoint: dict[str, Any], key: str, variables: list[keras.Variable]) -> None:
        problem = find_mismatch(variables, checkpoint[key])
        optimizer = type(self.model.optimizer).__name__
        if problem is None and checkpoint["optimizer"] != optimizer:
            problem = f"the optimizer was {checkpoint['optimizer']} and is now {optimizer}"
        if problem is not None:
            raise ValueError(
                f"{self.path} is a checkpoint of another model or optimizer. Its {key} do not match: "
                f"{problem}. Delete it to start from the beginning, or choose another path."
            )
        assign_values(self.model, variables, checkpoint[key])


def _writes_files(model: keras.Model) -> bool:
    """Whether this worker is the one that writes files."""
    return bool(model.distribute_strategy.extended.should_checkpoint)


def put_first(callbacks: Any, data: object) -> Any:
    """The callbacks of `fit`, with each `FullState` first and aware of the others and the data."""
    if isinstance(callbacks, keras.callbacks.CallbackList) or callbacks is None:
        return callbacks
    listed = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    listed.sort(key=lambda callback: not isinstance(callback, FullState))
    for callback in listed:
        if isinstance(callback, FullState):
            callback.watch(listed, data)
    return listed

"""A callback that saves all that training depends on, so that an interrupted `fit` can go on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_kd.keras_internals import begin_at, build_on_batch, strategy_of
from keras_kd.training import callback_state, state_file
from keras_kd.training.data_order import advance, place
from keras_kd.training.preserved_state import recurrent_states
from keras_kd.training.train_function import TrainFunction, intercept, remove

_KEYS = (
    "epoch",
    "batch",
    "first",
    "optimizer",
    "epoch_random",
    "stopped",
    "weights",
    "metrics",
    "random",
    "callbacks",
)


class FullState(keras.callbacks.Callback):
    """Save the state of training, and restore it when `fit` is called again after an interruption.

    A run that was killed and started again ends with the weights of a run that was not. Beside weights,
    optimizer and epoch, which `keras.callbacks.BackupAndRestore` saves, this holds the seeds of dropout, the
    order of shuffled data, the state of the other callbacks (`EarlyStopping`, `ReduceLROnPlateau`, yours),
    the history and, if saved there, the place within an epoch. It works for any Keras model.

    A data set is brought to its place by making iterators of it, so make it anew before `fit` is called
    again in the same process. The file is written whole or not at all. It is read without running what is
    in it. When `fit` ends, it is deleted.

    Put it first in the list of callbacks, so that it sees the others between their epochs; `Distiller.fit`
    does that by itself. What must be the same in every start: the model, the data set and its seeds. Python
    generators are read again from their first batch. A `keras.utils.PyDataset` decides on its own order;
    derive it from the epoch. Data augmentation should use stateless random numbers. Of other callbacks, the
    attributes that changed since training began are restored, if they are numbers, strings, arrays, or lists
    or dictionaries of these.

    Under several workers all of them must see the same file system: the chief writes, all read. There
    give `delete_checkpoint=False`, because one worker may be killed when another has finished.

    Args:
        path: The file, a NumPy archive: `"state.npz"`.
        save_freq: `"epoch"`, or a number of batches.
        delete_checkpoint: Whether to delete the file when training ends. If not, the same call of `fit`
            does nothing then.
        callbacks: The other callbacks. `Distiller.fit` finds them by itself.
        data: The data set that `fit` is given. `Distiller.fit` finds it by itself.

    Raises:
        ValueError: The file is no such state, or that of a model of other shapes; a `CSVLogger` that would
            delete what it has logged; a model that has not all its weights yet.
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
        data: Any = None,
    ) -> None:
        super().__init__()
        whole_number = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
        if save_freq != "epoch" and not whole_number:
            raise ValueError(f"`save_freq` must be 'epoch' or a number of batches. Received: {save_freq!r}.")
        self.path, self.save_freq, self.delete_checkpoint = Path(path), save_freq, delete_checkpoint
        self.watch(callbacks, data)
        self._saved: dict[str, Any] | None = None  # what an earlier run has left
        self._skips, self._skipped = False, 0
        if isinstance(save_freq, int):
            # Defined only then: Keras waits for the end of each batch if a callback asks for it.
            self.on_train_batch_end = self._batch_ended

    def watch(self, callbacks: Sequence[keras.callbacks.Callback], data: Any) -> None:
        """Name the other callbacks, and the data that `fit` is given."""
        self._siblings, self._data = [c for c in callbacks if c is not self], data
        for callback in self._siblings:
            if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
                raise ValueError(
                    "This CSVLogger would delete what it has logged when training is resumed. Give it "
                    "append=True."
                )

    def on_train_begin(self, logs: Any = None) -> None:
        self._epoch, self._batch, self._since = 0, 0, 0
        self._before: list[dict[str, Any]] = []  # of each callback
        begin_at(self.model, None)  # Keras keeps that of an earlier fit
        self._first: int | None = None  # the epoch in which training began, in whatever process
        _check_ready(self.model)
        if _writes(self.model):
            state_file.check_place(self.path)
        self._place = place(self._data, 0, self.params["steps"])
        self._saved = state_file.read(self.path, _KEYS) if self.path.exists() else None
        if self._saved is None:
            return
        self._restore_weights()
        self._epoch = self._saved["epoch"]
        begin_at(self.model, self.params["epochs"] if self._saved["stopped"] else self._epoch)
        self._first = self._saved["first"]
        trained, at_once = self._epoch - self._first, self.model.steps_per_execution
        self._place = place(self._data, trained, self.params["steps"], at_once)
        advance(self._data, self._place.iterators)
        if self.params["verbose"]:
            where = f"goes on at epoch {self._epoch + 1}, batch {self._saved['batch'] + 1}"
            done = self._saved["stopped"] or self._epoch >= self.params["epochs"]
            print(f"Training {'had ended' if done else where}, says {self.path}.")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        first = not self._before
        self._epoch, self._batch = epoch, 0
        if first:
            begin_at(self.model, None)  # it was read, and would hold for other fits
            self._before = callback_state.note(self._watched())
            self._first = epoch if self._first is None else self._first
            if self._saved is not None:
                self._restore_all()  # the others may have changed something when training began
                callback_state.restore_random_numbers(self._saved["epoch_random"])
                self._go_to(self._place.batches, self._saved["batch"])
                self._saved = self._saved if self._skips else None  # it is as large as the model
        self._epoch_random = callback_state.random_numbers()
        if not first and self.save_freq == "epoch":
            self._save()

    def _batch_ended(self, batch: int, logs: Any = None) -> None:
        steps, self._batch = batch + 1 - self._batch, batch + 1
        self._since += steps
        if self._since >= int(self.save_freq) and not self._skips:
            self._since = 0
            self._save()

    def on_train_end(self, logs: Any = None) -> None:
        begin_at(self.model, None)
        nothing_was_left = not self._before
        if nothing_was_left:
            self._restore_all()
        elif not self.delete_checkpoint:
            self._epoch, self._batch = self._epoch + 1, 0
            self._save()
        if self.delete_checkpoint and _writes(self.model):
            self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        values = {
            "epoch": self._epoch,
            "batch": self._batch,
            "first": self._first,
            "optimizer": type(self.model.optimizer).__name__,
            "epoch_random": self._epoch_random,
            "stopped": bool(self.model.stop_training),
            "weights": _values(_variables(self.model)),
            "metrics": _values(self.model.metrics_variables) if self._batch else [],
            "random": callback_state.random_numbers(),
            "callbacks": callback_state.changes(self._watched(), self._before),
        }
        if _writes(self.model):  # all workers have to read the values, some of which are spread over them
            state_file.write(self.path, values)

    def _restore(self, variables: list[Any], what: str) -> None:
        assert self._saved is not None
        values = self._saved[what]
        shapes = [tuple(variable.shape) for variable in variables]
        saved = [tuple(value.shape) for value in values]
        if shapes != saved or self._saved["optimizer"] != type(self.model.optimizer).__name__:
            differ = [pair for pair in zip(saved, shapes, strict=False) if pair[0] != pair[1]]
            detail = (
                f"; the first that differs has the shape {differ[0][0]}, not {differ[0][1]}" if differ else ""
            )
            raise ValueError(
                f"{self.path} holds the state of another model or optimizer: {len(saved)} {what} were saved, "
                f"and {len(shapes)} are wanted{detail}. Delete it to start anew, or name another file."
            )
        with self.model.distribute_strategy.scope():
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _watched(self) -> list[keras.callbacks.Callback]:
        return [*self._siblings, self.model.history]

    def _restore_weights(self) -> None:
        assert self._saved is not None
        self._restore(_variables(self.model), "weights")
        callback_state.restore_random_numbers(self._saved["random"])

    def _restore_all(self) -> None:
        if self._saved is not None:
            self._restore_weights()
            callback_state.restore(self._watched(), self._saved["callbacks"])

    def _go_to(self, owed: int, batches: int) -> None:
        """Take what was trained on from the data, before the next call of the train function trains."""
        model, history = self.model, self.model.history
        self._skips, self._skipped = batches > 0, 0
        waiting = owed

        def run(iterator: Any, train: TrainFunction) -> Any:
            nonlocal waiting
            interrupted = model.history is not history  # this was of a fit that ended while it skipped
            while waiting and not interrupted:
                next(iterator)
                waiting -= 1
            if interrupted or not self._skips:
                remove(model, skipping)
                return train(iterator)
            logs = self._skip(iterator, batches)
            if not self._skips:
                remove(model, skipping)
            return logs

        if owed or batches:
            skipping = intercept(model, run)

    def _skip(self, iterator: Any, batches: int) -> Any:
        model = self.model
        taken = [data for _, data in zip(range(model.steps_per_execution), iterator, strict=False)]
        if not taken:
            raise StopIteration
        if self._skipped == 0:
            if strategy_of(model) is None:  # metrics are made by the first step, which is not run
                build_on_batch(model, taken[0])
            self._restore(model.metrics_variables, "metrics")
        self._skipped += len(taken)
        if self._skipped >= batches or len(taken) < model.steps_per_execution:
            self._restore_all()  # the others have seen the epoch and these batches begin
            self._skips, self._saved = False, None
        return model.get_metrics_result()


def _variables(model: keras.Model) -> list[Any]:
    """Weights, seeds, recurrent states and what the optimizer holds."""
    optimizer, weights = model.optimizer, [*model.variables, *recurrent_states(model)]
    if optimizer is None:
        return weights
    if not optimizer.built:
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)
    return [*weights, *optimizer.variables]


def _check_ready(model: keras.Model) -> None:
    if not (model.built and getattr(model, "prepared", True)):
        raise ValueError(
            f"kd.FullState restores weights before the first step, and {model.name!r} has not all of them. "
            "Call the model once on a batch of data before `fit`. If it has projections, give `fit` arrays "
            "or a tf.data.Dataset, which tell their shapes."
        )


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _writes(model: keras.Model) -> bool:
    return bool(model.distribute_strategy.extended.should_checkpoint)


def put_first(callbacks: Any, data: Any) -> Any:
    """The callbacks of `fit`, with those first that save the state of the others, which they are told."""
    if isinstance(callbacks, keras.callbacks.CallbackList) or callbacks is None:
        return callbacks
    listed = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    listed.sort(key=lambda callback: not isinstance(callback, FullState))
    for callback in listed:
        if isinstance(callback, FullState):
            callback.watch(listed, data)
    return listed

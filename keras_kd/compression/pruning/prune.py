"""Pruning: a callback that sets the smallest weights to zero, bit by bit, and keeps them there."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_kd.compression.pruning import schedules
from keras_kd.compression.pruning.arguments import check_together, names
from keras_kd.compression.pruning.kernels import Kernel, chosen
from keras_kd.compression.pruning.mask_constraint import Masked, attached, iterations
from keras_kd.compression.pruning.patterns import Groups, Pattern, keep_largest, parse
from keras_kd.compression.pruning.schedules import check_share
from keras_kd.messages import did_you_mean
from keras_kd.training import train_function

_SCOPES = ["layer", "global"]


class Prune(keras.callbacks.Callback):
    """Prune a model while it trains: the smallest weights become zero, and stay exactly zero.

    It works with `fit` of any Keras model and of `kd.Distiller`, whose student it prunes. There is no wrapper
    and nothing to strip: the zeros are held by the constraints of the weights, which the optimizer applies
    inside of its compiled step, and when training ends the model is what it was, with zeros. A constraint of
    your own goes on to work, and is put back. The moving averages of an optimizer with `use_ema` are pruned
    as well.

    Steps are the batches of this `fit`, counted from 1. The polynomial schedule is `final + (initial -
    final) * (1 - (step - begin) / (end - begin)) ** power`; it is asked at `begin`, every `frequency`
    steps, and at `end`, before the batch is trained on. `n:m` patterns are pruned at once, at `begin`. With
    `steps_per_execution` a step that falls inside of an execution is taken at its start. A weight that was
    pruned does not grow again as long as the sparsity does not fall.

    The logs of each epoch get `sparsity`, the share of zeros that is held. Put `Prune` after callbacks that
    restore weights when training ends, such as `EarlyStopping(restore_best_weights=True)`: what they restore
    is pruned then. The best epoch of a `ModelCheckpoint` may be one before `end`. `kd.FullState` saves masks
    and steps. `keras.callbacks.BackupAndRestore` does not: masks are then seen from the zeros of the
    weights, and steps from the optimizer.

    Source: Zhu and Gupta 2017, arXiv 1710.01878.

    Args:
        sparsity: The share of zeros at the end, in [0, 1). It may be left out with `"n:m"`, with a schedule
            that says it, and if `layers` gives one for each. `"keep"`: prune nothing, and keep the zeros that
            are there.
        pattern: `"unstructured"`; `"n:m"`, such as `"2:4"`: at most 2 of every 4 consecutive inputs of an
            output are not zero; or blocks `"ROWSxCOLUMNS"`, such as `"1x4"`: of 1 input by 4 outputs.
        begin: The first step at which to prune.
        end: The last one. Default: the polynomial schedule takes three quarters of this training, the
            constant one has no end.
        frequency: Steps from one update of the masks to the next.
        schedule: `"polynomial"`, `"constant"`, a function `step -> sparsity`, or a schedule object of
            tensorflow-model-optimization.
        initial_sparsity: Where the polynomial schedule begins, in [0, 1).
        power: Its exponent.
        layers: Which layers: names, paths (`"backbone/conv1"`), globs (`"conv*"`), or a mapping from these
            to sparsities; of several that match, the last counts. The others get `sparsity` if that is given
            too. Default: the kernels of all dense, convolutional, attention and recurrent layers.
            Embeddings are pruned if they are named. A layer of your own is, if its `get_prunable_weights()`
            returns weights.
        skip: Names, paths or globs of layers to leave alone. Frozen layers always are.
        scope: `"layer"`: each weight gets this sparsity. `"global"`: all together do, so that layers of large
            weights keep more.
        block_pooling: `"mean"` or `"max"`: what of a block's magnitudes is compared.

    Raises:
        ValueError: Before training: arguments out of range or that contradict each other, unknown layers,
            nothing to prune, a pattern that does not divide a kernel, a model that is not built, no `end` for
            data of unknown length.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x, y = np.random.rand(256, 8), np.random.rand(256, 1)
        >>> history = model.fit(x, y, epochs=4, verbose=0, callbacks=[kd.Prune(0.75, end=20, frequency=5)])
        >>> kd.sparsity(model).fraction
        0.75
    """

    def __init__(
        self,
        sparsity: Any = None,
        *,
        pattern: str = "unstructured",
        begin: int = 0,
        end: int | None = None,
        frequency: int = 100,
        schedule: Any = "polynomial",
        initial_sparsity: float = 0.0,
        power: float = 3,
        layers: Sequence[str] | Mapping[str, float] | str | None = None,
        skip: Sequence[str] | str = (),
        scope: str = "layer",
        block_pooling: str = "mean",
    ) -> None:
        super().__init__()
        self.layers = None if layers is None else names(layers)
        self.skip = names(skip)
        self.pattern: Pattern = parse(pattern, block_pooling)
        self.keeps = isinstance(sparsity, str) and sparsity == "keep"
        if callable(sparsity):
            if schedule != "polynomial":
                raise ValueError("`sparsity` is a schedule here. Leave out `schedule`.")
            sparsity, schedule = None, sparsity
        if scope not in _SCOPES:
            raise ValueError(
                f"`scope` must be one of {_SCOPES}. Received: {scope!r}.{did_you_mean(str(scope), _SCOPES)}"
            )
        self.scope = scope
        given = None if self.keeps else sparsity
        flat = isinstance(self.pattern, Groups) and schedule == "polynomial"
        shape = "constant" if flat else schedule
        self.schedule: Any = schedules.make(given, shape, begin, end, frequency, initial_sparsity, power)
        self.sparsity = given
        if isinstance(layers, Mapping):
            for name, value in layers.items():
                check_share(value, f"layers[{name!r}]")
        given_all = (pattern, begin, end, frequency, schedule, scope, initial_sparsity, power)
        check_together(self, callable(schedule), given_all)
        self._kernels: list[tuple[Kernel, float | None]] = []
        self._constraints: list[Masked] = []
        self._before = 0
        self._forget()

    def _forget(self) -> None:
        """What `kd.FullState` saves and restores: numbers, and arrays."""
        self._masks: list[np.ndarray] | None = None
        self._asked = -1  # up to which step the schedule was
        self._epochs_steps = 0  # of the epochs that have ended
        self._batches = 0  # of this epoch
        self._end: int | None = None

    def set_model(self, model: keras.Model) -> None:
        """Keras calls this before any callback restores anything."""
        if not isinstance(model, keras.Model):
            raise TypeError(
                f"kd.Prune prunes models of Keras 3. Received: a {type(model).__name__} of "
                f"{type(model).__module__}. For models of tf_keras: kd.tfmot.prune_low_magnitude."
            )
        super().set_model(model)
        self._before = iterations(model)

    def on_train_begin(self, logs: Any = None) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(f"kd.Prune works on TensorFlow, and Keras runs on {keras.backend.backend()!r}.")
        student = getattr(self.model, "student", None)
        student = student if isinstance(student, keras.Model) else self.model
        self._forget()
        others = self.sparsity if isinstance(self.layers, Mapping) else None
        self._kernels = chosen(student, self.layers, self.skip, self.pattern.structured, others)
        self._check_fit()
        train_function.remake(self.model)  # one that was traced before has the constraints of then in it

    def _check_fit(self) -> None:
        faults = [(kernel, self.pattern.fault(kernel.run, kernel.outputs)) for kernel, _ in self._kernels]
        told = [f"{kernel.path!r} {tuple(kernel.variable.shape)}: {why}" for kernel, why in faults if why]
        if told:
            names = list(dict.fromkeys(kernel.layer for kernel, why in faults if why))
            raise ValueError(
                f"The pattern does not divide these kernels: {'; '.join(told)}. Leave them out: skip={names}."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches = 0
        if self._masks is None:
            self._start(epoch)
        if not self._constraints:
            with self.model.distribute_strategy.scope():
                self._constraints = attached([kernel.variable for kernel, _ in self._kernels], self.model)

    def _start(self, epoch: int) -> None:
        restored = iterations(self.model) - self._before  # by `BackupAndRestore`
        self._epochs_steps, self._asked = restored, restored or -1
        ones = [kernel.value() != 0 for kernel, _ in self._kernels]
        if self.keeps:
            if all(mask.all() for mask in ones):
                raise ValueError("There are no zeros to keep in the kernels of this model. Prune it first.")
            self._masks = ones
            return
        self._plan(epoch)
        if restored > self.schedule.begin:
            self._masks = ones
        else:
            self._masks = [np.ones(mask.shape, bool) for mask in ones]

    def _plan(self, epoch: int) -> None:
        """Find the end of a ramp that was not given one."""
        steps, epochs = self._steps(), (self.params or {}).get("epochs")
        planned = steps and epochs and self._epochs_steps + steps * (epochs - epoch)
        schedule = self.schedule
        last = (schedule.end if schedule.ramps else None) or schedule.begin
        if planned and planned < last:
            warnings.warn(
                f"This training has {planned} steps, and kd.Prune has to go on until step {last}: the "
                "sparsity will not be reached.",
                stacklevel=2,
            )
        if schedule.ramps and schedule.end is None:
            if not planned:
                raise ValueError(
                    "Say when pruning ends: kd.Prune(..., end=STEP). This data set does not tell how many "
                    "batches it has."
                )
            self._end = schedule.ending(planned).end

    def _steps(self) -> int | None:
        """Batches in an epoch, if that is known."""
        return (self.params or {}).get("steps")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not self._constraints:
            self.on_epoch_begin(0)  # in a loop of the user's own
        if self._masks is not None and self._constraints[0].held is not self._masks[0]:
            self._check_shapes(self._masks)
            self._hold(self._masks)  # they are new, or were restored
        ended = batch + self.model.steps_per_execution
        self._batches = min(ended, self._steps() or ended)
        until = self._epochs_steps + self._batches
        if until <= self._asked:
            return
        step = None if self.keeps else self._due(until)
        self._asked = until
        if step is not None:
            self._hold(self._select(step))

    def _due(self, until: int) -> int | None:
        if isinstance(self.pattern, Groups):
            return until if self._asked < max(self.schedule.begin, 1) <= until else None
        return self._scheduled().due(self._asked, until)

    def _scheduled(self) -> Any:
        return self.schedule if self._end is None else replace(self.schedule, end=self._end)

    def _select(self, step: int) -> list[np.ndarray]:
        matrices = [
            kernel.matrix(np.where(mask, np.abs(kernel.value()), -1))  # what is pruned goes first
            for (kernel, _), mask in zip(self._kernels, self._masks or (), strict=True)
        ]
        if isinstance(self.pattern, Groups):
            kept = [self.pattern.mask(matrix) for matrix in matrices]
        else:
            scores = [self.pattern.scores(matrix) for matrix in matrices]
            schedule = self._scheduled()
            if self.scope == "global":
                large = keep_largest(scores, schedule.sparsity(step))
            else:
                shares = [schedule.sparsity(step, given) for _, given in self._kernels]
                large = [keep_largest([s], share)[0] for s, share in zip(scores, shares, strict=True)]
            kept = [self.pattern.spread(mask) for mask in large]
        return [kernel.unmatrix(mask) for (kernel, _), mask in zip(self._kernels, kept, strict=True)]

    def _check_shapes(self, masks: list[np.ndarray]) -> None:
        wanted = [tuple(kernel.variable.shape) for kernel, _ in self._kernels]
        if [mask.shape for mask in masks] != wanted:
            raise ValueError(
                "The masks that were restored are of other weights. Give kd.Prune the layers of the training "
                "that was interrupted, or delete its state."
            )

    def _hold(self, masks: list[np.ndarray]) -> None:
        """Make these the masks that training keeps, and the weights fit them."""
        self._masks = masks
        with self.model.distribute_strategy.scope():
            for constraint, mask in zip(self._constraints, masks, strict=True):
                constraint.hold(mask)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epochs_steps += self._batches
        if logs is not None and self._masks is not None:
            logs["sparsity"] = 1 - sum(int(m.sum()) for m in self._masks) / sum(m.size for m in self._masks)

    def on_train_end(self, logs: Any = None) -> None:
        if self._masks is not None and self._constraints:
            self._hold(self._masks)  # Keras may have put averages of the weights into their place
        for constraint in self._constraints:
            constraint.detach()
        self._constraints = []
        self._before = iterations(self.model)
        train_function.discard(self.model)

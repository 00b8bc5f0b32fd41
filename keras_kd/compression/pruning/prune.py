"""Pruning: a callback that sets the smallest weights to zero, step by step, and keeps them there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import keras
import numpy as np

from keras_kd.compression.kernel_callback import KernelCallback, Logs
from keras_kd.compression.kernel_selection import select_kernels
from keras_kd.compression.kernels import Kernel
from keras_kd.compression.pruning.arguments import Arguments, Layers, Sparsity, resolve
from keras_kd.compression.pruning.mask_constraint import MaskConstraint
from keras_kd.compression.pruning.masks import (
    Masks,
    check_mask_shapes,
    check_pattern_fits,
    fraction_of_zeros,
    nonzeros,
    select_masks,
)
from keras_kd.compression.pruning.patterns import Groups
from keras_kd.compression.pruning.schedules import PolynomialSchedule, Schedule, StepFunction
from keras_kd.compression.selection import Selection


class Prune(KernelCallback[MaskConstraint, float]):
    """Prune a model during training: the smallest weights become zero, and stay exactly zero.

    It works with `fit` of any Keras model and of `kd.Distiller`, whose student it prunes, and in a loop of
    your own. There is nothing to strip: the zeros are kept by weight constraints, which the optimizer applies
    within its compiled step, and after training the model is the same as before, with zeros. Your own
    constraints are still applied, and are restored afterwards. Moving averages (`use_ema`) are pruned too.

    Steps are the batches of this `fit`, counted from 1. The polynomial schedule is `final + (initial -
    final) * (1 - (step - begin) / (end - begin)) ** power`; it is evaluated at `begin`, every `frequency`
    steps, and at `end`, before the batch is trained on. `n:m` patterns are applied at once, at `begin`. With
    `steps_per_execution`, an update that falls within an execution is made at its start. A pruned weight
    stays pruned unless the sparsity decreases.

    The logs of each epoch contain `sparsity`, the fraction of weights that are held at zero. Put `Prune`
    after callbacks that restore weights when training ends (`EarlyStopping(restore_best_weights=True)`), so
    that the restored weights are pruned. The best epoch of a `ModelCheckpoint` may be one before `end`.
    `kd.FullState` saves masks and steps. `keras.callbacks.BackupAndRestore` does not: masks are then inferred
    from the zeros of the weights, and steps from the optimizer.

    Source: Zhu and Gupta 2017, arXiv 1710.01878.

    Args:
        sparsity: The final fraction of zeros, in [0, 1). It may be omitted with `"n:m"`, with a schedule
            that defines it, and if `layers` gives one for each. `"keep"`: prune nothing, and keep the
            existing zeros.
        pattern: `"unstructured"`; `"n:m"`, such as `"2:4"`: at most 2 of every 4 consecutive inputs of an
            output are nonzero; or blocks `"ROWSxCOLUMNS"`, such as `"1x4"`: 1 input by 4 outputs.
        begin: The first step at which to prune.
        end: The last such step. Default: the polynomial schedule takes three quarters of this training run;
            the constant one has no end.
        frequency: Steps between updates of the masks.
        schedule: `"polynomial"`, `"constant"`, a function `step -> sparsity`, or a schedule object of
            tensorflow-model-optimization.
        initial_sparsity: The sparsity at which the polynomial schedule begins, in [0, 1).
        power: The exponent of the polynomial schedule.
        layers: Which layers: names, paths (`"backbone/conv1"`), globs (`"conv*"`), or a mapping from these
            to sparsities; if several match, the last one counts. Other layers get `sparsity` if that is also
            given. Default: the kernels of all dense, convolutional, attention and recurrent layers.
            Embeddings are pruned only if they are named. A layer of your own is pruned if its
            `get_prunable_weights()` returns weights.
        skip: Names, paths or globs of layers to skip. Frozen layers are always skipped.
        scope: `"layer"`: each weight gets this sparsity. `"global"`: all of them together, so that layers
            with large weights keep more.
        block_pooling: `"mean"` or `"max"`: how the magnitudes in a block are combined.

    Raises:
        ValueError: Before training: arguments that are out of range or contradict each other, unknown layers,
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

    title, work, twin = "kd.Prune", "prunes", "kd.tfmot.prune_low_magnitude"
    unreached = "the sparsity will not be reached"

    def __init__(
        self,
        sparsity: Sparsity = None,
        *,
        pattern: str = "unstructured",
        begin: int = 0,
        end: int | None = None,
        frequency: int = 100,
        schedule: str | StepFunction = "polynomial",
        initial_sparsity: float = 0.0,
        power: float = 3,
        layers: Layers = None,
        skip: Sequence[str] | str = (),
        scope: str = "layer",
        block_pooling: str = "mean",
    ) -> None:
        super().__init__()
        when = begin, end, frequency, schedule, initial_sparsity, power
        settings = resolve(Arguments(sparsity, pattern, *when, layers, skip, scope, block_pooling))
        self.sparsity, self.keeps = settings.sparsity, settings.keeps
        self.pattern, self.schedule = settings.pattern, settings.schedule
        self.layers, self.skip, self.scope = settings.layers, settings.skip, settings.scope

    def _reset_state(self) -> None:
        super()._reset_state()
        self._masks: Masks | None = None
        self._asked = -1  # the step up to which the schedule was evaluated
        self._end: int | None = None

    def _select(self, model: keras.Model) -> list[tuple[Kernel, float | None]]:
        default = self.sparsity if isinstance(self.layers, Mapping) else None
        selection = Selection(self.layers, self.skip, default)
        kernels = select_kernels(model, selection, self.pattern.structured)
        check_pattern_fits(kernels, self.pattern)
        return kernels

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch)
        if self._masks is None:
            self._initialize_masks(epoch)
        self._attach()

    def _constrain(self, kernel: Kernel, value: float | None) -> MaskConstraint:
        return MaskConstraint(kernel.variable, self.model)

    def _initialize_masks(self, epoch: int) -> None:
        restored = self._restored_steps()
        self._epochs_steps, self._asked = restored, restored or -1
        masks = nonzeros(self._kernels)
        if self.keeps:
            if all(mask.all() for mask in masks):
                raise ValueError("There are no zeros to keep in the kernels of this model. Prune it first.")
            self._masks = masks
            return
        self._find_end(epoch)
        resumed = restored > self.schedule.begin
        self._masks = masks if resumed else [np.ones(mask.shape, bool) for mask in masks]

    def _find_end(self, epoch: int) -> None:
        """Determine the end of a ramp that was given none."""
        schedule = self.schedule
        ramp = schedule if isinstance(schedule, PolynomialSchedule) else None
        planned = self._find_planned(epoch, (ramp.end if ramp else None) or schedule.begin)
        if ramp and ramp.end is None:
            if not planned:
                raise ValueError(
                    "Say when pruning ends: kd.Prune(..., end=STEP). The number of batches in this dataset "
                    "is not known."
                )
            self._end = ramp.with_end_for(planned).end

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        until = self._count(batch)
        if self._masks is not None and self._constraints[0].last_set is not self._masks[0]:
            check_mask_shapes(self._kernels, self._masks)
            self._set_masks(self._masks)  # they are new, or were restored
        if until <= self._asked:
            return
        step = None if self.keeps else self._due(until)
        self._asked = until
        if step is not None:
            schedule = self._schedule_with_end()
            self._set_masks(
                select_masks(self._kernels, self._masks or (), self.pattern, schedule, self.scope, step)
            )

    def _due(self, until: int) -> int | None:
        if isinstance(self.pattern, Groups):
            return until if self._asked < max(self.schedule.begin, 1) <= until else None
        return self._schedule_with_end().due(self._asked, until)

    def _schedule_with_end(self) -> Schedule:
        schedule = self.schedule
        if isinstance(schedule, PolynomialSchedule) and self._end is not None:
            return replace(schedule, end=self._end)
        return schedule

    def _set_masks(self, masks: Masks) -> None:
        """Use these masks from now on, and set the weights that they prune to zero."""
        self._masks = masks
        with self.model.distribute_strategy.scope():
            for constraint, mask in zip(self._constraints, masks, strict=True):
                constraint.set_mask(mask)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_end(epoch)
        if logs is not None and self._masks is not None:
            logs["sparsity"] = fraction_of_zeros(self._masks)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._masks is not None and self._constraints:
            self._set_masks(self._masks)  # Keras may have replaced the weights with their averages
        super().on_train_end()

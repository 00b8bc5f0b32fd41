"""What Keras 3 lacks to train a model with several replicas, on one or more machines.

Keras 3.15 cannot `fit` any model under `MultiWorkerMirroredStrategy`: it reduces whole batches of data to
find out their shape, and reduces scalar logs along an axis that they do not have.
"""

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import tensorflow as tf

from keras_kd.keras_internals import TrainedModel, all_layers, build_on_batch, strategy_of
from keras_kd.tensors import Tensor, Tensors
from keras_kd.training.first_batch import FirstBatch

Step: TypeAlias = Callable[[Any], dict[str, Any]]


class ReplicatedModel(TrainedModel):
    """A `TrainedModel` that several replicas can train."""

    if TYPE_CHECKING:  # set by a subclass
        _first_batch: FirstBatch

    def adapt_step(self, step: Step) -> Step:
        return adapt_step(self, step)

    def logs_of_epoch(self, logs: dict[str, Tensor]) -> dict[str, Tensor]:
        return logs_of_replicas(self, logs)

    def build_under_strategy(self, iterator: Iterable[Any] | None, batch: Tensors) -> None:
        if strategy_of(self) is not None:
            build_on_first_replica(self, self._first_batch, iterator, batch)


def adapt_step(model: keras.Model, step: Step) -> Step:
    """A training or evaluation step that the model's strategy can run in each replica."""
    if step == model.train_step and is_replicated(model.distribute_strategy):
        step = _with_samples(model, step)
    return _with_axis(step) if _spans_workers(model.distribute_strategy) else step


def logs_of_replicas(model: keras.Model, logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The metrics over all replicas. Keras averages the replicas' values unless all metrics are logged."""
    metrics = model.get_metrics_result()
    return {name: metrics[name] for name in logs} if logs.keys() <= metrics.keys() else logs


def build_on_first_replica(
    model: keras.Model, first_batch: FirstBatch, iterator: Iterable[Any] | None, batch: Tensors
) -> None:
    """Create a model's variables on the part of a batch that the first replica of this worker gets.

    Args:
        model: A model created under a strategy.
        first_batch: Validates that batch, if `fit` is running and awaits it.
        iterator: Keras's epoch iterator, whose first batch is taken; `None`: use `batch`.
        batch: A batch, if there is no iterator.

    Raises:
        ValueError: An epoch without batches, or a batch that must not be trained on.
    """
    if iterator is not None:
        batches = (next(batches, None) for _, _, batches in iterator)
        batch = next(batches, None)
    if batch is None:
        raise ValueError("The data set gave no batch.")
    strategy = model.distribute_strategy
    data = keras.tree.map_structure(lambda value: strategy.experimental_local_results(value)[0], batch)
    with strategy.scope():
        if first_batch.is_awaited:
            first_batch.validate(data)
        build_on_batch(model, data)


def is_replicated(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether a strategy trains more than one replica."""
    return strategy is not None and (strategy.num_replicas_in_sync > 1 or _spans_workers(strategy))


def check_scope(model: keras.Model, strategy: tf.distribute.Strategy | None, role: str) -> None:
    """Raise a `ValueError` if a model's weights were created outside the strategy that trains them."""
    for weight in model.weights:
        value = weight.value
        inside = strategy is not None and strategy.extended.variable_created_in_scope(value)
        if not inside and (strategy is not None or isinstance(value, tf.distribute.DistributedValues)):
            raise ValueError(
                f"The {role} {model.name!r} and the Distiller must be created under the same strategy. "
                "Create both, and call `compile`, in `with strategy.scope():`. A teacher may be created "
                "anywhere."
            )


def check_options(model: keras.Model) -> None:
    """Raise a `ValueError` for what Keras cannot do with several replicas."""
    if not is_replicated(model.distribute_strategy):
        return
    accumulates = getattr(model.optimizer, "gradient_accumulation_steps", None)
    overwrites = getattr(model.optimizer, "ema_overwrite_frequency", None)
    refused = {
        "compile(steps_per_execution=...)": model.steps_per_execution > 1,
        "compile(jit_compile=True)": model.jit_compile is True,
        "an optimizer with gradient_accumulation_steps": bool(accumulates),
        "an optimizer with ema_overwrite_frequency": bool(overwrites),
    }
    for what, used in refused.items():
        if used:
            raise ValueError(
                f"Keras 3 cannot train with {what} under a tf.distribute strategy of several replicas. "
                "Leave it out, or train without a strategy."
            )


def _spans_workers(strategy: tf.distribute.Strategy | None) -> bool:
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return strategy.extended._in_multi_worker_mode()


def _with_samples(model: keras.Model, step: Step) -> Step:
    """A step that rejects an empty batch if the model would average over it.

    The last batch of an epoch can leave a replica without samples. Keras's losses are zero there, but the
    statistics of BatchNormalization would become NaN, and the student with them.
    """

    @functools.wraps(step)
    def checked(data: Tensors) -> dict[str, Any]:
        norms = (layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization))
        if not all(norm.synchronized for norm in norms):
            tf.debugging.assert_positive(
                tf.shape(keras.tree.flatten(data)[0])[0],
                "A replica got no samples of the last batch, and BatchNormalization would turn that into "
                "NaN. Use a batch size that divides the number of samples, drop_remainder=True, or "
                "synchronized=True.",
            )
        return step(data)

    return checked


def _with_axis(step: Step) -> Step:
    """A step whose logs have an axis: Keras reduces the logs of workers along the first one."""

    @functools.wraps(step)
    def reshaped(data: Tensors) -> dict[str, Any]:
        return {name: keras.ops.reshape(value, (1,)) for name, value in step(data).items()}

    return reshaped

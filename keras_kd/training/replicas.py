"""What Keras 3 lacks to train a model with several replicas on one machine or on many."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_kd.training.first_batch import Cautious


class ReplicatedModel(Cautious, keras.Model):
    """A model whose `fit` works under `tf.distribute` strategies, those of several workers included.

    Keras 3.15 cannot `fit` any model under `MultiWorkerMirroredStrategy`: it reduces whole batches of data to
    learn their shape, and reduces scalar logs along an axis that they do not have.
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        strategy = self._distribute_strategy
        if strategy is None:
            return
        if iterator is not None:
            batches = (next(batches, None) for _, _, batches in iterator)
            data_batch = next(batches, None)
        if data_batch is None:
            raise ValueError("The data set gave no batch.")
        data = first_replica(strategy, data_batch)
        with strategy.scope():
            if self._fits:
                self._look(data)
            self._symbolic_build(data_batch=data)

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """The figures of all replicas. Keras gives the mean of their own, unless all metrics are logged."""
        metrics = self.get_metrics_result()
        return {name: metrics[name] for name in logs} if logs.keys() <= metrics.keys() else logs

    def _make_function(self, step_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        if step_function == self.train_step and replicated(self.distribute_strategy):
            step_function = _with_samples(step_function, self)
        if _spans_workers(self.distribute_strategy):
            step_function = _with_an_axis(step_function)
        return super()._make_function(step_function)


def first_replica(strategy: Any, data: Any) -> Any:
    """What the first replica of this worker gets of a batch."""
    return keras.tree.map_structure(lambda value: strategy.experimental_local_results(value)[0], data)


def replicated(strategy: Any) -> bool:
    """Whether a strategy trains more than one replica."""
    return strategy is not None and (strategy.num_replicas_in_sync > 1 or _spans_workers(strategy))


def check_scope(model: keras.Model, strategy: Any, role: str) -> None:
    """Raise a `ValueError` if a model's weights were made outside of the strategy that trains them."""
    for weight in model.weights:
        value = weight.value
        inside = strategy is not None and strategy.extended.variable_created_in_scope(value)
        if not inside and (strategy is not None or isinstance(value, tf.distribute.DistributedValues)):
            raise ValueError(
                f"The {role} {model.name!r} and the Distiller must be made under the same strategy. Make "
                "both, and call `compile`, in `with strategy.scope():`. A teacher may be made anywhere."
            )


def check_options(model: keras.Model) -> None:
    """Raise a `ValueError` for what Keras cannot do with several replicas."""
    if not replicated(model.distribute_strategy):
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


def _spans_workers(strategy: Any) -> bool:
    many = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return many and strategy.extended._in_multi_worker_mode()


def _with_samples(step_function: Callable[[Any], Any], model: keras.Model) -> Callable[[Any], Any]:
    """A step that refuses a batch of no sample if the model would take the mean of it.

    The last batch of an epoch can leave a replica without a sample. Keras's losses are zero there, but the
    statistics of BatchNormalization would become NaN, and the student with them.
    """
    norms = (layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization))
    if all(norm.synchronized for norm in norms):
        return step_function

    @functools.wraps(step_function)
    def step(data: Any) -> dict[str, Any]:
        tf.debugging.assert_positive(
            tf.shape(keras.tree.flatten(data)[0])[0],
            "A replica got no sample of the last batch, and BatchNormalization would make NaN of that. Use a "
            "batch size that divides the number of samples, drop_remainder=True, or synchronized=True.",
        )
        return step_function(data)

    return step


def _with_an_axis(step_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Keras reduces the logs of workers along their first axis; scalars have none."""

    @functools.wraps(step_function)
    def step(data: Any) -> dict[str, Any]:
        return {name: keras.ops.reshape(value, (1,)) for name, value in step_function(data).items()}

    return step

"""Every private Keras name that the package relies on, behind a plain one; no other module uses any.

Keras offers no public way to do these things. `tests/test_keras_internals.py` says which of the names a
Keras release has changed. Those of tf_keras are in `legacy.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras.src.backend import compute_output_spec
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask
from keras.src.losses.loss import reduce_weighted_values, unscale_loss_for_distribution
from keras.src.models.functional import Functional
from keras.src.ops.node import Node
from keras.src.ops.symbolic_arguments import SymbolicArguments
from keras.src.random.seed_generator import SeedGenerator, global_seed_generator
from keras.src.utils.tracking import TrackedDict, TrackedList, TrackedSet, Tracker

from keras_kd.tensors import Tensor, Tensors

# What a model consists of besides layers and operations, and what layers make of their containers.
PARTS_OF_MODELS = (Node, SymbolicArguments, Tracker)
TRACKED = (TrackedDict, TrackedList, TrackedSet)

# Layers


def child_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers that a layer holds directly; `layers` is public for models only."""
    return list(layer._layers)


def all_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """A layer and all layers inside it, at any depth."""
    return list(model._flatten_layers())


def own_trainable_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The variables that a layer itself created as trainable, whatever its `trainable` flag says."""
    return list(layer._trainable_variables)


def own_untrainable_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The variables that a layer itself created as non-trainable, such as moving statistics."""
    return list(layer._non_trainable_variables)


def own_seed_generators(layer: keras.layers.Layer) -> list[SeedGenerator]:
    """A layer's own seed generators, whose states are in no list of weights."""
    return list(layer._seed_generators)


def takes_training(operation: Any) -> bool:
    """Whether the `call` of a layer has an argument `training`."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def dropout_of(attention: keras.layers.Layer) -> float:
    """The fraction of attention scores that an attention layer drops during training."""
    return float(attention._dropout)


def hidden_argument(layer: keras.layers.Layer, name: str) -> Any:
    """A value that a layer keeps private, such as the `"lookup_layer"` of a TextVectorization."""
    return getattr(layer, f"_{name}")


def layer_family(layer: Any) -> str | None:
    """The kind of a Keras layer, such as `"pooling"` or `"activations"`; `None` for layers not from Keras.

    Examples:
        >>> layer_family(keras.layers.MaxPooling2D())
        'pooling'
    """
    parts = type(layer).__module__.split(".")
    return parts[3] if parts[:3] == ["keras", "src", "layers"] else None


def is_of_keras(value: Any) -> bool:
    """Whether a class, function or object is Keras's own, not merely derived from it."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return module.startswith("keras.src")


# Tensors


def mask_of(tensor: Tensor) -> Tensor | None:
    """The padding mask that Keras attached to a tensor; traced JAX tensors have none."""
    return get_keras_mask(tensor)


def attach_mask(tensor: Tensor, mask: Tensor) -> None:
    """Attach a padding mask to a tensor, for the layers after it to read."""
    set_keras_mask(tensor, mask)


def logits_behind(tensor: Tensor) -> Tensor | None:
    """The logits that a Keras softmax or sigmoid was computed from, where Keras kept them."""
    return getattr(tensor, "_keras_logits", None)


def output_spec(function: Callable[..., Any], *symbols: Any) -> Any:
    """What a function returns for symbolic tensors, on any backend, without computing anything."""
    return compute_output_spec(function, *symbols)


# Graphs


def functional_of(model: Any) -> Functional | None:
    """The model itself, or the one inside a Sequential; `None` for subclassed and unbuilt models."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if getattr(model, "_nodes_by_depth", None) else None


def runs_as_wired(model: object) -> bool:
    """Whether a model is Functional or Sequential and does not override `call`."""
    kinds = Functional, keras.Sequential
    return isinstance(model, kinds) and type(model).call in [kind.call for kind in kinds]


def nodes_of(function: keras.Function) -> list[Node]:
    """The calls of a functional model in topological order, without its inputs."""
    depths = sorted(function._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in function._nodes_by_depth[depth] if not node.is_input]


def input_structure(function: Functional) -> Tensors:
    """A functional model's symbolic inputs, in the structure in which it takes them."""
    return function._inputs_struct


def output_structure(function: Functional) -> Tensors:
    """A functional model's symbolic outputs, in the structure in which it returns them."""
    return function._outputs_struct


def maker_of(symbol: keras.KerasTensor) -> tuple[Any, Node | None]:
    """The operation that returned a symbolic tensor, and the node of that call."""
    history = symbol._keras_history
    nodes = history.operation._inbound_nodes
    return history.operation, nodes[history.node_index] if nodes else None


def calls_of(operation: Any) -> list[Node]:
    """Every symbolic call of an operation, in any model."""
    return list(operation._inbound_nodes)


# Training


def unscaled(loss: Tensor) -> Tensor:
    """A loss as one device would log it: undoes the division by the number of replicas."""
    return unscale_loss_for_distribution(loss)


def reduced(values: Tensor, sample_weight: Tensor | None, reduction: str | None, dtype: str) -> Tensor:
    """Per-sample values, reduced as Keras's losses reduce them."""
    return reduce_weighted_values(values, sample_weight=sample_weight, reduction=reduction, dtype=dtype)


def global_generator() -> SeedGenerator:
    """The seed generator that layers without a seed of their own draw from."""
    return global_seed_generator()


# Not properties of `TrainedModel`: Keras saves whatever it finds in a model's properties.
def compiled_loss(model: keras.Model) -> Callable[..., Tensor] | None:
    """The loss given to `compile`, as Keras calls it in a step; `None` without one."""
    return model._compile_loss


def compiled_loss_weights(model: keras.Model) -> Any:
    """The `loss_weights` given to `compile`, in their structure; `None` without any, or without a loss."""
    return getattr(model._compile_loss, "_user_loss_weights", None)


def total_tracker(model: keras.Model) -> keras.metrics.Metric:
    """The metric that logs `"loss"`."""
    return model._loss_tracker


def compiled_metrics(model: keras.Model) -> dict[str, Any]:
    """The metrics given to `compile`, by argument."""
    container = model._compile_metrics
    if container is None:
        return {}
    return {"metrics": container._user_metrics, "weighted_metrics": container._user_weighted_metrics}


def own_metrics(model: keras.Model) -> list[keras.metrics.Metric]:
    """The metrics that a model holds as attributes, without the compiled ones."""
    return list(model._metrics)


def strategy_of(model: keras.Model) -> Any:
    """The `tf.distribute` strategy under which a model was made, or `None`."""
    return model._distribute_strategy


def build_on_batch(model: keras.Model, batch: Any) -> None:
    """Create the variables of a model's metrics and optimizer for a batch, without taking a step."""
    model._symbolic_build(data_batch=batch)


def begin_at(model: keras.Model, epoch: int | None) -> None:
    """Make `fit` start at an epoch, as `BackupAndRestore` does; `None`: at its `initial_epoch`."""
    model._initial_epoch = epoch


# The argument by which the `fit` of either Keras tells `evaluate` that it validates.
WITHIN_FIT = "_use_cached_eval_dataset"

# Optimizers


def optimizer_steps(optimizer: Any) -> int:
    """How many batches an optimizer has seen, including those it only accumulated; 0 without an optimizer."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return 0 if optimizer is None else int(optimizer._iterations.numpy())


def moving_average(optimizer: Any, variable: keras.Variable) -> keras.Variable | None:
    """The moving average that an optimizer with `use_ema` keeps of a variable, or `None`."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    averages = getattr(optimizer, "use_ema", False) and optimizer.built
    if not averages or optimizer._var_key(variable) not in optimizer._trainable_variables_indices:
        return None
    return optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)]


# What Keras itself sets on a callback: not state of its own.
CALLBACK_ATTRIBUTES: Sequence[str] = ("params", "_model")

# Methods that are replaced on a layer while its outputs are recorded. `quantized_call` runs in place of
# `call` in layers quantized by Keras, and `MASK_METHOD` attaches a mask after `call` has returned.
CALL_METHODS: Sequence[str] = ("call", "quantized_call")
MASK_METHOD = "_set_mask_metadata"


class TrainedModel(keras.Model):
    """A `keras.Model` whose training can be adapted: Keras's private hooks under plain names.

    Override the public methods here; those with an underscore are Keras's.
    """

    def adapt_step(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What runs in place of `train_step`, `test_step` or `predict_step`."""
        return step

    def adapt_batch(self, batch: Any) -> Any:
        """The part of a batch that the metrics, the loss and the optimizer are built on."""
        return batch

    def logs_of_epoch(self, logs: dict[str, Any]) -> dict[str, Any]:
        """The logs for callbacks and the history at the end of an epoch, from the last batch's logs."""
        return super()._get_metrics_result_or_logs(logs)

    def build_under_strategy(self, iterator: Any, batch: Any) -> None:
        """Create variables before the first step under a `tf.distribute` strategy."""
        super()._maybe_symbolic_build(iterator=iterator, data_batch=batch)

    def require_compiled(self, method: str) -> None:
        """Raise an error unless `compile` was called before `method`, with arguments that can be used."""
        self._assert_compile_called(method)

    def check_compiled(self) -> None:
        """Raise an error for invalid `compile` arguments; overriding `compile` itself would break loading."""

    @property
    def has_new_metrics(self) -> bool:
        """Whether `compile` was given metrics that have not seen a batch, and so have no variables yet."""
        return self._compile_metrics is not None and not self._compile_metrics.built

    def additional_losses(self, losses: Sequence[Tensor]) -> Iterator[Tensor]:
        """Regularization and `add_loss` terms, as Keras adds them to the compiled loss of a step."""
        return (self._aggregate_additional_loss(loss) for loss in losses)

    def _make_function(self, step_function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return super()._make_function(self.adapt_step(step_function))

    def _symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        super()._symbolic_build(iterator=iterator, data_batch=self.adapt_batch(data_batch))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        self.build_under_strategy(iterator, data_batch)

    def _get_metrics_result_or_logs(self, logs: dict[str, Any]) -> dict[str, Any]:
        return self.logs_of_epoch(logs)

    def _assert_compile_called(self, method_name: str | None = None) -> None:
        super()._assert_compile_called(method_name)
        self.check_compiled()


class HookedCheckpoint(keras.callbacks.ModelCheckpoint):
    """A `keras.callbacks.ModelCheckpoint` whose way of writing files can be overridden."""

    def save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        """Write `self.model`, if a file is due."""
        super()._save_model(epoch, batch, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        self.save_model(epoch, batch, logs)

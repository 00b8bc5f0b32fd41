"""Every private name of Keras that the package relies on, behind a plain one; nothing else uses any.

Keras has no public way to these. `tests/test_keras_internals.py` says by name which of them a release of
Keras has changed. Those of tf_keras stand in `legacy.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras.src.backend import compute_output_spec
from keras.src.backend.common.masking import get_keras_mask, set_keras_mask
from keras.src.losses.loss import reduce_weighted_values, unscale_loss_for_distribution
from keras.src.models.functional import Functional
from keras.src.ops.node import Node
from keras.src.random.seed_generator import SeedGenerator, global_seed_generator

from keras_kd.tensors import Tensor, Tensors

# Layers


def child_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers that a layer holds directly; `layers` is public for models only."""
    return list(layer._layers)


def all_layers(model: keras.layers.Layer) -> list[keras.layers.Layer]:
    """A layer and all that it holds, however deep."""
    return list(model._flatten_layers())


def own_trainable_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The variables that a layer itself was made with to be trained, whatever its `trainable` flag says."""
    return list(layer._trainable_variables)


def own_untrainable_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The variables that a layer itself was made with not to be trained, such as moving statistics."""
    return list(layer._non_trainable_variables)


def own_seed_generators(layer: keras.layers.Layer) -> list[SeedGenerator]:
    """The random generators of a layer itself, whose states no list of weights has."""
    return list(layer._seed_generators)


def takes_training(operation: Any) -> bool:
    """Whether the `call` of a layer has an argument `training`."""
    return bool(getattr(operation, "_call_has_training_arg", False))


def dropout_of(attention: keras.layers.Layer) -> float:
    """The fraction of attention scores that an attention layer drops in training."""
    return float(attention._dropout)


def hidden_argument(layer: keras.layers.Layer, name: str) -> Any:
    """A value that a layer keeps for itself, such as the `"lookup_layer"` of a TextVectorization."""
    return getattr(layer, f"_{name}")


def layer_family(layer: Any) -> str | None:
    """The kind of a layer of Keras, such as `"pooling"` or `"activations"`; `None` for layers of others.

    Examples:
        >>> layer_family(keras.layers.MaxPooling2D())
        'pooling'
    """
    parts = type(layer).__module__.split(".")
    return parts[3] if parts[:3] == ["keras", "src", "layers"] else None


def is_of_keras(value: Any) -> bool:
    """Whether a class, function or object is one of Keras's own, and not derived from it."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return module.startswith("keras.src")


# Tensors


def mask_of(tensor: Tensor) -> Tensor | None:
    """The padding mask that Keras attached to a tensor; a traced tensor of JAX has none."""
    return get_keras_mask(tensor)


def attach_mask(tensor: Tensor, mask: Tensor) -> None:
    """Attach a padding mask to a tensor, which layers after it will read."""
    set_keras_mask(tensor, mask)


def logits_behind(tensor: Tensor) -> Tensor | None:
    """What a softmax or sigmoid of Keras was computed from, where Keras kept it."""
    return getattr(tensor, "_keras_logits", None)


def output_spec(function: Callable[..., Any], *symbols: Any) -> Any:
    """What a function returns for symbolic tensors, on any backend; nothing is computed."""
    return compute_output_spec(function, *symbols)


# Graphs


def functional_of(model: Any) -> Functional | None:
    """A model itself, or what a Sequential keeps inside; `None` for subclassed and for unbuilt models."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if getattr(model, "_nodes_by_depth", None) else None


def runs_as_wired(model: object) -> bool:
    """Whether a model is a Functional or Sequential one with a `call` of Keras's own."""
    kinds = Functional, keras.Sequential
    return isinstance(model, kinds) and type(model).call in [kind.call for kind in kinds]


def nodes_of(function: keras.Function) -> list[Node]:
    """The calls of a functional model, each after those whose results it reads, inputs left out."""
    depths = sorted(function._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in function._nodes_by_depth[depth] if not node.is_input]


def input_structure(function: Functional) -> Tensors:
    """The symbolic inputs of a functional model in the structure in which it takes them."""
    return function._inputs_struct


def output_structure(function: Functional) -> Tensors:
    """The symbolic outputs of a functional model in the structure in which it returns them."""
    return function._outputs_struct


def maker_of(symbol: keras.KerasTensor) -> tuple[Any, Node | None]:
    """The operation that returned a symbolic tensor, and the node of that call."""
    history = symbol._keras_history
    nodes = history.operation._inbound_nodes
    return history.operation, nodes[history.node_index] if nodes else None


def calls_of(operation: Any) -> list[Node]:
    """Every symbolic call of an operation, in whatever model."""
    return list(operation._inbound_nodes)


# Training


def unscaled(loss: Tensor) -> Tensor:
    """A loss as one device would log it: undoes the division by the number of replicas."""
    return unscale_loss_for_distribution(loss)


def reduced(values: Tensor, sample_weight: Tensor | None, reduction: str | None, dtype: str) -> Tensor:
    """One value per sample as the `reduction` of Keras's losses makes one of it."""
    return reduce_weighted_values(values, sample_weight=sample_weight, reduction=reduction, dtype=dtype)


def global_generator() -> SeedGenerator:
    """The random generator that layers without a seed of their own draw from."""
    return global_seed_generator()


# Not properties of `TrainedModel`: Keras saves what it finds in the properties of a model.
def compiled_loss(model: keras.Model) -> Callable[..., Tensor] | None:
    """The loss that `compile` was given, as Keras calls it in a step; `None` for none."""
    return model._compile_loss


def total_tracker(model: keras.Model) -> keras.metrics.Metric:
    """The metric that logs `"loss"`."""
    return model._loss_tracker


def compiled_metrics(model: keras.Model) -> dict[str, Any]:
    """The metrics that `compile` was given, by argument."""
    container = model._compile_metrics
    if container is None:
        return {}
    return {"metrics": container._user_metrics, "weighted_metrics": container._user_weighted_metrics}


def own_metrics(model: keras.Model) -> list[keras.metrics.Metric]:
    """The metrics that a model holds as attributes, compiled ones left out."""
    return list(model._metrics)


def strategy_of(model: keras.Model) -> Any:
    """The `tf.distribute` strategy under which a model was made, or `None`."""
    return model._distribute_strategy


def build_on_batch(model: keras.Model, batch: Any) -> None:
    """Make the variables of a model's metrics and optimizer for a batch, without a step."""
    model._symbolic_build(data_batch=batch)


def begin_at(model: keras.Model, epoch: int | None) -> None:
    """Have `fit` begin at an epoch, as `BackupAndRestore` does; `None`: at the one it was given."""
    model._initial_epoch = epoch


# Optimizers


def optimizer_steps(optimizer: Any) -> int:
    """How many batches an optimizer has seen, also those whose gradients it accumulates; 0 without one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return 0 if optimizer is None else int(optimizer._iterations.numpy())


def moving_average(optimizer: Any, variable: keras.Variable) -> keras.Variable | None:
    """The moving average that an optimizer with `use_ema` keeps of a variable, if there is one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    averages = getattr(optimizer, "use_ema", False) and optimizer.built
    if not averages or optimizer._var_key(variable) not in optimizer._trainable_variables_indices:
        return None
    return optimizer._model_variables_moving_average[optimizer._get_variable_index(variable)]


# What Keras itself sets on a callback: no state of its own.
CALLBACK_ATTRIBUTES: Sequence[str] = ("params", "_model")

# Methods that are replaced on a layer while its outputs are recorded. `quantized_call` runs in place of
# `call` in layers that Keras has quantized, and the last one attaches a mask after `call` has returned.
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
        """What of a batch the metrics, the loss and the optimizer are built on."""
        return batch

    def logs_of_epoch(self, logs: dict[str, Any]) -> dict[str, Any]:
        """What callbacks and the history are given at the end of an epoch, from the last batch's logs."""
        return super()._get_metrics_result_or_logs(logs)

    def build_under_strategy(self, iterator: Any, batch: Any) -> None:
        """Make variables before the first step of a `tf.distribute` strategy."""
        super()._maybe_symbolic_build(iterator=iterator, data_batch=batch)

    def require_compiled(self, method: str) -> None:
        """Raise an error unless `compile` was called before `method`, and with arguments of use."""
        self._assert_compile_called(method)

    def check_compiled(self) -> None:
        """Raise an error for what `compile` was given; to override `compile` itself breaks loading."""

    @property
    def has_new_metrics(self) -> bool:
        """Whether `compile` was given metrics that have seen no batch, so that they have no variables yet."""
        return self._compile_metrics is not None and not self._compile_metrics.built

    def additional_losses(self, losses: Sequence[Tensor]) -> Iterator[Tensor]:
        """Regularisation and `add_loss` terms, as Keras adds them to the compiled loss of a step."""
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
    """A `keras.callbacks.ModelCheckpoint` whose way of writing can be adapted."""

    def save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        """Write `self.model`, if it is to be written now."""
        super()._save_model(epoch, batch, logs)

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        self.save_model(epoch, batch, logs)

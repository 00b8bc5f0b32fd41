"""tf_keras, the Keras before Keras 3: recognizing its objects, and its private names behind plain ones.

Models of tensorflow-model-optimization are tf_keras models. Whoever has one has already loaded tf_keras, so
nothing here imports it.
"""

import contextlib
import functools
import sys
import types
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import tensorflow as tf

from keras_kd import keras_internals
from keras_kd.tensorflow_internals import converted_control_flow

if TYPE_CHECKING:
    import tf_keras

KerasLayer: TypeAlias = "keras.layers.Layer | tf_keras.layers.Layer"
KerasModel: TypeAlias = "keras.Model | tf_keras.Model"


def is_tf_keras(value: object) -> bool:
    """Whether a value is a tf_keras layer or model.

    Examples:
        >>> import keras
        >>> is_tf_keras(keras.layers.Dense(3))
        False
    """
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(value, tf_keras.layers.Layer)


def comes_from(value: object, library: str) -> bool:
    """Whether a function, class or object comes from a library, or derives from something that does.

    Args:
        value: Anything.
        library: The top-level package, such as `"tf_keras"`.

    Examples:
        >>> comes_from(keras.losses.MeanSquaredError(), "keras")
        True
        >>> comes_from(keras.losses.MeanSquaredError(), "tf_keras")
        False
    """
    if isinstance(value, types.FunctionType):
        kinds: tuple[Any, ...] = (value,)
    else:
        kinds = (value if isinstance(value, type) else type(value)).__mro__
    return any((getattr(kind, "__module__", None) or "").split(".")[0] == library for kind in kinds)


def is_layer(value: object) -> bool:
    """Whether a value is a layer of Keras 3 or tf_keras; models are layers."""
    return isinstance(value, keras.layers.Layer) or is_tf_keras(value)


def is_model(value: object) -> bool:
    """Whether a value is a model of Keras 3 or tf_keras."""
    return isinstance(value, keras.Model) or (
        is_tf_keras(value) and isinstance(value, sys.modules["tf_keras"].Model)
    )


def is_weight(value: object) -> bool:
    """Whether an attribute of a layer is a weight; tfmot replaces variables with tensors."""
    return isinstance(value, (keras.Variable, tf.Variable, tf.Tensor))


def is_wrapper(layer: object) -> bool:
    """Whether a layer is a wrapper that tensorflow-model-optimization puts around another layer."""
    return type(layer).__module__.startswith("tensorflow_model_optimization.") and hasattr(layer, "layer")


def unwrapped(layer: KerasLayer) -> KerasLayer:
    """The layer inside tensorflow-model-optimization's wrappers, or the layer itself."""
    while is_wrapper(layer):
        layer = layer.layer
    return layer


def is_of_tf_keras(value: object) -> bool:
    """Whether a class, function or object is tf_keras's own, not merely derived from it."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return module.startswith("tf_keras.src")


def is_compiled(model: Any) -> bool:
    """Whether `compile` was called on a tf_keras model."""
    return bool(model._is_compiled)


def require_compiled(model: Any) -> None:
    """Raise a `RuntimeError` unless `compile` was called on a tf_keras model."""
    model._assert_compile_was_called()


def has_compiled_metrics(model: Any) -> bool:
    """Whether `compile` was given metrics for a tf_keras model."""
    metrics = model.compiled_metrics
    return bool(metrics._user_metrics or metrics._user_weighted_metrics)


def loss_weights_of(model: Any) -> Any:
    """The `loss_weights` given to `compile` of a tf_keras model, in their structure, or `None`."""
    return model.compiled_loss._user_loss_weights


def track_compiled_loss(model: Any, tracker: Any) -> None:
    """Make a metric log the compiled loss of a tf_keras model, in place of the one named `"loss"`."""
    model.compiled_loss._total_loss_mean = tracker


def tfmot_wrapper(layer: object) -> str | None:
    """The name of tensorflow-model-optimization's wrapper, if a layer is one.

    Returns:
        `"PruneLowMagnitude"`, `"ClusterWeights"`, `"QuantizeAnnotate"`, `"QuantizeWrapper"` or `None`.
    """
    if not is_wrapper(layer):
        return None
    names = {base.__name__ for base in type(layer).__mro__}
    wrappers = ("PruneLowMagnitude", "ClusterWeights", "QuantizeAnnotate", "QuantizeWrapper")
    return next((name for name in wrappers if name in names), None)


def keras_classes(path: str) -> tuple[type[Any], ...]:
    """A Keras 3 class, and its tf_keras counterpart if tf_keras is loaded, for `isinstance`.

    Examples:
        >>> keras_classes("layers.RNN")[0] is keras.layers.RNN
        True
    """
    modules: list[Any] = [module for module in (keras, sys.modules.get("tf_keras")) if module]
    return tuple(functools.reduce(getattr, path.split("."), module) for module in modules)


def is_tf_keras_tensor(value: object) -> bool:
    """Whether a value is a symbolic tf_keras tensor, such as the input of a functional model."""
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(value, type(tf_keras.Input(())))


def as_tf_keras_runs(model: object) -> contextlib.AbstractContextManager[Any]:
    """A context in which Python control flow in tf_keras layers is converted, as in tf_keras's own `fit`.

    Keras 3 turns that conversion off for everything that runs in a train step.
    """
    if not is_tf_keras(model):
        return contextlib.nullcontext()
    return converted_control_flow()


def require_keras_model(model: object, role: str) -> None:
    """Raise a `TypeError` unless `model` is a Keras 3 model; `role` is its name in the message."""
    if not isinstance(model, keras.Model):
        kind = f"{type(model).__module__}.{type(model).__name__}"
        advice = (
            " kd.tfmot.Distiller trains tf_keras students, and kd.tfmot.from_tf_keras(model) rebuilds one in "
            "Keras 3."
            if is_tf_keras(model)
            else ""
        )
        raise TypeError(f"The {role} must be a keras.Model. Received: {kind}.{advice}")


# Private names of tf_keras


def all_layers_of(model: KerasLayer) -> list[KerasLayer]:
    """A layer of either Keras and all layers inside it, at any depth."""
    if isinstance(model, keras.layers.Layer):
        return keras_internals.all_layers(model)
    return list(model._flatten_layers())


def child_layers_of(layer: KerasLayer) -> list[KerasLayer]:
    """The layers that a layer of either Keras holds directly."""
    if isinstance(layer, keras.layers.Layer):
        return keras_internals.child_layers(layer)
    return list(layer._flatten_layers(recursive=False, include_self=False))


def own_variables_of(layer: KerasLayer) -> list[Any]:
    """The variables that a layer of either Keras itself created, trainable ones first."""
    if isinstance(layer, keras.layers.Layer):
        trainable = keras_internals.own_trainable_variables(layer)
        return [*trainable, *keras_internals.own_untrainable_variables(layer)]
    return [*layer._trainable_weights, *layer._non_trainable_weights]


def calls_of_layer(layer: KerasLayer) -> list[Any]:
    """The nodes of every symbolic call of a layer of either Keras."""
    if isinstance(layer, keras.layers.Layer):
        return keras_internals.calls_of(layer)
    return list(layer._inbound_nodes)


def maker_of_tensor(tensor: object) -> "KerasLayer | None":
    """The layer that made a symbolic tf_keras tensor; `None` for other values."""
    history = getattr(tensor, "_keras_history", None)
    return None if history is None else history[0]


def graph_nodes(model: KerasModel) -> list[Any]:
    """The calls of a functional tf_keras model in topological order, without its inputs."""
    nodes_by_depth = getattr(model, "_nodes_by_depth", None) or {}
    depths = sorted(nodes_by_depth, reverse=True)
    return [node for depth in depths for node in nodes_by_depth[depth] if not node.is_input]


def is_wired(model: KerasModel) -> bool:
    """Whether a tf_keras model has a graph: it is functional, or a built Sequential."""
    return bool(getattr(model, "_nodes_by_depth", None))


def nested_inputs(model: KerasModel) -> Any:
    """A functional tf_keras model's symbolic inputs, in the structure in which it takes them."""
    return model._nested_inputs


def nested_outputs(model: KerasModel) -> Any:
    """A functional tf_keras model's symbolic outputs, in the structure in which it returns them."""
    return model._nested_outputs


def is_call_node(value: object) -> bool:
    """Whether a value is a call in the graph of a functional tf_keras model."""
    return type(value).__module__ == "tf_keras.src.engine.node" and type(value).__name__ == "Node"


def set_policy(layer: KerasLayer, policy: str) -> None:
    """Change the dtype policy of a layer of either Keras after the layer was made."""
    if isinstance(layer, keras.layers.Layer):
        layer.dtype_policy = policy  # which tf_keras cannot set
    else:
        layer._set_dtype_policy(policy)


def has_explicit_input(model: KerasLayer) -> bool:
    """Whether a Sequential tf_keras model was given its input shape, rather than taking it from data."""
    return bool(model._has_explicit_input_shape)


def own_untrainable_weights(layer: KerasLayer) -> list[tf.Variable]:
    """The weights that a tf_keras layer itself created as non-trainable."""
    return list(layer._non_trainable_weights)


def takes_constants(layer: KerasLayer) -> bool:
    """Whether a recurrent tf_keras layer is called with constants."""
    return bool(getattr(layer, "_num_constants", None))


def hold_variable(layer: KerasLayer, variable: keras.Variable) -> None:
    """Make a Keras 3 variable a weight of a tf_keras layer, which trains and saves it."""
    own = layer._trainable_weights if variable.trainable else layer._non_trainable_weights
    own.append(variable.value)


def functional_class(library: types.ModuleType) -> type:
    """The class of functional models in `keras` or `tf_keras`, which neither exports."""
    return keras_internals.Functional if library is keras else library.src.engine.functional.Functional


def application_class(library: types.ModuleType, module: str, name: str) -> type | None:
    """A class that `keras` or `tf_keras` defines for one of its applications, such as `LayerScale`."""
    return getattr(getattr(library.src.applications, module, None), name, None)


def hidden_argument(layer: KerasLayer, name: str) -> Any:
    """An argument that a layer of either Keras was created with and keeps private."""
    if isinstance(layer, keras.layers.Layer):
        return keras_internals.hidden_argument(layer, name)
    return getattr(layer, f"_{name}")

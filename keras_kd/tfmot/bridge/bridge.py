"""Models converted to the other library: Keras 3 to tf_keras, and back."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras

from keras_kd.legacy import KerasModel, comes_from
from keras_kd.tfmot.bridge import weights
from keras_kd.tfmot.bridge.directions import Direction, direction_from_tf_keras, direction_to_tf_keras
from keras_kd.tfmot.bridge.equality import check_equal
from keras_kd.tfmot.bridge.graphs import read_graph
from keras_kd.tfmot.bridge.rebuilding import Rebuilding

if TYPE_CHECKING:
    import tf_keras

CustomLayers: TypeAlias = Mapping[type, type | Callable[[Any], Any]]


def to_tf_keras(
    model: keras.Model,
    custom_layers: CustomLayers | None = None,
    *,
    check: bool = True,
) -> "tf_keras.Model":
    """Convert a Keras 3 model to tf_keras, for tensorflow-model-optimization.

    Weights are copied, and the same ones are trainable; the names of layers, inputs and models, and dtype
    policies, are kept. `x + y` becomes a layer, so that tensorflow-model-optimization sees it. Operations and
    layers that tf_keras does not have, or that treat masks differently there, are called unchanged from a
    layer in which it finds nothing to prune. The model comes without optimizer and losses: compile it.


    Args:
        model: A built Functional or Sequential model. It is not changed.
        custom_layers: The counterparts of layers of your own, by class: a tf_keras layer class that takes the
            same arguments, or a function from the layer to a tf_keras layer. Weights are copied in order.
        check: Whether to compare both models on random inputs, with padding where the model has masks, in
            inference mode: outputs may differ by 1e-5 of the largest one (in half precision by four roundings
            times the square root of the number of layers).

    Returns:
        A `tf_keras.Model`: Sequential if `model` is, else Functional.

    Raises:
        TypeError: If the model is not a Keras 3 model.
        ValueError: If layers cannot be converted (all of them are named, before anything is built), if the
            model is not built, or if the converted model computes something else or trains different weights.
        ImportError: If tf_keras is not installed.

    Examples:
        >>> import keras, keras_kd as kd
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="logits")])
        >>> rebuilt = kd.tfmot.to_tf_keras(student)
        >>> type(rebuilt).__module__.split(".")[0], [layer.name for layer in rebuilt.layers]
        ('tf_keras', ['logits'])
    """
    if not isinstance(model, keras.Model):
        known = comes_from(model, "tf_keras")
        hint = (
            "this is already a tf_keras model; from_tf_keras converts it to Keras 3" if known else type(model)
        )
        raise TypeError(f"to_tf_keras takes a Keras 3 model (keras.Model): {hint}")
    return rebuild(model, custom_layers or {}, check, direction_to_tf_keras())


def from_tf_keras(
    model: "tf_keras.Model",
    custom_layers: CustomLayers | None = None,
    *,
    check: bool = True,
) -> keras.Model:
    """Convert a tf_keras model to Keras 3: the way back, after `strip_pruning` or `strip_clustering`.

    Args:
        model: A built Functional or Sequential `tf_keras` model. It is not changed.
        custom_layers: The counterparts of layers of your own, by class: a Keras 3 layer class that takes the
            same arguments, or a function from the layer to a Keras 3 layer. Weights are copied in order.
        check: Whether to compare both models on random inputs, as `to_tf_keras` does.

    Returns:
        A `keras.Model`: Sequential if `model` is, else Functional. A layer that the model calls with
            `training=False` now follows the flag that the model is called with, as always in Keras 3.

    Raises:
        TypeError: If the model is not a tf_keras model.
        ValueError: If layers cannot be converted, such as wrappers of tensorflow-model-optimization (all are
            named, before anything is built), or if the converted model computes something else.
        ImportError: If tf_keras is not installed.

    Examples:
        >>> import keras, keras_kd as kd
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="logits")])
        >>> back = kd.tfmot.from_tf_keras(kd.tfmot.to_tf_keras(student))
        >>> x = keras.random.normal((2, 4))
        >>> tuple(back.get_layer("logits").kernel.shape), float(abs(back(x) - student(x)).numpy().max())
        ((4, 2), 0.0)
    """
    if isinstance(model, keras.Model):
        raise TypeError(
            "from_tf_keras takes a tf_keras model: this is already a Keras 3 model; see to_tf_keras"
        )
    direction = direction_from_tf_keras()
    if not isinstance(model, direction.source.Model):
        raise TypeError(f"from_tf_keras takes a tf_keras model (tf_keras.Model): {type(model)}")
    return rebuild(model, custom_layers or {}, check, direction)


def rebuild(model: KerasModel, custom_layers: CustomLayers, check: bool, direction: Direction) -> KerasModel:
    """The model in the other library, with its weights, after comparing both."""
    check_custom_layers(custom_layers)
    plan = Rebuilding(direction, custom_layers)
    counterpart = plan.plan(model, "")
    if plan.problems:
        raise ValueError(describe_problems(model, plan.problems, direction))
    result = counterpart.build()
    trained = {id(weight) for weight in model.trainable_weights}
    for called in [counterpart, *reversed(plan.called)]:  # models before the layers inside them
        called.result.trainable = weights.trainable_flag(called.source, trained)
    for called in plan.called:
        if not called.copies:
            weights.transfer_weights(called.source, called.result, called.path, direction, trained)
    weights.check_trainable(model, result, direction)
    graph = read_graph(model, direction)
    states = [weights.find_states(each) for each in (model, result)]
    values = [state.numpy() for state in states[0]]
    weights.set_states(states[1], values)
    if check:
        try:
            check_equal(model, result, list(graph.entries.values()), graph.inputs, direction)
        finally:
            for each in states:
                weights.set_states(each, values)
    return result


def check_custom_layers(custom_layers: object) -> None:
    """Raise a TypeError if `custom_layers` does not map layer classes to their counterparts."""
    if not isinstance(custom_layers, Mapping):
        raise TypeError(
            "custom_layers is a dict from your layer classes to their counterparts, such as "
            f"{{MyLayer: MyOtherLayer}}: received {custom_layers!r}"
        )
    for cls, stand_in in custom_layers.items():
        if not isinstance(cls, type) or not callable(stand_in):
            raise TypeError(
                "custom_layers maps layer classes to a layer class of the other library, or to a function "
                f"that makes such a layer: received {cls!r}: {stand_in!r}"
            )


def describe_problems(model: KerasModel, problems: Sequence[str], direction: Direction) -> str:
    """The message that names every layer that cannot be converted."""
    lines = "\n".join(f"  {problem.removeprefix(' ')}" for problem in problems)
    return f"the model {model.name!r} cannot be rebuilt in {direction.name}:\n{lines}"

"""What tensorflow-model-optimization passes over in silence, or says in the middle of a graph."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_kd.legacy import is_model, is_tf_keras, is_wrapper
from keras_kd.messages import did_you_mean


def check_tf_keras(model: Any, what: str) -> None:
    """Raise a `TypeError` unless `model` is a model of tf_keras; `what` says what takes it."""
    if is_tf_keras(model) and is_model(model):
        return
    kind = f"{type(model).__module__}.{type(model).__name__}"
    advice = " Give kd.tfmot.to_tf_keras(model)." if isinstance(model, keras.Model) else ""
    raise TypeError(f"{what} takes a tf_keras.Model. Received: {kind}.{advice}")


def require_layers(model: Any, what: str) -> dict[str, Any]:
    """The layers of a built functional or sequential model by path, those of nested models included.

    Raises:
        TypeError: No model of tf_keras.
        ValueError: A model whose layers tfmot cannot know.
    """
    check_tf_keras(model, what)
    if hasattr(model, "student"):
        raise TypeError(f"{what} takes the student of a Distiller. Give distiller.student.")
    if not (model.built and getattr(model, "inputs", None)):
        raise ValueError(
            f"{what} takes a functional or sequential model with an Input, and {model.name!r} is "
            f"{'not built' if not model.built else 'subclassed'}."
        )
    return dict(_leaves(model, ""))


def _leaves(model: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        if is_model(layer):
            yield from _leaves(layer, f"{prefix}{layer.name}/")
        elif type(layer).__name__ != "InputLayer":
            yield prefix + layer.name, layer


def require_bare(layers: dict[str, Any], what: str) -> None:
    """Raise a `ValueError` if layers are wrapped by tfmot already, but for annotations."""
    wrapped = {path: type(layer).__name__ for path, layer in layers.items() if is_wrapper(layer)}
    wrapped = {path: kind for path, kind in wrapped.items() if kind != "QuantizeAnnotate"}
    if wrapped:
        path, kind = next(iter(wrapped.items()))
        strip = {"PruneLowMagnitude": "strip_pruning", "ClusterWeights": "strip_clustering"}.get(kind)
        raise ValueError(
            f"{what}: {len(wrapped)} layers are wrapped by tfmot already, first {path!r} ({kind}). "
            + (f"Call kd.tfmot.{strip}(model) first." if strip else "Quantization comes last.")
        )


def chosen(layers: dict[str, Any], names: Any) -> dict[str, Any]:
    """The layers that a user named, or all.

    Raises:
        ValueError: A name that is no layer; near misses are suggested.
    """
    if names is None:
        return layers
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in layers:
            raise ValueError(
                f"`layers`: no layer {name!r}.{did_you_mean(name, layers)} There are {list(layers)}."
            )
    if not names:
        raise ValueError("`layers` is empty, so nothing would be done. Leave it out for all layers.")
    return {name: layers[name] for name in names}


def refuse(refused: dict[str, str], layers: dict[str, Any], what: str) -> None:
    """Raise a `ValueError` that names all layers that tfmot cannot take, if there are any, and why."""
    if refused:
        named = ", ".join(f"{path!r} ({reason})" for path, reason in refused.items())
        rest = [path for path in layers if path not in refused]
        advice = f"Leave them out: layers={rest}." if rest else "No other is left."
        raise ValueError(f"{what}: tfmot cannot take {len(refused)} of these layers: {named}. {advice}")


def check_student(student: Any) -> None:
    """Raise a `TypeError` for a student that is no model of tf_keras, a `ValueError` under a strategy."""
    if isinstance(student, keras.Model):
        raise TypeError(
            f"The student must be a tf_keras.Model. Received a model of Keras 3, {student.name!r}. Give "
            "kd.tfmot.to_tf_keras(student), or distil with kd.Distiller."
        )
    check_tf_keras(student, "The student of kd.tfmot.Distiller")
    if tf.distribute.has_strategy():
        raise ValueError(
            "kd.tfmot.Distiller trains on one device. Make it outside of strategy.scope(), or distil a "
            "student of Keras 3 with kd.Distiller."
        )


_ADVICE = (
    "a student that prune_low_magnitude has wrapped needs the callback "
    "tfmot.sparsity.keras.UpdatePruningStep(), which counts the steps of its schedule and keeps its zeros"
)


def pruned_layers(model: Any) -> list[Any]:
    """The layers that tfmot's pruning has wrapped, those of nested models included."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if is_wrapper(layer) and type(layer).__name__ == "PruneLowMagnitude"]


def check_updates(student: Any, callbacks: Any) -> None:
    """Raise a `ValueError` if a student is pruned and nothing updates its steps in `fit`."""
    listed = getattr(callbacks, "callbacks", callbacks)  # of a CallbackList
    listed = listed if isinstance(listed, (list, tuple)) else [listed]
    kinds = {kind.__name__ for callback in listed for kind in type(callback).__mro__}
    if pruned_layers(student) and "UpdatePruningStep" not in kinds:
        raise ValueError(f"fit(callbacks=...): {_ADVICE}. {_HOW}")


def check_updates_run(student: Any) -> None:
    """Raise a `ValueError` if a student is pruned and its steps have not begun."""
    if any(int(layer.pruning_step) < 0 for layer in pruned_layers(student)):
        raise ValueError(f"Before a single batch: {_ADVICE}. {_HOW}")


_HOW = (
    "Write callbacks=[kd.tfmot.import_tfmot().sparsity.keras.UpdatePruningStep()]; with train_on_batch, "
    "call its set_model(distiller) and on_train_begin() first."
)

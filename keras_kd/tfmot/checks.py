"""What tensorflow-model-optimization ignores silently, or reports from the middle of a graph."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import keras
import tensorflow as tf

from keras_kd.legacy import KerasLayer, KerasModel, all_layers_of, is_model, is_tf_keras, is_wrapper
from keras_kd.messages import did_you_mean

Layers: TypeAlias = dict[str, KerasLayer]  # by path, such as "backbone/conv"


def check_tf_keras(model: object, what: str) -> None:
    """Raise a `TypeError` unless `model` is a tf_keras model; `what` names the function that takes it."""
    if is_tf_keras(model) and is_model(model):
        return
    kind = f"{type(model).__module__}.{type(model).__name__}"
    advice = " Pass kd.tfmot.to_tf_keras(model)." if isinstance(model, keras.Model) else ""
    raise TypeError(f"{what} takes a tf_keras.Model. Received: {kind}.{advice}")


def find_layers(model: KerasModel, what: str) -> Layers:
    """The layers of a built functional or sequential model by path, including those of nested models.

    Raises:
        TypeError: The model is not a tf_keras model.
        ValueError: tfmot cannot find the layers of the model.
    """
    check_tf_keras(model, what)
    if hasattr(model, "student"):
        raise TypeError(f"{what} takes the student of a Distiller: pass distiller.student.")
    if not (model.built and getattr(model, "inputs", None)):
        raise ValueError(
            f"{what} takes a functional or sequential model with an Input, and {model.name!r} is "
            f"{'not built' if not model.built else 'subclassed'}."
        )
    return dict(_walk(model, ""))


def _walk(model: KerasModel, prefix: str) -> Iterator[tuple[str, KerasLayer]]:
    for layer in model.layers:
        if is_model(layer):
            yield from _walk(layer, f"{prefix}{layer.name}/")
        elif type(layer).__name__ != "InputLayer":
            yield prefix + layer.name, layer


def check_not_wrapped(layers: Layers, what: str) -> None:
    """Raise a `ValueError` if layers are already wrapped by tfmot, unless they are only annotated."""
    wrapped = {path: type(layer).__name__ for path, layer in layers.items() if is_wrapper(layer)}
    wrapped = {path: kind for path, kind in wrapped.items() if kind != "QuantizeAnnotate"}
    if wrapped:
        path, kind = next(iter(wrapped.items()))
        strip = {"PruneLowMagnitude": "strip_pruning", "ClusterWeights": "strip_clustering"}.get(kind)
        raise ValueError(
            f"{what}: {len(wrapped)} layers are already wrapped by tfmot, first {path!r} ({kind}). "
            + (f"Call kd.tfmot.{strip}(model) first." if strip else "Quantization comes last.")
        )


def select_layers(layers: Layers, names: Sequence[str] | str | None) -> Layers:
    """The layers that a user named, or all.

    Raises:
        ValueError: No layer has this name; similar names are suggested.
    """
    if names is None:
        return layers
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in layers:
            raise ValueError(
                f"`layers`: the model has no layer {name!r}.{did_you_mean(name, layers)} "
                f"Layers to choose from: {', '.join(map(repr, layers))}."
            )
    if not names:
        raise ValueError("`layers` is empty, so nothing would be done. Leave it out to take all layers.")
    return {name: layers[name] for name in names}


def check_supported(unsupported: dict[str, str], layers: Layers, what: str) -> None:
    """Raise a `ValueError` that names all layers that tfmot cannot take, if there are any, and says why."""
    if unsupported:
        named = ", ".join(f"{path!r} ({reason})" for path, reason in unsupported.items())
        rest = [path for path in layers if path not in unsupported]
        advice = f"Leave them out: layers={rest}." if rest else "No other layer is left."
        raise ValueError(f"{what}: tfmot cannot take {len(unsupported)} of these layers: {named}. {advice}")


def check_student(student: object) -> None:
    """Raise a `TypeError` for a student that is not a tf_keras model, a `ValueError` under a strategy."""
    if isinstance(student, keras.Model):
        raise TypeError(
            f"The student must be a tf_keras.Model. Received a Keras 3 model, {student.name!r}. Pass "
            "kd.tfmot.to_tf_keras(student), or distill with kd.Distiller."
        )
    check_tf_keras(student, "The student of kd.tfmot.Distiller")
    if tf.distribute.has_strategy():
        raise ValueError(
            "kd.tfmot.Distiller trains on one device. Create it outside of strategy.scope(), or distill a "
            "Keras 3 student with kd.Distiller."
        )


_NEEDED = (
    "a student wrapped by prune_low_magnitude needs the callback tfmot.sparsity.keras.UpdatePruningStep(), "
    "which counts the steps of its schedule and keeps its zeros"
)
_HOW = (
    "Pass callbacks=[kd.tfmot.import_tfmot().sparsity.keras.UpdatePruningStep()]; with train_on_batch, "
    "call its set_model(distiller) and on_train_begin() first."
)


def find_pruned_layers(model: KerasModel) -> list[KerasLayer]:
    """The layers that tfmot's pruning has wrapped, including those of nested models."""
    return [
        layer
        for layer in all_layers_of(model)
        if is_wrapper(layer) and type(layer).__name__ == "PruneLowMagnitude"
    ]


def check_updates(student: KerasModel, callbacks: object) -> None:
    """Raise a `ValueError` if a student is pruned and nothing updates its steps in `fit`."""
    listed = getattr(callbacks, "callbacks", callbacks)  # of a CallbackList
    listed = listed if isinstance(listed, (list, tuple)) else [listed]
    kinds = {kind.__name__ for callback in listed for kind in type(callback).__mro__}
    if find_pruned_layers(student) and "UpdatePruningStep" not in kinds:
        raise ValueError(f"fit(callbacks=...): {_NEEDED}. {_HOW}")


def check_updates_run(student: KerasModel) -> None:
    """Raise a `ValueError` if a student is pruned and its step counter has not been started."""
    if any(int(layer.pruning_step) < 0 for layer in find_pruned_layers(student)):
        raise ValueError(f"Before a single batch: {_NEEDED}. {_HOW}")

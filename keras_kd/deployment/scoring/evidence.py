"""What is known of an output before its labels are: its activation, and the loss that it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import keras
import numpy as np

from keras_kd.activations import activation_of
from keras_kd.deployment.scoring.named_outputs import keras_names, own_names
from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.tensor_names import output_names
from keras_kd.legacy import is_model

Kind: TypeAlias = Literal["classes", "labels", "binary"]

# Names of Keras's losses as `_plain` writes them, for classes and functions alike.
_CLASS_LOSSES = (
    "categoricalcrossentropy",
    "categoricalfocalcrossentropy",
    "categoricalhinge",
    "sparsecategoricalcrossentropy",
    "kldivergence",
)
_MARGIN_LOSSES = ("hinge", "squaredhinge")
_REGRESSION_LOSSES = ("meansquarederror", "meanabsoluteerror", "huber", "logcosh")
_CROSS_ENTROPIES = ("binarycrossentropy", "binaryfocalcrossentropy")
_BINARY_LOSSES = (*_CROSS_ENTROPIES, *_MARGIN_LOSSES)


@dataclass(frozen=True)
class Evidence:
    """What is known of an output before its labels are.

    Args:
        activation: `"softmax"`, `"sigmoid"` or `None`.
        loss: the name of the Keras loss that it was trained with, as in `"binarycrossentropy"`.
        from_logits: whether that loss reads logits, if it is one for probabilities and says so.
        ignored: the label that this loss leaves out.
    """

    activation: str | None = None
    loss: str | None = None
    from_logits: bool | None = None
    ignored: int | None = None

    @property
    def kind(self) -> Kind | None:
        """The kind of answer, as far as it is certain; several labels may still be one."""
        if self.loss in _CLASS_LOSSES or self.activation == "softmax":
            return "classes"
        return "labels" if self.loss in _BINARY_LOSSES else None


def threshold_of(evidence: Evidence, scores: np.ndarray, labels: np.ndarray | None = None) -> float:
    """The score from which on a yes or no is a yes: 0.5 for probabilities, 0 for logits.

    Args:
        evidence: what is known of the output.
        scores: its values.
        labels: its labels, which are the values that a regression comes close to.
    """
    if evidence.activation == "sigmoid" or evidence.from_logits is False:
        return 0.5
    if evidence.from_logits or evidence.loss in _MARGIN_LOSSES:
        return 0.0
    if evidence.loss in _REGRESSION_LOSSES and labels is not None:
        return 0.5 if (labels >= 0).all() else 0.0
    return 0.5 if scores.size and (scores >= 0).all() and (scores <= 1).all() else 0.0


def traced_activations(served: Serving) -> dict[str, str | None]:
    """For each output of a model, `"softmax"`, `"sigmoid"` or `None`, from a trace, in the model's order."""
    function: Any = served.traced()
    if function is None:  # its code reads values, or sizes that are free
        outputs = getattr(served.model, "output", None)
        return {} if outputs is None else dict.fromkeys(output_names(served.model, outputs))
    names = function.structured_outputs
    # TensorFlow flattens a dict by its sorted keys.
    tensors = dict(zip(sorted(names), function.outputs, strict=True))
    return {name: activation_of(tensors[name]) for name in names}


def evidence_of(trained: object, served: Serving) -> dict[str, Evidence]:
    """What is known of each output of a model from a trace, and from the loss that it was compiled with.

    Args:
        trained: the model, or the `Distiller` around it.
        served: the model itself.
    """
    activations = traced_activations(served)
    compiled = compiled_evidence(trained, list(activations))
    return {
        name: replace(compiled.get(name, Evidence()), activation=activation)
        for name, activation in activations.items()
    }


def compiled_evidence(model: object, outputs: Sequence[str]) -> dict[str, Evidence]:
    """What the loss of a compiled model, or of a `Distiller` around it, says about each output."""
    losses = getattr(model, "loss", None) if is_model(model) else None
    if isinstance(losses, dict):
        named = own_names(losses, keras_names(getattr(model, "student", model), outputs))
        return {name: _evidence_of(loss) for name, loss in named.items() if name in outputs}
    if isinstance(losses, (list, tuple)):
        flat = keras.tree.flatten(losses)
        return {name: _evidence_of(loss) for name, loss in zip(outputs, flat, strict=False)}
    return {name: _evidence_of(losses) for name in outputs} if losses is not None else {}


def _evidence_of(loss: object) -> Evidence:
    is_name = isinstance(loss, str)
    found: object = keras.losses.get(loss) if is_name else loss
    if not hasattr(found, "get_config"):
        name = _plain(getattr(found, "__name__", ""))
        # Names such as "bce" stand for functions, which read probabilities by default.
        return Evidence(loss=name, from_logits=False if is_name and name in _CROSS_ENTROPIES else None)
    config = found.get_config()
    ignored = config.get("ignore_class")
    return Evidence(loss=_plain(type(found).__name__), from_logits=config.get("from_logits"), ignored=ignored)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()

"""What is known of the losses that `compile` was given, if they are those of Keras or tf_keras."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import keras

from keras_kd.distillation.objectives import Objective
from keras_kd.keras_internals import compiled_loss_weights, is_of_keras
from keras_kd.legacy import is_of_tf_keras, loss_weights_of
from keras_kd.loss_names import snake_case
from keras_kd.parts import parts

CompiledLoss: TypeAlias = object  # what `compile` accepts: names, functions, losses, structures of them

_ELEMENTWISE = (
    "mean_squared_error",
    "mean_absolute_error",
    "mean_squared_logarithmic_error",
    "mean_absolute_percentage_error",
    "huber",
    "log_cosh",
    "binary_crossentropy",
)
_SUITED_TO_LABELS = "crossentropy", "ce"  # Keras takes the one that the labels are for


def name_of(loss: object) -> str:
    """The name of one of Keras's own losses, however it is given; otherwise an empty string."""
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return ""  # a name for several losses, such as "crossentropy"
    if not (is_of_keras(loss) or is_of_tf_keras(loss)):
        return ""
    if isinstance(loss, type):
        return snake_case(loss.__name__)
    return getattr(loss, "__name__", None) or name_of(type(loss))


def kind_of(loss: object) -> str | None:
    """What labels a Keras loss reads: `"sparse"`, `"categorical"`, `"elementwise"`; `None` if unknown."""
    name = name_of(loss)
    if name == "sparse_categorical_crossentropy":
        return "sparse"
    if name in ("categorical_crossentropy", "categorical_focal_crossentropy"):
        return "categorical"
    return "elementwise" if name in _ELEMENTWISE else None


def takes_logits(loss: object) -> bool | None:
    """Whether a cross-entropy of Keras takes logits rather than probabilities; `None` for other losses.

    Examples:
        >>> takes_logits("sparse_categorical_crossentropy"), takes_logits("mse")
        (False, None)
    """
    if isinstance(loss, str) and loss.lower() in _SUITED_TO_LABELS:
        return False
    if not name_of(loss).endswith("crossentropy"):
        return None
    return bool(_config(loss).get("from_logits", False))


def tells_classes_apart(loss: object) -> bool:
    """Whether a loss of Keras reads one class of several for each sample."""
    suited = isinstance(loss, str) and loss.lower() in _SUITED_TO_LABELS
    return suited or kind_of(loss) in ("sparse", "categorical")


def ignored_class(loss: object) -> int | None:
    """The label that a loss leaves out, if there is one."""
    return _config(loss).get("ignore_class")  # not every Keras release keeps it as an attribute


def _config(loss: object) -> Mapping[str, Any]:
    if isinstance(loss, (str, type)) or not hasattr(loss, "get_config"):
        return {}
    return loss.get_config()


def reads_labels(model: object, weight: float, objectives: Iterable[Objective]) -> bool:
    """Whether what is trained on depends on the labels; if not, they may be placeholders.

    Args:
        model: A compiled model of either Keras.
        weight: The weight of its compiled loss, besides `compile(loss_weights=...)`.
        objectives: What is trained on besides.
    """
    given = compiled_loss_weights(model) if isinstance(model, keras.Model) else loss_weights_of(model)
    weights = [] if given is None else keras.tree.flatten(given)
    if weight and (not weights or any(weights)):
        return True
    return any(tap.partition("/")[0] == "labels" for one in objectives for tap in one.data_taps)


def losses_by_output(
    loss: CompiledLoss, paths: Iterable[str], names: Sequence[str] | None
) -> dict[str, object]:
    """The loss of each output, as far as the structures tell.

    Args:
        loss: What `compile` was given.
        paths: The path of each output in the structure that the model returns, in order.
        names: The names that the model has for its outputs, in the same order, if it has any.

    Examples:
        >>> losses_by_output({"b": "mse"}, ["0", "1"], ["a", "b"])
        {'1': 'mse'}
    """
    paths, given = list(paths), parts(loss)
    if "" in given:
        return dict.fromkeys(paths, loss)
    if len(paths) == len(given) == 1:
        return dict(zip(paths, given.values(), strict=True))
    named = dict(zip(names or (), paths, strict=False)) if len(names or ()) == len(paths) else {}
    of_outputs = {path if path in paths else named.get(path): one for path, one in given.items()}
    return {path: one for path, one in of_outputs.items() if path is not None}

"""The logits behind a signal that has passed through a softmax or a sigmoid."""

from keras import ops

from keras_kd.keras_internals import logits_behind
from keras_kd.tensors import Tensor


def logits_of(tensor: Tensor, activation: str | None) -> Tensor:
    """Undo a softmax or sigmoid: the logits that Keras kept, or else logits from the probabilities.

    The logarithm of a softmax equals the logits up to a constant for each row. That constant is lost;
    rows are centered instead.

    Args:
        tensor: A signal.
        activation: `"softmax"`, `"sigmoid"`, or `None` for a signal that is returned unchanged.

    Examples:
        >>> import numpy as np
        >>> logits_of(np.array([[0.5, 0.5]]), "softmax").numpy().tolist()
        [[0.0, 0.0]]
    """
    if activation is None:
        return tensor
    kept = logits_behind(tensor)
    if kept is not None:
        return kept
    tiny = 1e-7 if ops.dtype(tensor) == "float16" else 1e-37
    log = ops.log(ops.maximum(tensor, tiny))
    if activation == "softmax":
        return log - ops.mean(log, axis=-1, keepdims=True)
    return log - ops.log(ops.maximum(1 - tensor, tiny))

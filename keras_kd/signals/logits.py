"""The logits behind a signal that went through a softmax or a sigmoid."""

from keras import ops

from keras_kd.keras_internals import logits_behind
from keras_kd.tensors import Tensor


def logits_of(tensor: Tensor, activation: str | None) -> Tensor:
    """Undo a softmax or sigmoid: the logits themselves where Keras kept them, else from the probabilities.

    Logarithms of a softmax are the logits up to a number for each row. That number is lost; the mean
    of the row is taken for it, so that rows are centred.

    Args:
        tensor: A signal.
        activation: `"softmax"`, `"sigmoid"`, or `None` for a signal that is returned as it is.

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

"""The logits behind a signal that has passed through a softmax or a sigmoid."""

from keras import ops

from keras_kd.keras_internals import logits_behind
from keras_kd.tensors import Tensor


def logits_of(tensor: Tensor, activation: str | None, suppress: bool = False) -> Tensor:
    """Undo a softmax or sigmoid: the logits that Keras kept, or else logits from the probabilities.

    The logarithm of a softmax equals the logits up to a constant for each row. That constant is lost;
    rows are centered instead, unless they may be infinite.

    Args:
        tensor: A signal.
        activation: `"softmax"`, `"sigmoid"`, or `None` for a signal that is returned unchanged.
        suppress: Whether a probability of 0 is a logit of minus infinity, and not a very low one. It has no
            gradient. Rows of zeros, as of padded tokens, have finite logits nevertheless.

    Examples:
        >>> import numpy as np
        >>> logits_of(np.array([[0.5, 0.5]]), "softmax").numpy().tolist()
        [[0.0, 0.0]]
        >>> logits_of(np.array([[1.0, 0.0]]), "softmax", suppress=True).numpy().tolist()
        [[0.0, -inf]]
    """
    if activation is None:
        return tensor
    kept = logits_behind(tensor)
    if kept is not None:
        return kept
    tiny = 1e-7 if ops.dtype(tensor) == "float16" else 1e-37
    if activation == "sigmoid":
        low = 0.0 if suppress else tiny
        return ops.log(ops.maximum(tensor, low)) - ops.log(ops.maximum(1 - tensor, tiny))
    if suppress:
        low = ops.relu(tiny - ops.max(tensor, axis=-1, keepdims=True))  # 0, but for a row of zeros
        return ops.log(ops.maximum(tensor, low))
    log = ops.log(ops.maximum(tensor, tiny))
    return log - ops.mean(log, axis=-1, keepdims=True)

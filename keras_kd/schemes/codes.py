"""Random codes from which a generator makes inputs."""

from collections.abc import Sequence

import tensorflow as tf


def random_codes(shape: int | Sequence[int], *, batch_size: int = 64, seed: int = 0) -> tf.data.Dataset:
    """An endless data set of standard normal codes, for `kd.DataFree`; every batch is another one.

    Batch `i` depends on the seed and `i` only, so that a run that `kd.FullState` resumes sees the same.

    Args:
        shape: The shape of a code, or its length.
        batch_size: Codes in a batch.
        seed: Another seed gives other codes.

    Returns:
        Batches `(batch, *shape)`, float32. Pass `steps_per_epoch` to `fit`.

    Raises:
        ValueError: A size below 1.

    Examples:
        >>> import keras_kd as kd
        >>> next(iter(kd.random_codes(16, batch_size=8))).shape
        TensorShape([8, 16])
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not sizes or min(*sizes, batch_size) < 1:
        raise ValueError(
            f"Codes have sizes of at least 1. Received: shape={shape!r}, batch_size={batch_size!r}."
        )

    def draw(index: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal(
            (batch_size, *sizes), seed=tf.stack([tf.cast(seed, index.dtype), index])
        )

    return tf.data.Dataset.counter().map(draw)

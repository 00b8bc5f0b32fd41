"""How much data there is, as far as it tells."""

import keras
import tensorflow as tf


def is_endless(data: object) -> bool:
    """Whether data goes on forever. Generators do not tell whether they end."""
    if isinstance(data, tf.data.Dataset):
        return int(data.cardinality()) == tf.data.INFINITE_CARDINALITY
    return isinstance(data, keras.utils.PyDataset) and data.num_batches is None

"""The bridge to tensorflow-model-optimization, which knows tf_keras models only.

tf_keras and tensorflow-model-optimization load when something here is used, not with `keras_kd`.
"""

from keras_kd.compression.tfmot.bridge import from_tf_keras as from_tf_keras
from keras_kd.compression.tfmot.bridge import to_tf_keras as to_tf_keras

__all__ = ["from_tf_keras", "to_tf_keras"]

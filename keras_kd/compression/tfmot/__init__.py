"""The bridge to tensorflow-model-optimization, which knows tf_keras models only.

tf_keras and tensorflow-model-optimization load when something here is used, not with `keras_kd`.
"""

"""From tensorflow-model-optimization's wrappers back to plain layers."""

from typing import Any

from keras_kd.tfmot.checks import pruned_layers, require_layers
from keras_kd.tfmot.library import computing_as, import_tfmot


def strip_pruning(model: Any) -> Any:
    """The model without tfmot's pruning wrappers: its zeros are zeros, and its layers have their own names.

    Args:
        model: What `prune_low_magnitude` returned, trained. Of a Distiller give `distiller.student`.

    Returns:
        A model, not compiled, with the weights of the other.

    Raises:
        TypeError: A model of Keras 3.
        ValueError: Nothing to strip.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.prune_low_magnitude(tf_keras.Sequential(layers))
        >>> [layer.name for layer in kd.tfmot.strip_pruning(student).layers]
        ['head']
    """
    require_layers(model, "kd.tfmot.strip_pruning")
    wrapped = pruned_layers(model)
    if not wrapped:
        raise ValueError(f"No layer of {model.name!r} is wrapped by tfmot's pruning, so nothing is to strip.")
    for layer in wrapped:  # the last step may have moved them; the callback masks at the end of epochs only
        layer.pruning_obj.weight_mask_op()
        for weight, _, _ in layer.pruning_vars:
            weight.assign(weight + 0.0)  # tfmot's products leave -0.0, which gzip takes for other bytes
    with computing_as(model):
        return import_tfmot().sparsity.keras.strip_pruning(model)


def strip_clustering(model: Any) -> Any:
    """The model without tfmot's clusters: its kernels have few values, and its layers their own names.

    Args:
        model: What `cluster_weights` returned, trained, or `quantize_model(preserve="clusters")`, which stays
            quantization aware. Of a Distiller give `distiller.student`.

    Returns:
        A model, not compiled.

    Raises:
        TypeError: A model of Keras 3.
        ValueError: Nothing to strip.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.cluster_weights(tf_keras.Sequential(layers), 4, "LINEAR")
        >>> [layer.name for layer in kd.tfmot.strip_clustering(student).layers]
        ['head']
    """
    layers = require_layers(model, "kd.tfmot.strip_clustering")
    tfmot = import_tfmot()
    if any(kind.__name__ == "ClusterWeights" for layer in layers.values() for kind in type(layer).__mro__):
        with computing_as(model):
            return tfmot.clustering.keras.strip_clustering(model)
    if any("cluster_centroids_tf" in weight.name for weight in model.weights):
        return tfmot.experimental.combine.strip_clustering_cqat(model)
    raise ValueError(f"No layer of {model.name!r} is clustered by tfmot, so nothing is to strip.")

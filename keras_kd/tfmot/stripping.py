"""From tensorflow-model-optimization's wrappers back to plain layers."""

from keras_kd.legacy import KerasModel
from keras_kd.tfmot.checks import find_layers, find_pruned_layers
from keras_kd.tfmot.library import global_policy_of, import_tfmot


def strip_pruning(model: KerasModel) -> KerasModel:
    """Return the model without tfmot's pruning wrappers: exact zeros, and layers with their own names.

    Args:
        model: What `prune_low_magnitude` returned, after training. For a Distiller, pass `distiller.student`.

    Returns:
        An uncompiled model with the same weights.

    Raises:
        TypeError: The model is a Keras 3 model.
        ValueError: There is nothing to strip.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.prune_low_magnitude(tf_keras.Sequential(layers))
        >>> [layer.name for layer in kd.tfmot.strip_pruning(student).layers]
        ['head']
    """
    find_layers(model, "kd.tfmot.strip_pruning")
    wrapped = find_pruned_layers(model)
    if not wrapped:
        raise ValueError(
            f"No layer of {model.name!r} is wrapped by tfmot's pruning: there is nothing to strip."
        )
    for (
        layer
    ) in wrapped:  # the last step may have moved the zeros; the callback masks at the end of epochs only
        layer.pruning_obj.weight_mask_op()
        for weight, _, _ in layer.pruning_vars:
            weight.assign(weight + 0.0)  # tfmot's products leave -0.0, which for gzip is not 0.0
    with global_policy_of(model):
        return import_tfmot().sparsity.keras.strip_pruning(model)


def strip_clustering(model: KerasModel) -> KerasModel:
    """Return the model without tfmot's cluster wrappers: its kernels have few distinct values.

    Args:
        model: What `cluster_weights` returned, after training, or the result of
            `quantize_model(preserve="clusters")`, which stays quantization aware. For a Distiller, pass
            `distiller.student`.

    Returns:
        An uncompiled model whose layers have their own names.

    Raises:
        TypeError: The model is a Keras 3 model.
        ValueError: There is nothing to strip.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.cluster_weights(tf_keras.Sequential(layers), 4, "LINEAR")
        >>> [layer.name for layer in kd.tfmot.strip_clustering(student).layers]
        ['head']
    """
    layers = find_layers(model, "kd.tfmot.strip_clustering")
    tfmot = import_tfmot()
    if any(kind.__name__ == "ClusterWeights" for layer in layers.values() for kind in type(layer).__mro__):
        with global_policy_of(model):
            return tfmot.clustering.keras.strip_clustering(model)
    if any("cluster_centroids_tf" in weight.name for weight in model.weights):
        return tfmot.experimental.combine.strip_clustering_cqat(model)
    raise ValueError(f"No layer of {model.name!r} is clustered by tfmot: there is nothing to strip.")

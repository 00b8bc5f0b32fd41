"""tensorflow-model-optimization's own wrappers, with errors where they say nothing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_kd.legacy import is_model
from keras_kd.messages import did_you_mean, one_line
from keras_kd.tfmot.checks import chosen, refuse, require_bare, require_layers
from keras_kd.tfmot.library import computing_as, import_tfmot
from keras_kd.tfmot.prunable_kernels import check_pattern, fault


def prune_low_magnitude(
    model: Any,
    pruning_schedule: Any = None,
    block_size: tuple[int, int] = (1, 1),
    block_pooling_type: str = "AVG",
    sparsity_m_by_n: tuple[int, int] | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> Any:
    """Wrap layers of a copy of a model so that training prunes them, with tfmot's `prune_low_magnitude`.

    Train it with tfmot's `UpdatePruningStep` callback, then call `strip_pruning`.

    Args:
        model: A functional or sequential tf_keras model. It stays as it is.
        pruning_schedule: A schedule of `tfmot.sparsity.keras`. Default: tfmot's, 50 % from step 0.
        block_size: Height and width of blocks that are pruned together, for layers with a matrix only, of
            two blocks and more in each direction.
        block_pooling_type: `"AVG"` or `"MAX"`: what stands for a block.
        sparsity_m_by_n: `(2, 4)` for two zeros in each four consecutive inputs, whose number it has to
            divide. A kernel with so few inputs that none of them would be zero stays as it is.
        layers: The layers to prune, by name; `"backbone/conv"` in a nested model. Default: all.

    Returns:
        A model, not compiled, whose layers are named `prune_low_magnitude_NAME`.

    Raises:
        TypeError: A model of Keras 3, or what is no schedule.
        ValueError: Layers that tfmot cannot prune so, all of them named; blocks or groups of no such size.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.prune_low_magnitude(tf_keras.Sequential(layers))
        >>> [layer.name for layer in student.layers]
        ['prune_low_magnitude_head']
    """
    what = "kd.tfmot.prune_low_magnitude"
    check_pattern(block_size, block_pooling_type, sparsity_m_by_n)
    taken = taken_from(model, layers, what)
    sparsity = import_tfmot().sparsity.keras
    if pruning_schedule is not None and not isinstance(pruning_schedule, sparsity.PruningSchedule):
        raise TypeError(
            "`pruning_schedule` must be one of tfmot.sparsity.keras, such as PolynomialDecay. Received: "
            f"{pruning_schedule!r}."
        )
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import PruneRegistry

    own = {path for path, layer in taken.items() if hasattr(layer, "get_prunable_weights")}
    refused = {
        path: type(layer).__name__
        for path, layer in taken.items()
        if path not in own and not PruneRegistry.supports(layer)
    }
    faults = {p: fault(taken[p], block_size, sparsity_m_by_n) for p in taken if p not in refused}
    refused |= {path: found for path, found in faults.items() if found}
    refuse(refused, taken, what)
    options = {"pruning_schedule": pruning_schedule} if pruning_schedule is not None else {}
    options |= {"block_size": tuple(block_size), "block_pooling_type": block_pooling_type}
    options |= {"sparsity_m_by_n": sparsity_m_by_n}
    return wrapped_copy(model, taken, lambda layer: sparsity.prune_low_magnitude(layer, **options))


def cluster_weights(
    model: Any,
    number_of_clusters: int,
    cluster_centroids_init: Any = "KMEANS_PLUS_PLUS",
    preserve_sparsity: bool = False,
    *,
    layers: Sequence[str] | None = None,
) -> Any:
    """Wrap layers of a copy of a model so that each kernel has few values, with tfmot's `cluster_weights`.

    The model should be trained. Train on, then call `strip_clustering`.

    Args:
        model: A functional or sequential tf_keras model. It stays as it is.
        number_of_clusters: How many values each kernel may have.
        cluster_centroids_init: `"LINEAR"`, `"RANDOM"`, `"DENSITY_BASED"`, `"KMEANS_PLUS_PLUS"`, or a member
            of `tfmot.clustering.keras.CentroidInitialization`.
        preserve_sparsity: Whether zeros stay zero, for a model that was pruned and stripped.
        layers: The layers to cluster, by name; `"backbone/conv"` in a nested model. Default: all that have
            something to cluster. tfmot wraps the others too, and runs them as in inference from then on.

    Returns:
        A model, not compiled, whose layers are named `cluster_NAME`.

    Raises:
        TypeError: A model of Keras 3, of which tfmot itself would return `None`.
        ValueError: Layers that tfmot cannot cluster, all of them named; kernels with too few weights.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.cluster_weights(tf_keras.Sequential(layers), 4, "LINEAR")
        >>> [layer.name for layer in student.layers]
        ['cluster_head']
    """
    what = "kd.tfmot.cluster_weights"
    taken = taken_from(model, layers, what)
    kinds = import_tfmot().clustering.keras.CentroidInitialization
    if isinstance(cluster_centroids_init, str):
        names = list(kinds.__members__)
        if cluster_centroids_init not in names:
            raise ValueError(
                f"`cluster_centroids_init` must be one of {names}. Received: {cluster_centroids_init!r}."
                f"{did_you_mean(cluster_centroids_init.upper(), names)}"
            )
        cluster_centroids_init = kinds[cluster_centroids_init]
    from tensorflow_model_optimization.python.core.clustering.keras.clustering_registry import (
        ClusteringRegistry,
    )
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
        cluster_weights as wrap,
    )

    own = {path for path, layer in taken.items() if hasattr(layer, "get_clusterable_weights")}
    refused = {
        path: type(layer).__name__
        for path, layer in taken.items()
        if path not in own and not ClusteringRegistry.supports(layer)
    }
    for path, layer in taken.items():
        if layer.compute_dtype in ("float16", "bfloat16") and getattr(layer, "kernel", None) is not None:
            refused[path] = f"it computes in {layer.compute_dtype}, and tfmot clusters float32"
        size = math.prod(getattr(layer, "kernel", np.zeros(0)).shape)
        if 0 < size <= number_of_clusters:
            refused[path] = f"its kernel has {size} weights"
    refuse(refused, taken, what)
    if layers is None:  # in tfmot's wrapper BatchNormalization and Dropout would never train
        known = ClusteringRegistry._LAYERS_WEIGHTS_MAP
        has = {p: layer.trainable_weights and known.get(type(layer), True) for p, layer in taken.items()}
        taken = {path: layer for path, layer in taken.items() if has[path]}
    options = {"preserve_sparsity": preserve_sparsity}
    return wrapped_copy(
        model, taken, lambda layer: wrap(layer, number_of_clusters, cluster_centroids_init, **options)
    )


def taken_from(model: Any, names: Any, what: str) -> dict[str, Any]:
    """The layers that `what` is to wrap, by path."""
    layers = require_layers(model, what)
    require_bare(layers, what)
    return chosen(layers, names)


def wrapped_copy(model: Any, taken: dict[str, Any], wrap: Any) -> Any:
    """A copy of a model, with these of its layers wrapped. tfmot wraps the layers themselves."""
    from tf_keras.models import clone_model

    try:
        with computing_as(model):
            copy = clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"{model.name!r} cannot be copied: {one_line(error)} Give its own layers a `get_config`."
        ) from error
    copy.set_weights(model.get_weights())
    copies = require_layers(copy, "")
    inside = {id(copies[path]) for path in taken}

    def each(layer: Any) -> Any:
        with computing_as(layer):
            if is_model(layer):
                return clone_model(layer, clone_function=each)
            return wrap(layer) if id(layer) in inside else layer

    with computing_as(model):
        return clone_model(copy, clone_function=each)

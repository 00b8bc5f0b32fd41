"""tensorflow-model-optimization's own wrappers, with an error where they would fail silently or late."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_kd.legacy import KerasLayer, KerasModel, is_model
from keras_kd.messages import did_you_mean, one_line
from keras_kd.tfmot.checks import Layers, check_not_wrapped, check_supported, find_layers, select_layers
from keras_kd.tfmot.library import global_policy_of, import_tfmot
from keras_kd.tfmot.prunable_kernels import check_pattern, find_misfit


def prune_low_magnitude(
    model: KerasModel,
    pruning_schedule: object = None,
    block_size: tuple[int, int] = (1, 1),
    block_pooling_type: str = "AVG",
    sparsity_m_by_n: tuple[int, int] | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> KerasModel:
    """Wrap layers of a copy of a model so that training prunes them, with tfmot's `prune_low_magnitude`.

    Train it with tfmot's `UpdatePruningStep` callback, then call `strip_pruning`.

    Args:
        model: A functional or sequential tf_keras model. It is not changed.
        pruning_schedule: A schedule of `tfmot.sparsity.keras`. Default: tfmot's, 50 % from step 0.
        block_size: Height and width of blocks that are pruned together; only for layers whose kernel is a
            matrix of at least two blocks in each direction.
        block_pooling_type: `"AVG"` or `"MAX"`: how the magnitude of a block is computed.
        sparsity_m_by_n: `(2, 4)` for two zeros in every four consecutive inputs; the number of inputs must be
            divisible by four. A kernel with so few inputs that none of them would become zero stays as it is.
        layers: The layers to prune, by name; `"backbone/conv"` in a nested model. Default: all.

    Returns:
        An uncompiled model whose layers are named `prune_low_magnitude_NAME`.

    Raises:
        TypeError: The model is a Keras 3 model, or `pruning_schedule` is not a schedule.
        ValueError: Layers that tfmot cannot prune in this way, all of them named; blocks or groups of an
            impossible size.

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
    selected = select_bare_layers(model, layers, what)
    sparsity = import_tfmot().sparsity.keras
    if pruning_schedule is not None and not isinstance(pruning_schedule, sparsity.PruningSchedule):
        raise TypeError(
            "`pruning_schedule` must be one of tfmot.sparsity.keras, such as PolynomialDecay. Received: "
            f"{pruning_schedule!r}."
        )
    check_supported(_unprunable(selected, block_size, sparsity_m_by_n), selected, what)
    options: dict[str, object] = {"block_size": tuple(block_size), "block_pooling_type": block_pooling_type}
    options["sparsity_m_by_n"] = sparsity_m_by_n
    if pruning_schedule is not None:
        options["pruning_schedule"] = pruning_schedule
    return wrap_copy(model, selected, lambda layer: sparsity.prune_low_magnitude(layer, **options))


def _unprunable(
    layers: Layers, block_size: tuple[int, int], sparsity_m_by_n: tuple[int, int] | None
) -> dict[str, str]:
    """The layers that tfmot cannot prune, and why."""
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import PruneRegistry

    reasons = {}
    for path, layer in layers.items():
        supported = hasattr(layer, "get_prunable_weights") or PruneRegistry.supports(layer)
        misfit = find_misfit(layer, block_size, sparsity_m_by_n) if supported else type(layer).__name__
        if misfit:
            reasons[path] = misfit
    return reasons


def cluster_weights(
    model: KerasModel,
    number_of_clusters: int,
    cluster_centroids_init: object = "KMEANS_PLUS_PLUS",
    preserve_sparsity: bool = False,
    *,
    layers: Sequence[str] | None = None,
) -> KerasModel:
    """Wrap layers of a copy of a model so that each kernel has few distinct values, with `cluster_weights`.

    The model should already be trained. Fine-tune the result, then call `strip_clustering`.

    Args:
        model: A functional or sequential tf_keras model. It is not changed.
        number_of_clusters: How many distinct values each kernel may have.
        cluster_centroids_init: `"LINEAR"`, `"RANDOM"`, `"DENSITY_BASED"`, `"KMEANS_PLUS_PLUS"`, or a member
            of `tfmot.clustering.keras.CentroidInitialization`.
        preserve_sparsity: Whether zeros stay zero, for a model that was pruned and stripped.
        layers: The layers to cluster, by name; `"backbone/conv"` in a nested model. Default: all that have
            something to cluster. tfmot itself also wraps the others, which then always run in inference mode.

    Returns:
        An uncompiled model whose layers are named `cluster_NAME`.

    Raises:
        TypeError: The model is a Keras 3 model, for which tfmot itself would return `None`.
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
    selected = select_bare_layers(model, layers, what)
    init = _parse_init(cluster_centroids_init)
    check_supported(_unclusterable(selected, number_of_clusters), selected, what)
    if layers is None:  # in tfmot's wrapper, BatchNormalization and Dropout would never train
        selected = {path: layer for path, layer in selected.items() if _has_clusters(layer)}
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
        cluster_weights as wrap,
    )

    options = {"preserve_sparsity": preserve_sparsity}
    return wrap_copy(model, selected, lambda layer: wrap(layer, number_of_clusters, init, **options))


def _parse_init(cluster_centroids_init: object) -> object:
    """A member of tfmot's enumeration, which may be given by name."""
    if not isinstance(cluster_centroids_init, str):
        return cluster_centroids_init
    kinds = import_tfmot().clustering.keras.CentroidInitialization
    names = list(kinds.__members__)
    if cluster_centroids_init not in names:
        raise ValueError(
            f"`cluster_centroids_init` must be one of {names}. Received: {cluster_centroids_init!r}."
            f"{did_you_mean(cluster_centroids_init.upper(), names)}"
        )
    return kinds[cluster_centroids_init]


def _unclusterable(layers: Layers, number_of_clusters: int) -> dict[str, str]:
    """The layers that tfmot cannot cluster, and why."""
    registry, reasons = _clustering_registry(), {}
    for path, layer in layers.items():
        if not (hasattr(layer, "get_clusterable_weights") or registry.supports(layer)):
            reasons[path] = type(layer).__name__
        kernel = getattr(layer, "kernel", None)
        if layer.compute_dtype in ("float16", "bfloat16") and kernel is not None:
            reasons[path] = f"it computes in {layer.compute_dtype}, and tfmot clusters float32"
        size = math.prod(getattr(layer, "kernel", np.zeros(0)).shape)
        if 0 < size <= number_of_clusters:
            reasons[path] = f"its kernel has {size} weights"
    return reasons


def _has_clusters(layer: KerasLayer) -> bool:
    """Whether tfmot finds something to cluster in a layer that it supports."""
    return bool(layer.trainable_weights and _clustering_registry()._LAYERS_WEIGHTS_MAP.get(type(layer), True))


def _clustering_registry() -> Any:
    from tensorflow_model_optimization.python.core.clustering.keras.clustering_registry import (
        ClusteringRegistry,
    )

    return ClusteringRegistry


def select_bare_layers(model: KerasModel, names: Sequence[str] | str | None, what: str) -> Layers:
    """The layers that `what` is to wrap, by path; none of the model's layers may be wrapped already."""
    layers = find_layers(model, what)
    check_not_wrapped(layers, what)
    return select_layers(layers, names)


def wrap_copy(model: KerasModel, selected: Layers, wrap: Callable[[KerasLayer], KerasLayer]) -> KerasModel:
    """A copy of a model, with the selected layers wrapped: tfmot would wrap the original layers."""
    from tf_keras.models import clone_model

    try:
        with global_policy_of(model):
            copy = clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"{model.name!r} cannot be copied: {one_line(error)} Give your own layers a `get_config`."
        ) from error
    copy.set_weights(model.get_weights())
    copies = find_layers(copy, "")
    wrapped = {id(copies[path]) for path in selected}

    def clone(layer: KerasLayer) -> KerasLayer:
        with global_policy_of(layer):
            if is_model(layer):
                return clone_model(layer, clone_function=clone)
            return wrap(layer) if id(layer) in wrapped else layer

    with global_policy_of(model):
        return clone_model(copy, clone_function=clone)

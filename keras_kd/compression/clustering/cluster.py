"""Clustering: a callback that lets the weights of each kernel share a few values."""

import warnings
from collections.abc import Sequence

import keras
import numpy as np

from keras_kd.compression.clustering.arguments import Layers, resolve
from keras_kd.compression.clustering.share_constraint import ShareConstraint
from keras_kd.compression.clustering.sharing import group_shape, groups_of, share_values
from keras_kd.compression.kernel_callback import KernelCallback, Logs
from keras_kd.compression.kernel_selection import CLUSTER, select_kernels
from keras_kd.compression.kernels import Kernel
from keras_kd.training.callback_state import StateElsewhere

_PRUNED_LATER = (
    "kd.Prune makes zeros after kd.Cluster has begun, and weights that share a value are pruned together or "
    "not at all: the sparsity may not be reached. List kd.Prune first, and let kd.Cluster begin after its "
    "`end`: kd.Cluster(begin=STEP)."
)


class Cluster(KernelCallback[ShareConstraint, int], StateElsewhere):
    """Cluster a model during training: the weights of each kernel share a few values, which are trained.

    It works with `fit` of any Keras model and of `kd.Distiller`, whose student it clusters, and in a loop of
    your own. Train the model first. There is nothing to strip: the optimizer keeps the weights of a cluster
    equal within its compiled step, by weight constraints, and after training the model is the same as before,
    with few distinct values. Your own constraints are still applied, before the weights are made equal, and
    are restored afterwards. Moving averages (`use_ema`) are clustered too.

    Which weights form a cluster is decided at step `begin` of this `fit`, counted from 1. From then on the
    optimizer takes its step with every weight, and a centroid moves by the mean step of its weights. With
    SGD, that is to train the centroids, each on the mean gradient of its weights. With `reassign`, weights
    change clusters as well: they leave for a centroid that has come nearer to what their own steps made of
    them.

    Kernels with no more weights than clusters are left alone, and so are those that have few enough values
    already: their clusters are these values. With `kd.Prune` in the same list of callbacks, its zeros stay
    zero. Put `Cluster` after callbacks that restore weights when training ends
    (`EarlyStopping(restore_best_weights=True)`). `kd.FullState` saves the clusters;
    `keras.callbacks.BackupAndRestore` does not: they are then inferred from the weights.

    Source: Han et al. 2016, arXiv 1510.00149. `reassign`: weights that are kept beside those that compute, as
    Courbariaux et al. 2015, arXiv 1511.00363, keep them.

    Args:
        clusters: How many distinct values each kernel may have. `None`: only the layers that `layers` gives a
            number.
        initial: `"kmeans++"`: k-means, which has the smallest error. `"linear"`: values at equal distances
            from the smallest weight to the largest. `"density"`: values with equally many weights between
            them, as tensorflow-model-optimization computes them; some may coincide.
        per: `"layer"`: each kernel has `clusters` values. `"channel"`: each of its outputs has.
        layers: Which layers: names, paths (`"backbone/conv1"`), globs (`"conv*"`), or a mapping from these to
            numbers of clusters; if several match, the last one counts. Default: as `kd.Prune` does.
        skip: Names, paths or globs of layers to skip. Frozen layers are always skipped.
        keep_zeros: Whether weights that are zero at `begin` stay zero. Zero is then one of the values, and
            weights nearest to it become zero. Zeros of `kd.Prune` always stay.
        begin: The first step, counted from 1, at which the model is clustered; 0 is the same as 1. With the
            ramp of `kd.Prune`: after its `end`.
        reassign: Whether weights change clusters while they are trained. It helps where a kernel has
            two or three values. It takes more time, and four bytes for each weight. Call `kd.recalibrate`
            afterwards: BatchNorm's moving statistics lag behind weights that jump.

    Raises:
        ValueError: Arguments out of range; before training: unknown layers, nothing to cluster, a kernel
            chosen by name that has too few weights, a model that is not built.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x, y = np.random.rand(256, 8), np.random.rand(256, 1)
        >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[kd.Cluster(4)])
        >>> [kernel.distinct for kernel in kd.sparsity(model).kernels]
        [4, 4]
    """

    title, work, twin = "kd.Cluster", "clusters", "kd.tfmot.cluster_weights"
    unreached = "nothing will be clustered"

    def __init__(
        self,
        clusters: int | None = 16,
        *,
        initial: str = "kmeans++",
        per: str = "layer",
        layers: Layers = None,
        skip: Sequence[str] | str = (),
        keep_zeros: bool = True,
        begin: int = 0,
        reassign: bool = False,
    ) -> None:
        super().__init__()
        self.settings = resolve(clusters, initial, per, layers, skip, keep_zeros, begin, reassign)

    def _reset_state(self) -> None:
        super()._reset_state()
        self._has_begun = False  # the training, not the clusters
        self._has_warned = False
        self._indices: list[np.ndarray] | None = None  # the cluster of each weight
        self._others: list[list[np.ndarray]] | None = None  # their values and originals, if they change
        self._sizes: list[int] | None = None  # of how many clusters in each kernel

    def _select(self, model: keras.Model) -> list[tuple[Kernel, int | None]]:
        settings = self.settings
        chosen = select_kernels(model, settings.selection, verb=CLUSTER)
        counted = [(kernel, count or settings.clusters or 0) for kernel, count in chosen]
        kept = [(kernel, count) for kernel, count in counted if _room(kernel, settings.per) > count]
        small = [kernel for kernel, count in counted if _room(kernel, settings.per) <= count]
        names = set(settings.selection.layers or ())
        named = [k for k in small if {k.layer, k.path, k.layer.split("/")[-1]} & names]
        if named or not kept:
            figures = ", ".join(f"{k.path!r} {_room(k, settings.per)}" for k in named or small)
            raise ValueError(
                f"There must be more weights than clusters. Weights per {settings.per} of {model.name!r}: "
                f"{figures}. Use fewer clusters, or leave the layer out."
            )
        return list(kept)

    def _constrain(self, kernel: Kernel, value: int | None) -> ShareConstraint:
        settings = self.settings
        size = groups_of(kernel, settings.per) * (value or 0)
        groups = group_shape(kernel, settings.per) if settings.reassign else None
        waits = settings.begin > 1
        return ShareConstraint(kernel.variable, self.model, size, settings.keep_zeros, waits, groups)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_begin(epoch)
        if not self._has_begun:
            self._has_begun, self._epochs_steps = True, self._restored_steps()
            self._find_planned(epoch, self.settings.begin)
        self._attach()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        until = self._count(batch)
        have_more = [constraint.has_new_zeros() for constraint in self._constraints]
        if self._indices is not None and any(have_more) and not self._has_warned:
            self._has_warned = True
            warnings.warn(_PRUNED_LATER, stacklevel=2)
        if self._indices is None and until >= self.settings.begin:
            self._find_clusters()
        if self._indices is not None and self._constraints[0].last_set is not self._indices[0]:
            self._set_sharing(self._indices, self._others)  # it was restored

    def store_state(self) -> None:
        """Clusters that change are read when `kd.FullState` saves them."""
        if self.settings.reassign and self._indices is not None and self._constraints:
            read = [constraint.read_sharing() for constraint in self._constraints]
            self._indices, self._others = [index for index, *_ in read], [others for _, *others in read]

    def _find_clusters(self) -> None:
        initial, per = self.settings.initial, self.settings.per
        self._indices, self._sizes = [], [constraint.size for constraint in self._constraints]
        for (kernel, count), constraint in zip(self._kernels, self._constraints, strict=True):
            has_zeros = constraint.is_pruned or (
                self.settings.keep_zeros and bool((kernel.value() == 0).any())
            )
            found = share_values(kernel, count or 0, initial, per, has_zeros)
            self._indices.append(found.index)
            with self.model.distribute_strategy.scope():
                constraint.set_sharing(found.index, found.centroids)

    def _set_sharing(
        self, indices: list[np.ndarray], others: Sequence[Sequence[np.ndarray]] | None = None
    ) -> None:
        """Use these clusters from now on, and set the weights of each to their mean."""
        sizes = [constraint.size for constraint in self._constraints]
        same = len(indices) == len(sizes) and self._sizes in (None, sizes)
        if not same or not all(map(ShareConstraint.takes, self._constraints, indices)):
            raise ValueError(
                "The clusters of the checkpoint belong to other weights. Give kd.Cluster the same `clusters` "
                "and `layers` as in the training that was interrupted, or delete the checkpoint."
            )
        with self.model.distribute_strategy.scope():
            for i, (constraint, index) in enumerate(zip(self._constraints, indices, strict=True)):
                constraint.set_sharing(index, *(others[i] if others else ()))

    def on_train_end(self, logs: Logs | None = None) -> None:
        # Keras may have replaced the weights with their averages, or with those of an earlier step.
        if self._indices is not None and self._constraints:
            if self.settings.reassign:
                self._find_clusters()
            else:
                self._set_sharing(self._indices)
        super().on_train_end()


def _room(kernel: Kernel, per: str) -> int:
    """How many weights share clusters."""
    return int(np.prod(kernel.variable.shape)) // groups_of(kernel, per)

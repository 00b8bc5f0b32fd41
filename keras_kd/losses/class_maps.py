"""Losses that read class activation maps: where a model sees each class."""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.inputs import Signal, parts_of
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.maps import require_maps
from keras_kd.losses.pooling import pool_to
from keras_kd.losses.samples import flatten_positions, l2_normalize, mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class ClassAttention(SignalLoss):
    """Squared distance between class activation maps (CAT-KD).

    The class activation map of a model that ends in global average pooling and a dense head is its
    last map times the head's kernel: what each position contributes to each class, apart from the bias.
    The maps are pooled first, which gives the same value at a lower cost.

    Formula: `mean((n(P A_s) - n(P A_t))^2)` with `A = F W`, `P` the average pooling to `size x size`
    and `n` the division of each class's map by its L2 norm.

    Reads: the last map and the head's kernel of each model, whose numbers of channels may differ:
    `kd.Objective("class_attention", student=("stage3", "logits/kernel"),
    teacher=("stage3", "logits/kernel"))`; or one tap each of a layer that returns class maps.

    Defaults: `size=2`, the authors' for most pairs; they use 4 for ShuffleNet students, and for ResNet18
    on ImageNet. They normalize if the two architectures differ, and if they train on the maps alone,
    with weights 10 to 600; without normalization, the weights are 0.5 to 15.

    Equals: the authors' `CAT_loss`, averaged over all elements of the pooled maps.

    Source: Guo, Yan, Li, Lin 2023, "Class Attention Transfer Based Knowledge Distillation",
    arXiv 2304.12777.

    Args:
        size: Number of cells along each axis of the pooled maps.
        normalize: Scale each class's pooled map to L2 norm 1, so that only its pattern matters.

    Shapes:
        teacher, student: class maps `(batch, ...positions, classes)`, or a tuple of a map
        `(batch, ...positions, channels)` and a kernel `(channels, classes)`. Spatial sizes may
        differ. Result: `(batch,)`.

    Raises:
        ValueError: A kernel that does not match its map; different numbers of classes; a size below 1.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> maps, kernel = np.random.default_rng(0).normal(size=(2, 4, 4, 8)), np.ones((8, 10))
        >>> float(kd.losses.ClassAttention()((maps, kernel), maps @ kernel)) < 1e-6
        True
    """

    teacher_signals = (1, 2)
    student_signals = (1, 2)
    reads = (
        "a map of each model, or a map and the kernel of the head that follows it, student=('last_map', "
        "'head/kernel') in an objective"
    )

    def __init__(self, size: int = 2, normalize: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.normalize = check_integer("size", size, floats=True), bool(normalize)

    def call(self, teacher: Signal, student: Signal) -> Tensor:
        of_teacher = ops.stop_gradient(self._class_maps(teacher, "teacher"))
        of_student = self._class_maps(student, "student")
        require_same_shape(self, of_teacher, of_student)
        return mean_per_sample(ops.square(of_student - of_teacher))

    def _class_maps(self, signal: Signal, side: str) -> Tensor:
        parts = parts_of(signal)
        maps, *kernel = parts
        require_maps(self, maps)
        maps = flatten_positions(pool_to(maps, [self.size] * (len(maps.shape) - 2)))
        if kernel:
            if len(kernel[0].shape) != 2 or kernel[0].shape[0] != maps.shape[-1]:
                shapes = ", ".join(str(tuple(part.shape)) for part in parts)
                raise ValueError(
                    "ClassAttention reads a map (batch, height, width, channels) and the kernel (channels, "
                    "classes) of the dense head that follows its pooling. Received from the "
                    f"{side}: {shapes}. Tap them as {side}=('last_map', 'head/kernel')."
                )
            maps = ops.matmul(maps, kernel[0])
        return l2_normalize(maps, axis=1) if self.normalize else maps

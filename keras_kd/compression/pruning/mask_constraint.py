"""MaskConstraint: keeps pruned weights at zero, from within the optimizer's step."""

import keras
import numpy as np
from keras import ops

from keras_kd.compression.kernel_constraint import KernelConstraint
from keras_kd.tensors import Tensor


class MaskConstraint(KernelConstraint):
    """The constraint on a weight while it is pruned.

    Args:
        variable: The weight. Its existing constraint, if any, is still applied.
        model: The model being trained.
    """

    what = "kd.Prune callbacks prune"
    is_inner = True

    def __init__(self, variable: keras.Variable, model: keras.Model) -> None:
        super().__init__(variable, model)
        self.mask = keras.Variable(np.ones(variable.shape, bool), dtype="bool", trainable=False, name="mask")

    def __call__(self, w: Tensor) -> Tensor:
        self._mask_average()
        return self._apply_mask(w if self.own is None else self.own(self._apply_mask(w)))

    def _apply_mask(self, w: Tensor) -> Tensor:
        return ops.where(self.mask, w, ops.zeros((), w.dtype))  # a product would make -0.0, and NaN of NaN

    def _mask_average(self) -> None:
        average = self.average()
        if average is not None:
            average.assign(self._apply_mask(average))

    def set_mask(self, mask: np.ndarray) -> None:
        """Keep the weights where `mask` is true, and hold the others at zero from now on."""
        self.last_set = mask
        self.mask.assign(mask)
        self.variable.assign(self._apply_mask(self.variable))
        self._mask_average()

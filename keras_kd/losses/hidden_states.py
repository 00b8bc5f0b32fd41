"""A loss that reads hidden states of transformers, ignoring padding."""

import keras
from keras import ops

from keras_kd.losses.inputs import Mask, PositionWeight
from keras_kd.losses.loss import SignalLoss
from keras_kd.losses.pooling import match_maps
from keras_kd.losses.samples import l2_normalize, mean_per_sample, require_same_shape
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class CosineHidden(SignalLoss):
    """One minus the cosine between the hidden states of student and teacher.

    The norms of the states do not matter. A state that is all zeros has the value 1, and no gradient.

    Formula: `1 - h_s.h_t / (|h_s| |h_t|)`, averaged over tokens.

    Reads: one tap each, usually the last hidden state. If the widths differ, use `project=True`.

    Defaults: none. DistilBERT uses weight 1, with 5 for the soft targets and 2 for masked language modeling.

    Equals: DistilBERT's value for sentences of the same length. DistilBERT averages over all tokens of the
    batch; here each sentence counts the same. `||n(h_s) - n(h_t)||^2`, with `n` the division by the L2
    norm, which PKD for BERT (arXiv 1908.09355) computes on the first token, is twice this.

    Source: Sanh et al. 2019, "DistilBERT, a distilled version of BERT", arXiv 1910.01108.

    Shapes:
        teacher, student: `(batch, ..., width)`: vectors, tokens or maps, of the same shape after pooling maps
        to the smaller spatial size. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.array([[1.0, 0.0]]), np.array([[0.0, 7.0]])
        >>> float(kd.losses.CosineHidden()(teacher, student))
        1.0
    """

    def call(
        self, teacher: Tensor, student: Tensor, mask: Mask = None, position_weight: PositionWeight = None
    ) -> Tensor:
        teacher, student = match_maps(ops.stop_gradient(teacher), student, mask)
        require_same_shape(self, teacher, student)
        cosines = ops.sum(l2_normalize(teacher) * l2_normalize(student), axis=-1)
        return mean_per_sample(1 - cosines, mask, position_weight)

"""Which positions of a batch, tokens or pixels, an objective counts."""

from typing import TYPE_CHECKING

import keras

from keras_kd.losses.inputs import join_masks
from keras_kd.losses.samples import fits
from keras_kd.signals.batches import Batch, comes_with_data, read_tap
from keras_kd.tensors import Tensor, Tensors

if TYPE_CHECKING:
    from keras_kd.distillation.objectives import Objective
    from keras_kd.distillation.tapped import Tapped


def join_padding_masks(
    objective: "Objective", student: "Tapped", teacher: "Tapped", batch: Batch
) -> Tensor | None:
    """The padding masks of the signals that an objective reads, combined with its own mask.

    Args:
        objective: The objective.
        student: The student's signals.
        teacher: The teacher's signals.
        batch: The batch, which may contain the objective's own mask.
    """
    masks = [student.masks[tap] for tap in objective.student_taps if tap in student.masks]
    masks += [teacher.masks[tap] for tap in objective.teacher_taps if tap in teacher.masks]
    masks += [student.masks[tap] for tap in objective.own_taps if tap in student.masks]
    if objective.mask is not None:
        of_data = comes_with_data(objective.mask)
        masks.append(read_tap(objective.mask, batch) if of_data else student.raw[objective.mask])
    return join_masks(masks)


def mask_after_projection(
    mask: Tensor | None, projection: keras.layers.Layer, projected: Tensors
) -> Tensor | None:
    """The mask of a projected signal: `None` if the projection pooled its tokens, leaving out padded ones."""
    if mask is None or not projection.supports_masking or fits(mask, keras.tree.flatten(projected)[0]):
        return mask
    return None

"""What the sample weights of a batch mean for an objective."""

from collections.abc import Iterable

import tensorflow as tf

from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.shape_inference import trace_loss
from keras_kd.parts import parts
from keras_kd.tensors import Tensor, Tensors


def weights_for(objective: Objective, sample_weight: Tensors) -> Tensor | None:
    """A batch's sample weights for one objective: per sample, or per token or pixel.

    Raises:
        ValueError: The weights are per output, and the objective reads none of these outputs.
    """
    if sample_weight is None or not objective.use_sample_weight:
        return None
    if isinstance(sample_weight, (dict, list, tuple)):
        return _of_output(objective, parts(sample_weight))
    return sample_weight


def _of_output(objective: Objective, weights: dict[str, Tensor]) -> Tensor | None:
    output = objective.student_taps[0].removeprefix("output/")
    output = next(iter(weights)) if output == "output" and len(weights) == 1 else output
    if output not in weights:
        raise ValueError(
            f"Sample weights come per output ({list(weights)}), and objective {objective.name!r} reads "
            f"{objective.student_tap!r}. Give one weight per sample, or use_sample_weight=False."
        )
    return weights[output]


def check_position_weights(pairs: Iterable[tuple[Objective, Signals]], sample_weight: Tensors) -> None:
    """Trace objectives with weights per token or pixel, which not every loss and signal can apply.

    Args:
        pairs: Objectives, each with the signals that it reads.
        sample_weight: The sample weights of a batch.

    Raises:
        ValueError: A loss that is not made of positions, or weights for other positions than its signals'.
    """
    for objective, signals in pairs:
        weights = weights_for(objective, sample_weight)
        if weights is not None and len(weights.shape) > 1:
            spec = tf.TensorSpec((None, *weights.shape[1:]), weights.dtype)
            trace_loss(objective, signals.read_by(objective), spec)

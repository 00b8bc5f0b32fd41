"""What the sample weights of a batch mean for an objective."""

import keras

from keras_kd.distillation.objectives import Objective
from keras_kd.signals.batches import parts
from keras_kd.tensors import Tensor, Tensors


def split_sample_weights(objective: Objective, sample_weight: Tensors) -> tuple[Tensor | None, Tensor | None]:
    """A batch's sample weights for one objective: per sample, and per position.

    Returns:
        One weight per sample, `(batch,)`, and which positions count, `(batch, ...positions)`; the
        latter only if the data has a weight for each token or pixel. A sample's weight is then the
        mean over its positions. With weights of 0 and 1, this is what Keras computes.

    Raises:
        ValueError: The weights are per output, and the objective reads none of these outputs.
    """
    if sample_weight is None or not objective.use_sample_weight:
        return None, None
    if isinstance(sample_weight, (dict, list, tuple)):
        sample_weight = _of_output(objective, parts(sample_weight))
    if sample_weight is None or len(sample_weight.shape) < 2:
        return sample_weight, None
    weights = keras.ops.mean(sample_weight, axis=tuple(range(1, len(sample_weight.shape))))
    return weights, None if tuple(sample_weight.shape[1:]) == (1,) else sample_weight != 0


def _of_output(objective: Objective, weights: dict[str, Tensor]) -> Tensor | None:
    output = objective.student_taps[0].removeprefix("output/")
    output = next(iter(weights)) if output == "output" and len(weights) == 1 else output
    if output not in weights:
        raise ValueError(
            f"Sample weights come per output ({list(weights)}), and objective {objective.name!r} reads "
            f"{objective.student_tap!r}. Give one weight per sample, or use_sample_weight=False."
        )
    return weights[output]

"""A loss that reads how queries, keys and values each relate to themselves, ignoring padding.

Relations are computed from the queries, keys and values of `keras.layers.MultiHeadAttention`: for a layer
named `attention`, the taps are `"attention/query"`, `"attention/key"` and `"attention/value"`.
"""

import math
from typing import Any

import keras
from keras import ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.attention_maps import attention_divergence, scaled_products
from keras_kd.losses.inputs import Mask, Signal, parts_of
from keras_kd.losses.loss import SignalLoss
from keras_kd.tensors import Tensor


@keras.saving.register_keras_serializable("keras_kd")
class SelfAttentionRelations(SignalLoss):
    """How queries relate to queries, keys to keys and values to values (MiniLM v2).

    Heads are concatenated and split again into `heads` relation heads, so the two models may differ in
    width and in their number of heads. Padded tokens are ignored.

    Formula: `sum_A KL(R_t || R_s)`, averaged over relation heads and tokens, with
    `R = softmax(A A^T / sqrt(d))`, `A` the queries, keys and values, and `d` the width of a relation head.

    Reads: a tuple from each model; for the student, from its last self-attention layer:
    `kd.Objective("self_attention_relations", student=("attention/query", "attention/key",
    "attention/value"), teacher=("attention_11/query", "attention_11/key", "attention_11/value"))`.

    Defaults: `heads` is the teacher's number of heads. The paper uses 48 for base and 64 for large teachers.

    Equals: the paper's formula, and the loss of minilmv2.bb (Bloomberg) with weight 1 for each of the
    three relations. The authors' repository, microsoft/unilm, has no training code.

    Source: Wang et al. 2021, "MiniLMv2: Multi-Head Self-Attention Relation Distillation for
    Compressing Pretrained Transformers", arXiv 2012.15828.

    Args:
        heads: The number of relation heads. `None`: the teacher's number of heads.

    Shapes:
        teacher, student: one tensor or a tuple, each `(batch, tokens, heads, width)` or
        `(batch, tokens, width)`. All widths (times heads) must be divisible by `heads`. Result: `(batch,)`.

    Raises:
        ValueError: Tuples of different lengths; other ranks; widths that are not divisible by `heads`; no
            `heads` if the teacher's signal has no axis for them.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> tokens = np.random.default_rng(0).normal(size=(2, 5, 8))
        >>> loss = kd.losses.SelfAttentionRelations(heads=2)
        >>> float(loss((tokens, tokens), (tokens, -tokens)))
        0.0
    """

    teacher_signals = (1, math.inf)
    student_signals = (1, math.inf)
    reads = (
        "as many signals of the student as of the teacher, such as student=('attention/query', "
        "'attention/key', 'attention/value')"
    )

    def __init__(self, heads: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = None if heads is None else check_integer("heads", heads)

    def call(self, teacher: Signal, student: Signal, mask: Mask = None) -> Tensor:
        teachers, students = parts_of(teacher), parts_of(student)
        shapes = [[tuple(x.shape) for x in side] for side in (teachers, students)]
        ranks = {len(shape) for side in shapes for shape in side}
        if len(teachers) != len(students) or not ranks <= {3, 4}:
            raise ValueError(
                "SelfAttentionRelations reads as many signals of the student as of the teacher, each (batch, "
                f"tokens, heads, width) or (batch, tokens, width). Received: teacher {shapes[0]}, student "
                f"{shapes[1]}."
            )
        return sum(
            attention_divergence(self, self._relations(ops.stop_gradient(t), t), self._relations(s, t), mask)
            for t, s in zip(teachers, students, strict=True)
        )

    def _relations(self, signal: Tensor, teacher: Tensor) -> Tensor:
        heads = self.heads or (teacher.shape[2] if len(teacher.shape) == 4 else None)
        width = signal.shape[-1] * (signal.shape[2] if len(signal.shape) == 4 else 1)
        if heads is None or width % heads:
            problem = (
                "the teacher's signal has no heads"
                if heads is None
                else f"{width} is not divisible by {heads}"
            )
            raise ValueError(
                f"SelfAttentionRelations cuts each signal into relation heads, and {problem}. Received: "
                f"{tuple(signal.shape)}. Pass `heads`, a number that divides all widths."
            )
        cut = ops.reshape(signal, (*ops.shape(signal)[:2], heads, width // heads))
        return scaled_products(cut, cut)

"""Operations that compute each element from the elements at the same place."""

import numpy as np

from keras_kd.compression.shrinking.channels import Step, nothing
from keras_kd.compression.shrinking.rules.weighted import why_mixing
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.tensors import Shape

OPERATIONS = [
    "Abs",
    "Absolute",
    "Add",
    "Average",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "Divide",
    "DivideNoNan",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Exp2",
    "Expm1",
    "Floor",
    "FloorDivide",
    "Fmax",
    "Fmin",
    "Gelu",
    "Greater",
    "GreaterEqual",
    "HardShrink",
    "HardSigmoid",
    "HardSilu",
    "HardTanh",
    "LeakyRelu",
    "Less",
    "LessEqual",
    "Log",
    "Log10",
    "Log1p",
    "Log2",
    "LogSigmoid",
    "Logaddexp",
    "LogicalAnd",
    "LogicalNot",
    "LogicalOr",
    "LogicalXor",
    "Maximum",
    "Minimum",
    "Mod",
    "Multiply",
    "NanToNum",
    "Negative",
    "NotEqual",
    "OnesLike",
    "Power",
    "Reciprocal",
    "Relu",
    "Relu6",
    "Round",
    "Rsqrt",
    "Selu",
    "Sigmoid",
    "Sign",
    "Silu",
    "Sin",
    "Sinh",
    "SoftShrink",
    "Softplus",
    "Softsign",
    "SparsePlus",
    "SparseSigmoid",
    "Sqrt",
    "Square",
    "Squareplus",
    "StopGradient",
    "Subtract",
    "Tan",
    "Tanh",
    "TanhShrink",
    "Threshold",
    "TrueDivide",
    "Where",
    "ZerosLike",
]
LAYERS = [
    "Activation",
    "ELU",
    "LeakyReLU",
    "ReLU",
    "Dropout",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Identity",
    "ActivityRegularization",
    "Add",
    "Subtract",
    "Multiply",
    "Maximum",
    "Minimum",
    "Average",
    "StochasticDepth",
    "CustomScaleLayer",
]


def elementwise(step: Step) -> None:
    """Whatever works on elements: what stands at the same place is tied together."""
    why = why_mixing(getattr(step.operation, "activation", None))
    noise = getattr(step.operation, "noise_shape", None)
    if noise is not None and any(noise[axis] not in (None, 1) for axis in step.ties.varying_axes(step.given)):
        why = "its noise_shape holds their number"
    if why is not None:
        step.keep(why)
        step.give_nothing()
        return
    step.give(joined(step, step.reads, step.shapes, step.result_shapes[0]))


def joined(step: Step, reads: list[Labels], shapes: list[Shape], result: Shape) -> Labels:
    """Tie tensors that broadcast, and return the labels of the result."""
    rank = len(result)
    aligned = [_padded(labels, rank) for labels in reads]
    sizes = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    varying = {axis for labels in aligned for axis in step.ties.varying_axes(labels)}
    stretched = [any(size[axis] == 1 != result[axis] for axis in varying) for size in sizes]
    alone = [labels for labels, is_stretched in zip(aligned, stretched, strict=True) if is_stretched]
    step.keep("it is used for every channel of another tensor", alone)
    tied = [labels for labels, is_stretched in zip(aligned, stretched, strict=True) if not is_stretched]
    for labels in tied[1:]:
        step.ties.tie(tied[0], labels, f"is joined by {step.call.path!r} with a tensor that keeps its size")
    wide = [labels for labels in tied if step.ties.varying_axes(labels)]
    return np.broadcast_arrays(*wide)[0] if wide else (tied[0] if tied else nothing(rank))


def _padded(labels: Labels, rank: int) -> Labels:
    return labels.reshape((1,) * (rank - labels.ndim) + labels.shape)

"""Operations that compute each element from the elements at the same place."""

import keras
import numpy as np

from keras_kd.compression.shrinking.channels import Step, nothing
from keras_kd.compression.shrinking.rules.weighted import why_mixing
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.tensors import Shape

OPERATIONS = [
    "Abs",
    "Absolute",
    "Add",
    "Angle",
    "Arccos",
    "Arccosh",
    "Arcsin",
    "Arcsinh",
    "Arctan",
    "Arctan2",
    "Arctanh",
    "BitwiseAnd",
    "BitwiseInvert",
    "BitwiseLeftShift",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseRightShift",
    "BitwiseXor",
    "Cast",
    "Cbrt",
    "Ceil",
    "Celu",
    "Clip",
    "Conj",
    "Conjugate",
    "Copy",
    "Cos",
    "Cosh",
    "Deg2rad",
    "Divide",
    "DivideNoNan",
    "Elu",
    "Equal",
    "Erf",
    "Erfc",
    "Erfinv",
    "Exp",
    "Exp2",
    "Expm1",
    "Fabs",
    "Floor",
    "FloorDivide",
    "Fmax",
    "Fmin",
    "Fmod",
    "FullLike",
    "Gcd",
    "Gelu",
    "Greater",
    "GreaterEqual",
    "HardShrink",
    "HardSigmoid",
    "HardSilu",
    "HardTanh",
    "Heaviside",
    "Hypot",
    "I0",
    "Imag",
    "Isclose",
    "Isfinite",
    "Isinf",
    "Isnan",
    "Isneginf",
    "Isposinf",
    "Isreal",
    "Lcm",
    "Ldexp",
    "LeakyRelu",
    "LeftShift",
    "Less",
    "LessEqual",
    "Log",
    "Log10",
    "Log1p",
    "Log2",
    "LogSigmoid",
    "Logaddexp",
    "Logaddexp2",
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
    "Nextafter",
    "NotEqual",
    "OnesLike",
    "Power",
    "Rad2deg",
    "Real",
    "Reciprocal",
    "Relu",
    "Relu6",
    "RightShift",
    "Round",
    "Rsqrt",
    "SaturateCast",
    "Selu",
    "Sigmoid",
    "Sign",
    "Signbit",
    "Silu",
    "Sin",
    "Sinc",
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
    "Trunc",
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
    "RandomBrightness",
    "RandomContrast",
    "Rescaling",
]


def elementwise(step: Step) -> None:
    """Whatever works on elements: what stands at the same place is tied together."""
    why = _why_not(step)
    if why is not None:
        step.keep(why)
        step.give_nothing()
        return
    step.give(joined(step, step.reads, step.shapes, step.result_shapes[0]))


def _why_not(step: Step) -> str | None:
    """Why channels cannot be told apart; `None` if they can."""
    operation = step.operation
    noise = getattr(operation, "noise_shape", None)
    if noise is not None and any(noise[axis] not in (None, 1) for axis in step.ties.varying_axes(step.given)):
        return "its noise_shape holds their number"
    if len(step.result_shapes) != 1:
        return "it returns several tensors"
    # An array in a call is cut with the channels, as `cutting` does; other numbers are not.
    settings = [value for name, value in vars(operation).items() if name[0] != "_"]
    sizes = {labels.shape[axis] for labels in step.reads for axis in step.ties.varying_axes(labels)}
    if any(sizes & set(_shape_of(value)) for value in settings):
        return "its settings may hold a number for each of them"
    return why_mixing(getattr(operation, "activation", None))


def _shape_of(value: object) -> tuple[int, ...]:
    """The shape of an array, or of a list of numbers."""
    if isinstance(value, (list, tuple)):
        return (len(value),) if all(isinstance(one, (int, float)) for one in value) else ()
    return np.asarray(value).shape if isinstance(value, np.ndarray) or keras.ops.is_tensor(value) else ()


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

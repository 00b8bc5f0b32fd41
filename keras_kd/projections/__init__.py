"""Layers that map the student's signal to the teacher's; they are trained with it, but not part of it."""

from keras_kd.projections.classes import ClassSubset as ClassSubset
from keras_kd.projections.classes import TwoClasses as TwoClasses
from keras_kd.projections.classifier import reuse_classifier as reuse_classifier
from keras_kd.projections.conv_norm import ConvNorm as ConvNorm
from keras_kd.projections.fusion import ReviewFusion as ReviewFusion
from keras_kd.projections.generator import MaskedGenerator as MaskedGenerator
from keras_kd.projections.linear import Linear as Linear
from keras_kd.projections.memory import MemoryBank as MemoryBank
from keras_kd.projections.projection import Projection as Projection
from keras_kd.projections.regressors import Regressor as Regressor
from keras_kd.projections.simkd import SimKDProjector as SimKDProjector
from keras_kd.projections.variational import VariationalHead as VariationalHead

__all__ = [
    "ClassSubset",
    "ConvNorm",
    "Linear",
    "MaskedGenerator",
    "MemoryBank",
    "Projection",
    "Regressor",
    "ReviewFusion",
    "SimKDProjector",
    "TwoClasses",
    "VariationalHead",
    "reuse_classifier",
]

"""keras_kd: distil, compress and export Keras models, and measure what comes out."""

from keras_kd import losses as losses
from keras_kd.distillation.distiller import Distiller as Distiller
from keras_kd.distillation.objectives import Objective as Objective
from keras_kd.distillation.tracing import tap_names as tap_names

__version__ = "0.1.0"

__all__ = [
    "Distiller",
    "Objective",
    "losses",
    "tap_names",
]

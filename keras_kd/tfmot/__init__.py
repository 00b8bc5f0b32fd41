"""The bridge to tensorflow-model-optimization, which only knows tf_keras models.

tf_keras and tensorflow-model-optimization are loaded when something here is used, not with `keras_kd`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from keras_kd.tfmot.bridge.bridge import from_tf_keras as from_tf_keras
from keras_kd.tfmot.bridge.bridge import to_tf_keras as to_tf_keras
from keras_kd.tfmot.library import import_tfmot as import_tfmot
from keras_kd.tfmot.quantization import quantize_model as quantize_model
from keras_kd.tfmot.stripping import strip_clustering as strip_clustering
from keras_kd.tfmot.stripping import strip_pruning as strip_pruning
from keras_kd.tfmot.wrappers import cluster_weights as cluster_weights
from keras_kd.tfmot.wrappers import prune_low_magnitude as prune_low_magnitude

if TYPE_CHECKING:
    from keras_kd.tfmot.distiller import Distiller as Distiller

__all__ = [
    "Distiller",
    "cluster_weights",
    "from_tf_keras",
    "import_tfmot",
    "prune_low_magnitude",
    "quantize_model",
    "strip_clustering",
    "strip_pruning",
    "to_tf_keras",
]


def __getattr__(name: str) -> Any:
    if name == "Distiller":  # its base class comes from tf_keras
        return importlib.import_module(f"{__name__}.distiller").Distiller
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""How far the student's signal is from the teacher's. Each loss gives one value per sample."""

from keras_kd.losses.features import AttentionTransfer as AttentionTransfer
from keras_kd.losses.features import Elementwise as Elementwise
from keras_kd.losses.identifiers import get as get
from keras_kd.losses.logits import HardTargets as HardTargets
from keras_kd.losses.logits import LogitsMSE as LogitsMSE
from keras_kd.losses.logits import SoftTargets as SoftTargets
from keras_kd.losses.relations import SimilarityPreserving as SimilarityPreserving

__all__ = [
    "AttentionTransfer",
    "Elementwise",
    "HardTargets",
    "LogitsMSE",
    "SimilarityPreserving",
    "SoftTargets",
    "get",
]

"""Losses: how far the student's signal is from the teacher's, as one value per sample."""

from keras_kd.losses.attention_maps import AttentionMaps as AttentionMaps
from keras_kd.losses.attention_relations import SelfAttentionRelations as SelfAttentionRelations
from keras_kd.losses.boundaries import ActivationBoundary as ActivationBoundary
from keras_kd.losses.bounded_regression import BoundedRegression as BoundedRegression
from keras_kd.losses.channels import ChannelWise as ChannelWise
from keras_kd.losses.channels import NeuronSelectivity as NeuronSelectivity
from keras_kd.losses.class_maps import ClassAttention as ClassAttention
from keras_kd.losses.confidence import ConfidenceFiltered as ConfidenceFiltered
from keras_kd.losses.congruence import CorrelationCongruence as CorrelationCongruence
from keras_kd.losses.contrast import ContrastiveRepresentation as ContrastiveRepresentation
from keras_kd.losses.correlations import DIST as DIST
from keras_kd.losses.distances import RelationalAngle as RelationalAngle
from keras_kd.losses.distances import RelationalDistance as RelationalDistance
from keras_kd.losses.features import Elementwise as Elementwise
from keras_kd.losses.flows import SolutionFlow as SolutionFlow
from keras_kd.losses.gram_matrices import BatchCorrelation as BatchCorrelation
from keras_kd.losses.gram_matrices import ClassCorrelation as ClassCorrelation
from keras_kd.losses.gram_matrices import MultiLevelLogits as MultiLevelLogits
from keras_kd.losses.graphs import InstanceRelationshipGraph as InstanceRelationshipGraph
from keras_kd.losses.hidden_states import CosineHidden as CosineHidden
from keras_kd.losses.identifiers import get as get
from keras_kd.losses.jensen_shannon import JensenShannon as JensenShannon
from keras_kd.losses.labels import DecoupledKD as DecoupledKD
from keras_kd.losses.labels import NormalizedKD as NormalizedKD
from keras_kd.losses.logits import HardTargets as HardTargets
from keras_kd.losses.logits import LogitsMSE as LogitsMSE
from keras_kd.losses.logits import SoftTargets as SoftTargets
from keras_kd.losses.loss import SignalLoss as SignalLoss
from keras_kd.losses.maps import AttentionTransfer as AttentionTransfer
from keras_kd.losses.maps import FactorTransfer as FactorTransfer
from keras_kd.losses.multi_label import BinarySoftTargets as BinarySoftTargets
from keras_kd.losses.overhaul import OverhaulFeature as OverhaulFeature
from keras_kd.losses.pyramids import HierarchicalContext as HierarchicalContext
from keras_kd.losses.regressions import MaskedGeneration as MaskedGeneration
from keras_kd.losses.regressions import VariationalInformation as VariationalInformation
from keras_kd.losses.relations import ProbabilisticTransfer as ProbabilisticTransfer
from keras_kd.losses.relations import SimilarityPreserving as SimilarityPreserving
from keras_kd.losses.soft_labels import WeightedSoftLabels as WeightedSoftLabels

__all__ = [  # noqa: RUF022 - Ruff would put DIST first, as a constant
    "ActivationBoundary",
    "AttentionMaps",
    "AttentionTransfer",
    "BatchCorrelation",
    "BinarySoftTargets",
    "BoundedRegression",
    "ChannelWise",
    "ClassAttention",
    "ClassCorrelation",
    "ConfidenceFiltered",
    "ContrastiveRepresentation",
    "CorrelationCongruence",
    "CosineHidden",
    "DIST",
    "DecoupledKD",
    "Elementwise",
    "FactorTransfer",
    "HardTargets",
    "HierarchicalContext",
    "InstanceRelationshipGraph",
    "JensenShannon",
    "LogitsMSE",
    "MaskedGeneration",
    "MultiLevelLogits",
    "NeuronSelectivity",
    "NormalizedKD",
    "OverhaulFeature",
    "ProbabilisticTransfer",
    "RelationalAngle",
    "RelationalDistance",
    "SelfAttentionRelations",
    "SignalLoss",
    "SimilarityPreserving",
    "SoftTargets",
    "SolutionFlow",
    "VariationalInformation",
    "WeightedSoftLabels",
    "get",
]

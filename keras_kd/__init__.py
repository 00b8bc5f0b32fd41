"""keras_kd: distill, compress and export Keras models, and measure the result."""

from keras_kd import startup as startup

if not startup.is_deferred:
    from keras_kd import datasets as datasets
    from keras_kd import losses as losses
    from keras_kd import models as models
    from keras_kd import projections as projections
    from keras_kd import tfmot as tfmot
    from keras_kd.compression.batch_norm.folding import fold_batch_norm as fold_batch_norm
    from keras_kd.compression.batch_norm.recalibration import recalibrate as recalibrate
    from keras_kd.compression.clustering.cluster import Cluster as Cluster
    from keras_kd.compression.costs.cost import Cost as Cost
    from keras_kd.compression.costs.cost import cost as cost
    from keras_kd.compression.low_rank.factorize import factorize as factorize
    from keras_kd.compression.pruning.prune import Prune as Prune
    from keras_kd.compression.pruning.sparsity import Sparsity as Sparsity
    from keras_kd.compression.pruning.sparsity import sparsity as sparsity
    from keras_kd.compression.sensitivity.result import Sensitivity as Sensitivity
    from keras_kd.compression.sensitivity.sensitivity import sensitivity as sensitivity
    from keras_kd.compression.separable.compact import compact as compact
    from keras_kd.compression.shrinking.groups import ChannelGroup as ChannelGroup
    from keras_kd.compression.shrinking.groups import ChannelGroups as ChannelGroups
    from keras_kd.compression.shrinking.groups import channel_groups as channel_groups
    from keras_kd.compression.shrinking.shrink import shrink as shrink
    from keras_kd.deployment.benchmark import Benchmark as Benchmark
    from keras_kd.deployment.benchmark import benchmark as benchmark
    from keras_kd.deployment.exported import Exported as Exported
    from keras_kd.deployment.litemodel import LiteModel as LiteModel
    from keras_kd.deployment.tflite import export as export
    from keras_kd.deployment.verification import verify as verify
    from keras_kd.deployment.verified import Verification as Verification
    from keras_kd.distillation.distilled import Distilled as Distilled
    from keras_kd.distillation.distiller import Distiller as Distiller
    from keras_kd.distillation.objectives import Objective as Objective
    from keras_kd.distillation.student_checkpoint import StudentCheckpoint as StudentCheckpoint
    from keras_kd.reports.comparison import compare as compare
    from keras_kd.reports.report import Report as Report
    from keras_kd.schemes.adversarial import Adversarial as Adversarial
    from keras_kd.schemes.codes import random_codes as random_codes
    from keras_kd.schemes.curriculum import CurriculumTemperature as CurriculumTemperature
    from keras_kd.schemes.data_free import DataFree as DataFree
    from keras_kd.schemes.generations import train_generations as train_generations
    from keras_kd.schemes.mean_teacher import MeanTeacher as MeanTeacher
    from keras_kd.schemes.mutual import Mutual as Mutual
    from keras_kd.signals.batches import Taught as Taught
    from keras_kd.signals.listing import tap_names as tap_names
    from keras_kd.signals.pairing.tap_pairs import pair_taps as pair_taps
    from keras_kd.teachers.as_teacher import as_teacher as as_teacher
    from keras_kd.teachers.ensemble import ensemble as ensemble
    from keras_kd.teachers.taught.augmentation import augmented as augmented
    from keras_kd.teachers.taught.loading import load_taught as load_taught
    from keras_kd.teachers.taught.precompute import precompute as precompute
    from keras_kd.training.full_state import FullState as FullState

__version__ = "0.1.0"

__all__ = [
    "Adversarial",
    "Benchmark",
    "ChannelGroup",
    "ChannelGroups",
    "Cluster",
    "Cost",
    "CurriculumTemperature",
    "DataFree",
    "Distilled",
    "Distiller",
    "Exported",
    "FullState",
    "LiteModel",
    "MeanTeacher",
    "Mutual",
    "Objective",
    "Prune",
    "Report",
    "Sensitivity",
    "Sparsity",
    "StudentCheckpoint",
    "Taught",
    "Verification",
    "as_teacher",
    "augmented",
    "benchmark",
    "channel_groups",
    "compact",
    "compare",
    "cost",
    "datasets",
    "ensemble",
    "export",
    "factorize",
    "fold_batch_norm",
    "load_taught",
    "losses",
    "models",
    "pair_taps",
    "precompute",
    "projections",
    "random_codes",
    "recalibrate",
    "sensitivity",
    "shrink",
    "sparsity",
    "tap_names",
    "tfmot",
    "train_generations",
    "verify",
]

"""The names of losses, which are known before Keras is loaded."""

import re

from keras_kd.messages import did_you_mean

# The classes of `kd.losses`.
OURS = [
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
    "SimilarityPreserving",
    "SoftTargets",
    "SolutionFlow",
    "VariationalInformation",
    "WeightedSoftLabels",
]
# What `keras.losses.get` takes.
OF_KERAS = [
    "bce",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "log_cosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
    "BCE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLD",
    "KLDivergence",
    "LogCosh",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
]
_WRITTEN_OUT = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
# Those of Keras that compare features.
_USUAL = ("mse", "mae", "huber", "log_cosh", "cosine_similarity")


def snake_case(name: str) -> str:
    """The name of a loss from that of its class.

    Examples:
        >>> snake_case("SoftTargets"), snake_case("KDLoss")
        ('soft_targets', 'kd_loss')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def short_name(name: str) -> str:
    """The name by which `kd.losses.get` knows a loss, of which the class may be named.

    Examples:
        >>> short_name("DecoupledKD"), short_name("mse")
        ('decoupled_kd', 'mse')
    """
    return snake_case(name) if name in OURS else name


def one_spelling(name: str) -> str:
    """The same name for all the names of a loss.

    Examples:
        >>> {one_spelling(name) for name in ("mse", "MSE", "MeanSquaredError", "mean_squared_error")}
        {'mean_squared_error'}
    """
    known = snake_case(name) if name in (*OURS, *OF_KERAS) else name
    return _WRITTEN_OUT.get(known, known)


def unknown_loss(name: str) -> str:
    """The message of an error about a loss that does not exist.

    Examples:
        >>> unknown_loss("soft_target")
        "Unknown loss 'soft_target'. Did you mean 'soft_targets', 'binary_soft_targets', 'hard_targets'?"
    """
    ours = [snake_case(loss) for loss in OURS]
    names = ", ".join(map(repr, [*ours, *_USUAL]))
    return f"Unknown loss {name!r}.{did_you_mean(name, [*ours, *OF_KERAS], 3) or f' The names are {names}.'}"


def check_loss_name(name: str) -> None:
    """Check that there is a loss with this name, as far as Keras and this package define it.

    Raises:
        ValueError: There is none; near misses are suggested.

    Examples:
        >>> check_loss_name("soft_targets")
    """
    if short_name(name) not in (*map(snake_case, OURS), *OF_KERAS):
        raise ValueError(unknown_loss(name))

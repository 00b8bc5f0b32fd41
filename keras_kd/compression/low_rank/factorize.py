"""A smaller model: its layers factorized."""

from collections.abc import Sequence

import keras

from keras_kd.compression.data import Data
from keras_kd.compression.low_rank.arguments import Layers, resolve
from keras_kd.compression.low_rank.plan import Plan, plan_factorization
from keras_kd.compression.low_rank.ranks import Rank
from keras_kd.graphs import rebuild


def factorize(
    model: keras.Model,
    rank: Rank | None = None,
    *,
    energy: float | None = None,
    layers: Layers = None,
    skip: Sequence[str] | str = (),
    data: Data | None = None,
    method: str = "auto",
    verbose: bool = False,
) -> keras.Model:
    """Make a smaller model whose layers are products of thin ones, with nearly the same outputs.

    A `Dense` becomes two, a convolution two or three, an attention layer one with smaller heads. The weights
    are the best for these sizes that singular values give, so that accuracy can be regained by training or
    distillation. Layers where nothing is saved are left alone. The last of the new layers has the name of the
    original and returns what it returned, so that taps go on working; the others are named `"conv1_in"` and
    `"conv1_core"`.

    Args:
        model: A built functional or sequential model. It is not changed.
        rank: How much of each layer is kept: a rank, or, as a float, a fraction of the full one;
            0.5 if nothing is given.
        energy: Instead of a rank: the fraction of the squared singular values that is kept.
        layers: Names, paths or globs of layers; by default all. A mapping gives each its rank; the others are
            left alone then, unless `rank` or `energy` is given.
        skip: Names, paths or globs of layers to leave alone.
        data: Inputs, as `kd.verify` takes them. The error of a layer's outputs on them is made small, instead
            of that of its kernel: a few hundred samples do.
        method: How convolutions are factorized: `"tucker"` (1 x 1, the window, 1 x 1), `"spatial"` (columns,
            then rows), or `"auto"`, the one with the fewest multiply-adds of those that err no more than
            `"tucker"` does with this rank or energy.
        verbose: Whether to print what becomes of each layer, and what is left alone and why.

    Returns:
        A plain Keras model of the same inputs and outputs, not compiled.

    Raises:
        TypeError: Not a Keras model, or layers that are not given by name.
        ValueError: The model is subclassed or not built, a layer does not exist, an argument is out of range,
            or nothing can be factorized; the message says why.

    Examples:
        >>> import keras, keras_kd as kd
        >>> parts = [keras.Input((64,)), keras.layers.Dense(64, name="hidden")]
        >>> model = keras.Sequential([*parts, keras.layers.Dense(10, name="head")])
        >>> small = kd.factorize(model, 8, layers=["hidden"])
        >>> [layer.name for layer in small.layers], small.count_params() / model.count_params() < 0.4
        (['hidden_in', 'hidden', 'head'], True)
    """
    plan = plan_factorization(model, resolve(rank, energy, layers, skip, method), data)
    if verbose:
        print(plan.result)
    return build(plan)


def build(plan: Plan) -> keras.Model:
    """The model of a plan."""
    steps = {layer: factors.steps for layer, factors in plan.factors.items()}
    made = rebuild(plan.model, {layer: [step.layer for step in thin] for layer, thin in steps.items()})
    for layer, thin in steps.items():
        for step in thin:
            step.layer.set_weights(step.weights)
            step.layer.trainable = layer.trainable
            # A kernel comes first, and a layer without a bias has nothing else.
            for before, after in zip(layer.weights, step.layer.weights, strict=False):
                after.trainable = before.trainable
    return made

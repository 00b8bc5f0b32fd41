"""`sensitivity`: what a model loses when one of its layers is made smaller, layer by layer."""

from collections.abc import Sequence

import keras

from keras_kd.compression.data import Data
from keras_kd.compression.finite_weights import check_finite_weights
from keras_kd.compression.sensitivity.arguments import resolve
from keras_kd.compression.sensitivity.choosing import Metric, choose_yardstick
from keras_kd.compression.sensitivity.parts import Part
from keras_kd.compression.sensitivity.progress import show_progress
from keras_kd.compression.sensitivity.result import LayerScore, Sensitivity
from keras_kd.compression.sensitivity.trials import Trials
from keras_kd.compression.statistics import warn_of_stale_statistics
from keras_kd.graphs import rebuild
from keras_kd.legacy import require_keras_model


def sensitivity(
    model: keras.Model,
    data: Data,
    *,
    by: str = "channels",
    amounts: Sequence[float] | float | None = None,
    layers: Sequence[str] | str | None = None,
    skip: Sequence[str] | str = (),
    metric: Metric = None,
    recalibrate: bool = False,
    samples: int | None = 2000,
    batch_size: int = 256,
) -> Sensitivity:
    """Make one layer at a time smaller, and measure what the model then scores.

    So you see which layers can be made much smaller, and which must stay as they are, before anything is
    trained. Nothing is built for it: weights of a copy are changed, and put back. The scores are those of
    what `kd.shrink`, `kd.factorize`, `kd.Prune` or `kd.Cluster` would make of that layer alone.

    Sources: Li et al. 2017, arXiv 1608.08710; Han et al. 2015, arXiv 1506.02626.

    Args:
        model: A built functional or sequential model. It is not changed.
        data: Data with labels that was not trained on, as `kd.verify` takes it. Without labels, the score is
            how often the answers are still those of the model.
        by: How a layer is made smaller: `"channels"`, fewer channels, of all layers that are tied together;
            `"rank"`, kernels of low rank; `"sparsity"`, its smallest weights zero; `"clusters"`, weights that
            share few values.
        amounts: What is tried on each layer, the mildest first: for `"channels"` fractions to keep; for
            `"rank"` ranks, or fractions of the full one as floats; for `"sparsity"` fractions of zeros; for
            `"clusters"` numbers of values.
        layers: Names, paths or globs of the layers to measure; by default all.
        skip: Those to leave out.
        metric: What to score by, as for `kd.verify`, instead of the accuracy, or of the metric with which
            the model was compiled where its output holds no classes. For several outputs, a dict that names
            one of them.
        recalibrate: Whether BatchNorms get the statistics of the data before each measurement, that of the
            unchanged model too, as by `kd.recalibrate`.
        samples: How many rows of the data to use, which stay in memory: of arrays, evenly spread ones; else
            the first. `None` for all.
        batch_size: Rows that are run at once.

    Returns:
        The scores: `print` shows a table, `save` writes a page or JSON, and `within(0.01)` gives the
        smallest amount for each layer that loses no more than one point.

    Raises:
        TypeError: Not a Keras 3 model, or data of a type that does not fit.
        ValueError: The model is subclassed or not built, an argument is out of range, a layer does not exist
            or cannot be made smaller in this way, the data does not fit, or nothing can be scored with it;
            the message says what to give.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> layers = [keras.layers.Dense(size, "relu", name=f"dense{size}") for size in (8, 3)]
        >>> model = keras.Sequential([keras.Input((4,)), *layers])
        >>> x, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3
        >>> found = kd.sensitivity(model, (x, y), by="sparsity", amounts=[0.5, 0.9])
        >>> found.layers, found.amounts, found.metric
        (('dense8', 'dense3'), (0.5, 0.9), 'accuracy')
    """
    require_keras_model(model, "model")
    settings = resolve(by, amounts, layers, skip, samples)
    check_finite_weights(model)
    dissected = settings.way.dissect(rebuild(model), settings.selection)
    yardstick = choose_yardstick(model, data, metric, samples, batch_size)
    stale = "" if recalibrate else warn_of_stale_statistics(model, lambda: yardstick.inputs, batch_size)
    trials = Trials(dissected.model, yardstick, recalibrate=recalibrate)
    return Sensitivity(
        *(model.name, by, settings.way.means, yardstick.score, trials.score()),
        _scores(trials, dissected.parts, settings.amounts),
        yardstick.samples,
        output=yardstick.output if yardstick.outputs > 1 else "",
        tied={part.layer: part.tied for part in dissected.parts if part.tied},
        recalibrated=recalibrate,
        warnings=(stale,) if stale else (),
    )


def _scores(trials: Trials, parts: Sequence[Part], amounts: Sequence[float]) -> tuple[LayerScore, ...]:
    """The score for each part and each amount."""
    rows = []
    with show_progress(len(parts) * len(amounts)) as done:
        for part in parts:
            for amount in amounts:
                rows.append(LayerScore(part.layer, amount, trials.score(part.change(amount))))
                done(part.layer)
    return tuple(rows)

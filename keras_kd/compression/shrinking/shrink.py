"""`shrink`: a model with fewer channels, made from a trained one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from keras_kd.compression.costs.shaped import InputShape
from keras_kd.compression.data import Data
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.importance import Importance, Loss
from keras_kd.compression.shrinking.optimizer_state import compile_like
from keras_kd.compression.shrinking.planning import plan_shrinking
from keras_kd.compression.shrinking.summary import summarize


def shrink(
    model: keras.Model,
    keep: float = 0.5,
    *,
    budget: str = "channels",
    importance: Importance = "l2",
    scope: str = "global",
    layers: Sequence[str] | Mapping[str, float] | str | None = None,
    skip: Sequence[str] | str = (),
    multiple_of: int = 8,
    floor: float = 0.1,
    data: Data | None = None,
    loss: Loss | None = None,
    depth: float | None = None,
    drop: str = "importance",
    input_shape: InputShape = None,
    name: str | None = None,
    keep_compiled: bool = False,
    verbose: bool = False,
) -> keras.Model:
    """Make a smaller model of a trained one: the least important channels are removed.

    Channels are the filters of convolutions, the units of dense and recurrent layers, the entries of
    embeddings, and the heads and head sizes of attention. Those that are tied together, by additions,
    concatenations, normalizations and so on, are removed together (`kd.channel_groups` shows them). The
    weights that stay are copied. What cannot be followed is kept whole. The result is a plain Keras model
    with the same layer names, inputs and outputs, so it is distilled from the original with the same taps. A
    layer that a user has made of layers becomes a nested model of the same name. The result is not compiled,
    unless `keep_compiled`. Right after shrinking, `kd.recalibrate(small, data)` gives its BatchNorms the
    statistics of what they now read.

    Sources: structured pruning by groups, Fang et al. 2023, arXiv 2301.12900; `"l1"`, Li et al. 2017,
    arXiv 1608.08710; `"batch_norm"`, Liu et al. 2017, arXiv 1708.06519; `"taylor"`, Molchanov et al. 2019,
    arXiv 1906.10771; `"activation"`, Hu et al. 2016, arXiv 1607.03250.

    Args:
        model: A built functional or sequential model. It is not changed.
        keep: The fraction to keep, in (0, 1]: of the channels that can be removed, or of the `budget`.
        budget: What `keep` is a fraction of: `"channels"`, or, of the whole model, `"parameters"`, `"macs"`
            (multiply-adds) or `"bytes"`. The result is at most as large. Of channels, those of layers with a
            fraction of their own do not count.
        importance: `"l1"` or `"l2"`: the norm of the weights that make a channel; `"batch_norm"`: the scale
            of its BatchNorm; `"taylor"`: what the loss would change by, on data with labels; `"activation"`:
            its mean magnitude on data; or a function that gets, for each layer that makes the channels, an
            array `(channels, weights)`, and returns `(channels,)`. They are divided by their mean in each
            group.
        scope: `"global"`: the channels of all groups compete. `"layer"`: each group keeps the same fraction,
            as near as `multiple_of` and the budget allow.
        layers: Layers whose channels may be removed: names, paths or globs, or a mapping from these to the
            fraction of channels to keep; with a mapping, the others are still shrunk by `keep`.
        skip: Layers whose channels are all kept.
        multiple_of: The number of channels of a layer stays a multiple of this, because fast kernels compute
            several at once; in groups of less than four times as many, of its half, quarter, and so on.
        floor: The least fraction of each group to keep, in [0, 1).
        data: For `"taylor"`, `"activation"` and `depth`: arrays or batches of `x` or `(x, y)`. Wherever it is
            given, a warning says if the model's BatchNorm statistics are far from it: recalibrate it first.
        loss: For `"taylor"`: `loss(y, outputs)`; by default that with which the model was compiled.
        depth: How many residual blocks whose shortcut is the identity to keep: a fraction in (0, 1], or a
            whole number. They are dropped before channels are removed; `keep` stays a fraction of the
            original. Default: all.
        drop: Which of them to drop: `"importance"`, those without which, one at a time, the outputs change
            least, on `data`; or `"even"`, at even distances, as DistilBERT does (Sanh et al. 2019,
            arXiv 1910.01108).
        input_shape: For multiply-adds: the shape of one sample, such as `(224, 224, 3)`, where the model
            leaves sizes free; for several inputs a dict by name.
        name: Of the result; by default the original's.
        keep_compiled: Compile the result like the model, with a copy of its optimizer that keeps steps and
            moments of the weights that stay: for a loop that shrinks a little, trains, and shrinks again.
        verbose: Whether to print what was removed, and what was kept whole and why.

    Returns:
        The smaller model.

    Raises:
        TypeError: Not a Keras 3 model.
        ValueError: Before anything is built: the model is subclassed or not built, an argument is out of
            range, a layer does not exist or makes no channels that can be removed, nothing can be removed,
            the data does not fit, or the budget cannot be met; the message says what is the least.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> teacher = kd.models.digits_teacher()
        >>> student = kd.shrink(teacher, 0.25, budget="macs")
        >>> student.output_shape, student.count_params() < 0.4 * teacher.count_params()
        ((None, 10), True)
    """
    limits = keep, budget, importance, scope, layers, skip, multiple_of, floor
    plan = plan_shrinking(model, Arguments(*limits, data, loss, depth, drop, input_shape))
    if verbose:
        print(summarize(plan))
    if keep_compiled and plan.opened is not model:
        raise ValueError(
            "keep_compiled=True keeps the state of an optimizer for the layers of the model itself: not with "
            "depth=, and not where layers of your own are opened. Compile the result yourself."
        )
    cut = Cut(plan.channels, plan.removed)
    small = cut.model(plan.opened, name)
    if keep_compiled:
        compile_like(model, small, cut.part)
    return small

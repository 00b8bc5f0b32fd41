"""A detector without anchors, and its losses.

Each place of a grid gives scores of classes, and for each side of a box a distribution over distances, in
multiples of the grid's step (Li and others 2020, arXiv 2006.04388).
"""

import keras
from keras import ops

from parts.boxes import BINS, STEP
from parts.unet import block, unet


def detector(widths, size, count):
    """Two outputs at a quarter of the size: scores of classes, and of distances to the four sides."""
    inputs = keras.Input((size, size, 3), name="image")
    x = block(unet(inputs, widths, finest=1), widths[2], name="neck")
    rare = keras.initializers.Constant(-3.0)  # few places are responsible for a thing
    classes = keras.layers.Conv2D(count, 3, padding="same", bias_initializer=rare, name="classes")(x)
    sides = keras.layers.Conv2D(4 * BINS, 3, padding="same", name="flat_sides")(x)
    sides = keras.layers.Reshape((size // STEP, size // STEP, 4, BINS), name="sides")(sides)
    return keras.Model(inputs, {"classes": classes, "sides": sides})


def deployed(model):
    """The detector with one output, which its file has."""
    outputs = [model.get_layer(name).output for name in ("classes", "flat_sides")]
    return keras.Model(model.input, keras.layers.Concatenate()(outputs))


def class_loss(truth, scores):
    """Focal loss (Lin and others 2017, arXiv 1708.02002), divided by the number of responsible places."""
    focal = keras.losses.BinaryFocalCrossentropy(True, 0.25, from_logits=True, reduction=None)
    found = ops.sum(focal(truth, scores), (1, 2)) * truth.shape[-1]
    return found / ops.maximum(ops.sum(truth, (1, 2, 3)), 1)


def side_loss(truth, scores):
    """Cross-entropy with the two distances next to the true one, and 1 - IoU of the expected box."""
    counted = ops.cast(truth[..., 0] >= 0, "float32")
    truth = ops.clip(truth, 0, BINS - 1.001)
    hats = ops.maximum(1 - ops.abs(truth[..., None] - ops.arange(BINS, dtype="float32")), 0)
    entropy = -ops.mean(ops.sum(hats * ops.log_softmax(scores), -1), -1)
    said = expected(scores)
    inner, true_area, said_area = (area(sides) for sides in (ops.minimum(truth, said), truth, said))
    iou = inner / ops.maximum(true_area + said_area - inner, 1e-6)
    found = ops.sum((entropy + 2 * (1 - iou)) * counted, (1, 2))
    return found / ops.maximum(ops.sum(counted, (1, 2)), 1)


def expected(scores):
    return ops.sum(ops.softmax(scores) * ops.arange(BINS, dtype="float32"), -1)


def area(sides):
    return (sides[..., 0] + sides[..., 2]) * (sides[..., 1] + sides[..., 3])


LOSSES = {"classes": class_loss, "sides": side_loss}

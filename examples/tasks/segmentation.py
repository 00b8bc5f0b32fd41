"""What is where in a picture: a small U-Net learns from a large one, channel by channel or pixel by pixel.

Run: python examples/tasks/segmentation.py [--short] [--seeds N] [--out FOLDER]
     python examples/tasks/segmentation.py --picture FILE

Things of six classes are composed on photos, so that every pixel's class is known; things and photos of the
test are not those of training (`parts/stamps.py`, `parts/scenes.py`). Shu and others (2021, arXiv 2011.13256)
make of each class's map of scores a distribution over the picture, and compare those, instead of each pixel's
classes.
Not run in full yet: docs/tasks/segmentation.md says what validation showed.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from parts.drawings import draw_classes, side_by_side
from parts.rows import Place, Row, Trial, main
from parts.scenes import compose
from parts.stamps import CLASSES, source
from parts.unet import unet

import keras_kd as kd

SIZE, BATCH = 48, 32
TEACHER, STUDENT = (24, 48, 64, 96), (8, 12, 16, 24)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
PIXELS = kd.losses.SoftTargets(1.0), 3.0
CHANNELS = kd.losses.ChannelWise(4.0), 10.0


def network(widths):
    """Scores of the background and of each class, at half the size of the picture."""
    inputs = keras.Input((SIZE, SIZE, 3), name="image")
    scores = keras.layers.Conv2D(len(CLASSES) + 1, 1, name="scores")(unet(inputs, widths, finest=0))
    return keras.Model(inputs, scores)


def scenes(split, count, short):
    """Pictures, and the class of every second pixel of every second line."""
    made = compose(source(split, short), count, SIZE, seed=len(split))  # other random numbers for each split
    return made.images, made.classes[:, ::2, ::2]


def mean_iou(labels, outputs):
    """Of each class what is both said and true, as a part of what is either; the mean over classes."""
    count = outputs.shape[-1]
    pairs = np.asarray(labels, int).ravel() * count + np.argmax(outputs, -1).ravel()
    counts = np.bincount(pairs, minlength=count**2).reshape(count, count)
    both = np.diag(counts)
    return np.mean(both / np.maximum(counts.sum(0) + counts.sum(1) - both, 1))


def fit(model, x, y, epochs, rate=8e-3):
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(y) // BATCH))
    model.compile(keras.optimizers.Adam(decay), CROSS_ENTROPY)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def teacher_of(place, x, y, epochs):
    def make():
        keras.utils.set_random_seed(0)
        return fit(network(TEACHER), x, y, epochs, 4e-3)

    return place.model("teacher", make)


def student(seed, x, y, epochs, answers=None, loss=None, weight=1.0):
    """Trained alone, or on a teacher's answers as well: from the same start, on the same batches."""
    keras.utils.set_random_seed(seed)
    model = network(STUDENT)
    keras.utils.set_random_seed(seed)
    if loss is None:
        return fit(model, x, y, epochs)
    soft = kd.Objective(loss, teacher="input/answers", weight=weight)
    return fit(kd.Distiller(model, objectives=[soft]), {"image": x, "answers": answers}, y, epochs).student


def trial(seed, place):
    epochs = 1 if place.short else 15
    x, y = scenes("train", 64 if place.short else 3000, place.short)
    x_test, y_test = scenes("test", 50 if place.short else 1000, place.short)
    teacher = teacher_of(place, x, y, epochs)
    answers = teacher.predict(x, verbose=0)  # once: nothing about the pictures changes from epoch to epoch
    models = {"teacher": teacher, "alone": student(seed, x, y, epochs)}
    models["distilled"] = student(seed, x, y, epochs, answers, *CHANNELS)
    models["pixel by pixel"] = student(seed, x, y, epochs, answers, *PIXELS)
    scores = {name: mean_iou(y_test, model.predict(x_test, verbose=0)) for name, model in models.items()}
    return Trial(
        scores,
        models["distilled"],
        teacher.count_params(),
        (x_test, y_test),
        x[:200],
        "digits on gradients" if place.short else None,
    )


def picture(path, rows=4):
    """Draw what teacher and students say of the stand-in: the stamps have a licence of their own."""
    x, y = scenes("train", 2000, True)
    x_test, y_test = scenes("test", rows, True)
    with tempfile.TemporaryDirectory() as folder:
        teacher = teacher_of(Place(Path(folder), True), x, y, 10)
    models = {"teacher": teacher, "student alone": student(0, x, y, 10)}
    models["distilled"] = student(0, x, y, 10, teacher.predict(x, verbose=0), *CHANNELS)
    columns = {"picture": lambda axes, row: axes.imshow(x_test[row])}
    columns["truth"] = lambda axes, row: draw_classes(axes, y_test[row])
    for name, model in models.items():
        said = np.argmax(model.predict(x_test, verbose=0), -1)
        columns[name] = lambda axes, row, said=said: draw_classes(axes, said[row])
    side_by_side(path, columns, rows)


ROWS = [Row("segmentation", "stamps on photos", "mean IoU, %", trial, 3, measure=mean_iou)]

if __name__ == "__main__":
    if "--picture" in sys.argv:
        picture(Path(sys.argv[-1]))
    else:
        main(ROWS, __doc__)

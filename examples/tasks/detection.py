"""What is where, as boxes: a small detector learns from a large one how sure it is of each side of a box.

Run: python examples/tasks/detection.py [--short] [--seeds N] [--out FOLDER]
     python examples/tasks/detection.py --picture FILE

Things of six classes are composed on photos, so that every box is known; things and photos of the test are
not those of training (`parts/stamps.py`, `parts/scenes.py`). The detector gives for each side of a box a
distribution over distances (`parts/detector.py`). Zheng and others (2021, arXiv 2102.12252) distill these
distributions inside things, as one distills classes: localization distillation. Soft classes and the features
below both heads are distilled beside it. mAP is COCO's, computed by pycocotools (the extra `detection`).
The weights of the terms are not tuned and the row has not been run yet.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from parts.boxes import STEP, found_boxes, mean_average_precision, padded, targets
from parts.detector import LOSSES, deployed, detector
from parts.drawings import draw_boxes, side_by_side
from parts.rows import Place, Row, Trial, main
from parts.scenes import compose
from parts.stamps import CLASSES, source

import keras_kd as kd

SIZE, BATCH, MOST = 64, 32, 3
COUNT = len(CLASSES)
TEACHER, STUDENT = (24, 48, 64, 96), (8, 12, 16, 24)
RATE = 4e-3
ALL, SIDES = (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)  # weights of distances, classes and features


def objectives(localization, classes, features):
    """Distances where things are, classes everywhere, and features, each with its weight."""
    sides = {"student": "output/sides", "teacher": "input/taught_sides", "mask": "input/inside"}
    scores = {"student": "output/classes", "teacher": "input/taught_classes"}
    below = {"student": "neck", "teacher": "input/taught_neck", "project": True}
    weighted = [
        kd.Objective(kd.losses.SoftTargets(2.0), **sides, weight=localization, name="localization"),
        kd.Objective(kd.losses.BinarySoftTargets(), **scores, weight=classes, name="soft_classes"),
        kd.Objective("mse", **below, weight=features, name="features"),
    ]
    return [each for each in weighted if each.weight]


def taught(teacher, x):
    """The pictures, and what the teacher says of them: once, for nothing about them changes."""
    neck = teacher.get_layer("neck").output
    found = keras.Model(teacher.input, {**teacher.output, "neck": neck}).predict(x["image"], verbose=0)
    return {**x, **{f"taught_{name}": array.astype("float16") for name, array in found.items()}}


def scenes(split, count, short):
    """Pictures with the places inside things, and what a detector is to say; all boxes `(count, most, 5)`."""
    made = compose(source(split, short), count, SIZE, len(split), MOST)
    inside = np.repeat(made.classes[:, STEP // 2 :: STEP, STEP // 2 :: STEP, None] > 0, 4, -1)
    x, y = {"image": made.images, "inside": inside}, targets(made.boxes, SIZE // STEP, COUNT)
    return x, y, padded(made.boxes, MOST)


def precisions(boxes, outputs):
    return mean_average_precision(boxes, found_boxes(outputs, COUNT), COUNT)


def map50(boxes, outputs):
    return precisions(boxes, outputs)[0]


def fit(model, x, y, epochs, rate=RATE):
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * -(-len(y["sides"]) // BATCH))
    model.compile(keras.optimizers.Adam(decay, global_clipnorm=5.0), LOSSES)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def teacher_of(place, x, y, epochs):
    def make():
        keras.utils.set_random_seed(0)
        made = fit(detector(TEACHER, SIZE, COUNT), x["image"], y, epochs)
        made.compile()  # its losses are functions of this script, which a file could not name
        return made

    return place.model("teacher", make)


def student(seed, x, y, epochs, weights=(), rate=RATE):
    """Trained alone, or on a teacher's answers as well: from the same start, on the same batches."""
    keras.utils.set_random_seed(seed)
    model = detector(STUDENT, SIZE, COUNT)
    keras.utils.set_random_seed(seed)
    if not weights:
        return fit(model, x["image"], y, epochs, rate)
    return fit(kd.Distiller(model, objectives=objectives(*weights)), x, y, epochs, rate).student


def trial(seed, place):
    epochs = 1 if place.short else 15
    x, y, _ = scenes("train", 64 if place.short else 2000, place.short)
    x_test, _, boxes = scenes("test", 50 if place.short else 1000, place.short)
    teacher = teacher_of(place, x, y, epochs)
    x = taught(teacher, x)
    models = {"teacher": teacher, "alone": student(seed, x, y, epochs)}
    models["distilled"] = student(seed, x, y, epochs, ALL)
    models["sides only"] = student(seed, x, y, epochs, SIDES)
    scores = {}
    for name, model in models.items():
        outputs = deployed(model).predict(x_test["image"], verbose=0)
        scores[name], scores[f"{name} 50-95"] = precisions(boxes, outputs)
    test, data = (x_test["image"], boxes), "digits on gradients" if place.short else None
    one_output = deployed(models["distilled"])
    return Trial(scores, one_output, teacher.count_params(), test, x["image"][:200], data)


def picture(path, rows=4, surely=0.3):
    """Draw what teacher and students say of the stand-in: the stamps have a licence of their own."""
    x, y, _ = scenes("train", 2000, True)
    x_test, _, boxes = scenes("test", rows, True)
    images = x_test["image"]
    with tempfile.TemporaryDirectory() as folder:
        teacher = teacher_of(Place(Path(folder), True), x, y, 10)
    models = {"teacher": teacher, "student alone": student(0, x, y, 10)}
    models["distilled"] = student(0, taught(teacher, x), y, 10, ALL)
    columns = {"truth": lambda axes, row: draw_boxes(axes, images[row], boxes[row][boxes[row, :, 0] >= 0])}
    for name, model in models.items():
        found = found_boxes(deployed(model).predict(images, verbose=0), COUNT)
        seen = [each[each[:, 5] > surely, :5] for each in found]
        columns[name] = lambda axes, row, seen=seen: draw_boxes(axes, images[row], seen[row])
    side_by_side(path, columns, rows)


ROWS = [Row("detection", "stamps on photos", "mAP50, %", trial, 3, measure=map50)]

if __name__ == "__main__":
    if "--picture" in sys.argv:
        picture(Path(sys.argv[-1]))
    else:
        main(ROWS, __doc__)

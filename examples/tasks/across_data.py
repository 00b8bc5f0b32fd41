"""Across data sets: what an ImageNet model sees in unlabeled photos, for a small net with few labels.

Run: python examples/tasks/across_data.py [--short] [--seeds N] [--out FOLDER]

A small net first learns the features that EfficientNet-Lite0, trained on ImageNet, has of photos of solar
cells without labels (a hint as in FitNets, Romero et al. 2015, arXiv 1412.6550), then which cells have
defects, from 20, 100 or all labels: a last layer is fitted, the rest stays. The net alone has labels only,
and as many steps. "teacher" is a logistic regression on the teacher's own features. With one seed, 6 points
were gained from 100 labels, and less than 1 from 20 or all. In short form, the teacher knows digits from 0
to 4, and 5 to 9 are new.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from parts.rows import Row, Trial, main
from parts.solar_cells import imagenet_features, read_solar_cells
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
WIDTHS = (8, 16, 32, 48)
TEACHER = 3_413_024  # parameters without the classifier of 1,000 classes
HINTS = 16  # principal components of the features


def network(shape, classes):
    x = inputs = keras.Input(shape, name="photo")
    for width in WIDTHS if shape[0] > 8 else WIDTHS[:2]:
        x = layers.Conv2D(width, 3, 2, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x))


def fit(model, x, y, steps, loss, flip):
    """Train for a number of steps on mirrored photos: a cell has no right side up."""

    def change(photo, y):
        return tf.image.random_flip_up_down(tf.image.random_flip_left_right(photo)), y

    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(y)).repeat()
    data = (data.map(change) if flip else data).batch(min(32, len(y)))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), loss)
    model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0)
    return model


def read(place):
    """Small photos, labels, the teacher's features of the photos, and which rows are for what."""
    if place.short:
        return digits(place)
    photos, labels, split = read_solar_cells()
    features = imagenet_features(photos, place.folder / "features.npy")
    small = photos.reshape(-1, 60, 5, 60, 5).mean((2, 4))[..., None].astype("float32") / 255
    rows = {name: np.flatnonzero(split == name) for name in ("train", "test")}
    return small, labels, features, rows


def digits(place):
    x, y, _ = kd.datasets.digits().arrays["train"]
    known = y < 5
    teacher = network(x.shape[1:], 5)
    fit(teacher, x[known], y[known], 50, CROSS_ENTROPY, False)
    x, y = x[~known], y[~known] - 5
    features = keras.Model(teacher.inputs, teacher.get_layer("pool").output).predict(x, verbose=0)
    return x, y, features, {"train": np.arange(len(x) - 200), "test": np.arange(len(x) - 200, len(x))}


def with_head(trunk, pooled, labels):
    """The trunk as it is, and a logistic regression on its features as the last layer."""
    mean, deviation = pooled.mean(0), pooled.std(0) + 1e-6
    fitted = LogisticRegression(C=0.1, max_iter=1_000).fit((pooled - mean) / deviation, labels)
    kernel = fitted.coef_ / deviation
    bias = fitted.intercept_ - kernel @ mean
    if len(kernel) == 1:  # of two classes, scikit-learn has one row
        kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    logits = layers.Dense(len(kernel), name="logits")
    model = keras.Model(trunk.inputs, logits(trunk.outputs[0]))
    logits.set_weights([kernel.T, bias])
    return model


def trial(seed, place):
    photos, labels, features, rows = read(place)
    train, test, flip = rows["train"], rows["test"], not place.short
    train = np.random.default_rng(seed).permutation(train)
    steps = 20 if place.short else 1_800
    x_test, y_test = photos[test], labels[test]

    def fresh():
        keras.utils.set_random_seed(seed)
        return network(photos.shape[1:], int(labels.max()) + 1)

    def right(model):
        return np.mean(np.argmax(model(x_test), -1) == y_test)

    compress = PCA(min(HINTS, features.shape[1]), whiten=True, random_state=0).fit(features[train])
    hints = compress.transform(features).astype("float32")
    taught = fresh()
    trunk = keras.Model(taught.inputs, taught.get_layer("pool").output)
    hint = kd.Objective("mse", teacher="labels", project=True)  # its labels are the features
    fit(kd.Distiller(trunk, objectives=[hint]), photos[train], hints[train], steps, None, flip)
    pooled, scores, students = trunk.predict(photos[train], verbose=0), {}, {}
    for count in (100,) if place.short else (20, 100, len(train)):
        name, known = "" if count == 100 else f", {count} labels", train[:count]
        probe = LogisticRegression(C=0.1, max_iter=1_000).fit(hints[known], labels[known])
        scores[f"teacher{name}"] = probe.score(hints[test], y_test)
        alone = fit(fresh(), photos[known], labels[known], steps, CROSS_ENTROPY, flip)
        scores[f"alone{name}"] = right(alone)
        students[count] = with_head(trunk, pooled[:count], labels[known])
        scores[f"distilled{name}"] = right(students[count])
    test, samples = (x_test, y_test), photos[train[:200]]
    data, parameters = ("digits from 5 to 9", 0) if place.short else (None, TEACHER)
    return Trial(scores, students[100], parameters, test, samples, data)


ROWS = [Row("solar cells", "ELPV, 100 labels", "accuracy, %", trial)]

if __name__ == "__main__":
    main(ROWS, __doc__)

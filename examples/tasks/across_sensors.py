"""From one sensor task to another: activities with a phone, then motions with a watch and few labels.

Run: python examples/tasks/across_sensors.py [--short] [--seeds N] [--out FOLDER]

A teacher learns six activities of people with a phone at the waist (HAPT), and a small net learns from the
teacher: soft targets (Hinton et al. 2015, arXiv 1503.02531), and the pooled features as a hint (Romero et
al. 2015, arXiv 1412.6550). Then the net learns, from 4, 8 or 40 labels, which of four motions somebody with
a watch makes (BasicMotions). Beside it stand the net alone, which has as many steps on these labels, and
one that has learned from HAPT's labels without the teacher. With three seeds, 13 points were gained from 4
labels, 18 from 8, and none from all 40, with which every net is right. In short form, the motions are noisy
oscillations.
"""

import keras
import numpy as np
from keras import layers
from parts.motions import generated_motions, read_hapt, read_motions
from parts.rows import Row, Trial, main

import keras_kd as kd

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(widths, length, classes):
    x = motion = keras.Input((length, 6), name="motion")
    for width in widths:
        x = layers.Conv1D(width, 5, 2, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(motion, layers.Dense(classes, name="logits")(x))


def fit(model, x, y, epochs, share=1.0, batch=64):
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY, loss_weights=share)
    model.fit(x, y, batch_size=batch, epochs=epochs, verbose=0)
    return model


def read(place):
    """Windows and labels of the first task; of the second, both for training and for the test."""
    if place.short:
        random = np.random.default_rng(0)
        first = generated_motions(60, (0.2, 0.3, 0.5, 0.7, 1.1, 1.6), random)
        return first, *(generated_motions(100, (0.25, 0.4, 0.9, 1.4), random) for _ in range(2))
    return read_hapt()[:2], read_motions("TRAIN"), read_motions("TEST")


def trial(seed, place):
    (x, y), (x_new, y_new), (x_test, y_test) = read(place)
    epochs, new_steps = (1, 10) if place.short else (10, 400)
    more = epochs * -(-len(x) // 64)

    def fresh(widths, length, classes):
        keras.utils.set_random_seed(seed)
        return network(widths, length, classes)

    def small(length=x.shape[1], classes=6):
        return fresh((12, 16, 24), length, classes)

    teacher = place.model(f"teacher{seed}", lambda: fit(fresh((64, 96, 128), x.shape[1], 6), x, y, epochs))
    labeled, taught = fit(small(), x, y, epochs), small()
    soft = kd.Objective(kd.losses.SoftTargets(4.0), weight=0.9)
    hint = kd.Objective("mse", student="pool", teacher="pool", project=True)
    fit(kd.Distiller(taught, teacher, [soft, hint]), x, y, epochs, 0.1)

    def accuracy(source, widths, chosen, steps):
        """What a net knows of the new task that starts as the source and learns from the chosen samples."""
        model = fresh(widths, x_new.shape[1], 4)
        for layer, known in zip(model.layers[:-1], source.layers if source else [], strict=False):
            layer.set_weights(known.get_weights())
        rows = np.resize(chosen, steps * len(chosen))  # again and again
        fit(model, x_new[rows], y_new[rows], 1, batch=len(chosen))
        return np.mean(np.argmax(model(x_test), -1) == y_test), model

    order = np.random.default_rng(seed).permutation(len(y_new))
    scores, students = {}, {}
    for each in (2,) if place.short else (1, 2, 10):
        chosen = np.concatenate([order[y_new[order] == motion][:each] for motion in range(4)])
        ending = "" if each == 2 else f", {4 * each} labels"
        nets = (12, 16, 24)
        scores[f"teacher{ending}"], _ = accuracy(teacher, (64, 96, 128), chosen, new_steps)
        scores[f"alone{ending}"], _ = accuracy(None, nets, chosen, new_steps + more)
        scores[f"from labels{ending}"], _ = accuracy(labeled, nets, chosen, new_steps)
        scores[f"distilled{ending}"], students[each] = accuracy(taught, nets, chosen, new_steps)
    data = "generated motions" if place.short else None
    return Trial(scores, students[2], teacher.count_params(), (x_test, y_test), x_new, data)


ROWS = [Row("sensor to sensor", "HAPT, then BasicMotions with 8 labels", "accuracy, %", trial, 5)]

if __name__ == "__main__":
    main(ROWS, __doc__)

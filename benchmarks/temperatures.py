"""What temperature, alpha and epochs do for a student with little room.

    python benchmarks/temperatures.py [--short]

Trains one small student on digits, alone and distilled, with several temperatures, weights of the labels and
numbers of epochs. Prints accuracy on training and test data, mean and standard deviation over seeds.
"""

import argparse
import statistics
import sys
from functools import partial

import keras

import keras_kd as kd

# Temperature, alpha; None is the student alone. The first ones are trained for longer, too.
SETTINGS = (None, (4.0, 0.1), (2.0, 0.1), (1.0, 0.1), (4.0, 0.5), (1.0, 0.5))
LONGER = SETTINGS[:2]


def network(width, units):
    layers = [keras.Input((8, 8, 1))]
    for filters in (width, 2 * width):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu")]
        layers += [keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(units, activation="relu")]
    return keras.Sequential([*layers, keras.layers.Dense(10)])


def fit(trainee, data, epochs):
    steps = epochs * int(data.train.cardinality())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainee.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), loss=loss)
    trainee.fit(data.train, epochs=epochs, verbose=0)


def accuracy(model, split):
    return 100 * float((model.predict(split.x, verbose=0).argmax(-1) == split.y).mean())


def trained(setting, teacher, data, epochs, seed):
    """The accuracies of a student on training and test data."""
    keras.utils.set_random_seed(seed)
    student = network(4, 8)
    if setting is None:
        trainee = student
    else:
        trainee = kd.Distiller(student, teacher, temperature=setting[0], alpha=setting[1])
    fit(trainee, data, epochs)
    return [accuracy(student, data.arrays[name]) for name in ("train", "test")]


def spread(values):
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a try-out: few epochs and seeds")
    short = parser.parse_args().short
    seeds, rows = (2, {1: LONGER}) if short else (5, {20: SETTINGS, 80: LONGER})
    data = kd.datasets.digits()
    keras.utils.set_random_seed(0)
    teacher = network(32, 64)
    fit(teacher, data, 1 if short else 20)
    known = accuracy(teacher, data.arrays["test"])
    print(f"teacher: {teacher.count_params():,} parameters, {known:.2f} % on test data")
    print(f"student: {network(4, 8).count_params():,} parameters, {seeds} seeds; percent\n")
    print("| epochs | temperature | alpha | on training data | on test data |")
    print("|--:|--:|--:|--:|--:|")
    for count, settings in rows.items():
        for setting in settings:
            print(f"training {count} epochs, {setting or 'alone'}", file=sys.stderr)
            found = map(partial(trained, setting, teacher, data, count), range(seeds))
            cells = [spread(values) for values in zip(*found, strict=True)]
            names = ("alone", "") if setting is None else setting
            print("|", " | ".join(map(str, (count, *names, *cells))), "|", flush=True)


if __name__ == "__main__":
    main()

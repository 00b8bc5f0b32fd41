"""The digits' teacher factorized to several ranks: its accuracy before and after training.

    python benchmarks/low_rank.py [--short]

Accuracy is on the test digits, of one seed: right after `kd.factorize` by weights alone and by outputs on the
training data, the latter after `kd.recalibrate`, and after training it, on the labels alone or by distilling
from the original: from the same weights, with the same seed, for the same steps.
"""

import argparse

import keras

import keras_kd as kd

RANKS = (0.75, 0.5, 0.35, 0.25, 0.125)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def accuracy(model, data):
    """In percent, on the test data."""
    model.compile("adam", loss=LOSS, metrics=["accuracy"])
    return 100 * model.evaluate(data.test, verbose=0, return_dict=True)["accuracy"]


def trained(model, teacher, data, epochs):
    """A copy of a model, trained on the labels and its original, or without one on the labels alone."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    keras.utils.set_random_seed(0)
    trainer = kd.Distiller(copy, teacher, temperature=4.0, alpha=0.1) if teacher else copy
    trainer.compile(keras.optimizers.Adam(1e-3), loss=LOSS)
    trainer.fit(data.train, epochs=epochs, verbose=0)
    return copy


def main():
    """Train the teacher and print a row for each rank."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a small original, one rank, and one epoch")
    short = parser.parse_args().short
    keras.utils.set_random_seed(0)
    data = kd.datasets.digits(batch_size=64)
    teacher = kd.models.digits_student() if short else kd.models.digits_teacher()  # compiles faster
    teacher.compile("adam", loss=LOSS)
    teacher.fit(data.train, epochs=1 if short else 20, verbose=0)
    teacher = kd.recalibrate(teacher, data.train)
    print(f"the original: {teacher.count_params():,} parameters, {accuracy(teacher, data):.1f} %")
    print("rank   parameters    weights    outputs recalibrated     labels  distilled")
    for rank in RANKS[:1] if short else RANKS:
        plain = kd.factorize(teacher, rank, skip="logits")
        small = kd.factorize(teacher, rank, skip="logits", data=data.train)
        fresh = kd.recalibrate(small, data.train)
        after = [trained(small, source, data, 1 if short else 10) for source in (None, teacher)]
        figures = [accuracy(model, data) for model in (plain, small, fresh, *after)]
        print(
            f"{rank:<6} {small.count_params():>10,}", *(f"{figure:>10.1f}" for figure in figures), flush=True
        )


if __name__ == "__main__":
    main()

"""Each pass gives another view, and both models see it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.teachers.taught.conftest import X, Y, classifier


def dim(image, seed):
    return image * tf.random.stateless_uniform([], seed)


def passes(data, count):
    return [np.concatenate([np.asarray(batch[0]) for batch in data]) for _ in range(count)]


@pytest.mark.slow
def test_views_differ_by_pass_and_are_replayed():
    arrays = {"augment": dim, "shuffle": False}
    first, second = passes(kd.augmented((X, Y), **arrays), 2)
    again = passes(kd.augmented((X, Y), **arrays), 2)
    np.testing.assert_array_equal([first, second], again)
    assert abs(first - second).max() > 0.1
    cycle = passes(kd.augmented((X, Y), views=2, **arrays), 3)
    np.testing.assert_array_equal(cycle, [first, second, first])
    other = passes(kd.augmented((X, Y), seed=1, **arrays), 1)[0]
    assert abs(first - other).max() > 0.1


def test_repeated_data_goes_on_to_the_next_view():
    data = kd.augmented((X, Y), dim, shuffle=False, batch_size=40)
    one, other = passes(data, 2)
    batches = kd.augmented((X, Y), dim, shuffle=False, batch_size=40).repeat().take(2)
    np.testing.assert_array_equal([batch[0] for batch in batches], [one, other])


def test_mixtures_are_of_neighbors_in_all_shares():
    labels = np.eye(5, dtype="float32")[Y]
    data = kd.augmented((X, labels), mixup=1.0, shuffle=False, batch_size=40)
    x, y = next(iter(data))
    neighbor = np.roll(X, 1, axis=0)
    shares = ((x - neighbor) * (X - neighbor)).numpy().sum((1, 2, 3)) / np.square(X - neighbor).sum((1, 2, 3))
    assert 0 < shares.min() < 0.2 < 0.8 < shares.max() < 1
    expected = shares[:, None] * labels + (1 - shares[:, None]) * np.roll(labels, 1, axis=0)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    strong = next(iter(kd.augmented(X, mixup=1e4, shuffle=False, batch_size=40)))
    np.testing.assert_allclose(strong, (X + neighbor) / 2, atol=0.05)


def test_weights_stay():
    data = kd.augmented((X, Y, np.ones(40)), dim)
    assert [part.shape[0] for part in next(iter(data))] == [32, 32, 32]


@pytest.mark.slow
def test_a_distiller_gives_both_models_one_view():
    """A student with the weights of its teacher has nothing to learn from any view."""
    teacher = classifier()
    student = classifier(name="student")
    student.set_weights(teacher.get_weights())
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(1.0)])
    distiller.compile("sgd")
    data = kd.augmented(X, keras.layers.RandomRotation(0.3), mixup=1.0)
    history = distiller.fit(data, epochs=2, verbose=0).history
    assert max(history["loss"]) < 1e-6


ERRORS = {
    "labels": ({"mixup": 1.0}, TypeError, r"the labels are int64. .*tf.one_hot\(y, classes\), or leave out"),
    "inputs": (
        {"data": X.astype("uint8"), "mixup": 1.0},
        TypeError,
        r"the inputs are uint8. .*tf.cast\(x, 'float32'\)",
    ),
    "a seed": ({"seed": "1"}, ValueError, "`seed` must be a whole number.*Received: '1'"),
    "a batch": ({"batch_size": 2.5}, ValueError, "`batch_size` must be a whole number of 1 or more"),
    "a share": ({"mixup": -1.0}, ValueError, "0 or more. Received: -1.0"),
    "views": ({"augment": dim, "views": 0}, ValueError, "`views` must be a whole number"),
    "nothing": ({}, ValueError, "Pass `augment`, `mixup` or both"),
}


@pytest.mark.parametrize(("options", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        kd.augmented(**{"data": (X, Y)} | options)

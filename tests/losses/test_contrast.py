"""What is particular to contrast."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, rotation, rows, scales, seeds, value, vectors
from tests.losses.gradients import value_and_gradients
from tests.oracles.relations import info_nce


@common
@given(seeds, st.floats(0.05, 0.95))
def test_contrast_falls_when_the_positive_comes_closer(seed, step):
    teacher, student = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in vectors(seed, (5, 6), (5, 6)))
    loss = kd.losses.ContrastiveRepresentation()
    closer = teacher.copy()
    closer[0] += step * (student[0] - teacher[0])  # seen from sample 0, the others stay where they are
    assert rows(loss, closer, student)[0] <= rows(loss, teacher, student)[0] + 1e-5


@common
@given(seeds, scales, scales, st.floats(0.05, 2))
def test_contrast_ignores_lengths_and_joint_rotations(seed, a, b, temperature):
    teacher, student = vectors(seed, (5, 6), (5, 6))
    loss, turn = kd.losses.ContrastiveRepresentation(temperature), rotation(seed, 6)
    plain = value(loss, teacher, student)
    assert plain == pytest.approx(info_nce(temperature)(teacher, student).mean(), rel=1e-3, abs=1e-5)
    assert value(loss, a * teacher @ turn, b * student @ turn) == pytest.approx(plain, rel=1e-3, abs=1e-5)


def test_a_bank_that_holds_the_batch_is_the_batch():
    teacher, student = vectors(0, (5, 6), (5, 6))
    loss = kd.losses.ContrastiveRepresentation()
    bank = teacher, 3 * teacher, ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(rows(loss, bank, student), rows(loss, teacher, student), rtol=1e-5)


def test_samples_of_one_label_are_no_negatives():
    teacher, student = vectors(0, (4, 6), (4, 6))
    loss = kd.losses.ContrastiveRepresentation()
    distinct = rows(loss, (teacher, np.arange(4)), student)
    np.testing.assert_allclose(distinct, rows(loss, teacher, student), rtol=1e-6)
    np.testing.assert_allclose(rows(loss, (teacher, np.arange(4)[:, None]), student), distinct, rtol=1e-6)
    np.testing.assert_allclose(rows(loss, (teacher, np.eye(4)), student), distinct, rtol=1e-6)
    assert (rows(loss, (teacher, np.zeros(4, int)), student) == 0).all()


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, -1, 1, -1]),
        np.array([[1], [-1], [1], [-1]], "int32"),
        np.array([1.0, -1.0, 1.0, -1.0], "float32"),
        np.array([[0, 1], [0, 0], [0, 1], [0, 0]], "float32"),
        np.array([[0, 1], [0, 0], [0, 1], [0, 0]], bool),
    ],
    ids=["numbers", "column", "floats", "one-hot", "bool"],
)
def test_a_sample_without_a_label_shares_it_with_no_other(labels):
    teacher, student = vectors(0, (4, 6), (4, 6))
    loss = kd.losses.ContrastiveRepresentation()
    expected = rows(loss, (teacher, np.array([1, 2, 1, 3])), student)
    np.testing.assert_allclose(rows(loss, (teacher, labels), student), expected, rtol=1e-6)
    alone = labels[[1, 3, 1, 3]]
    np.testing.assert_allclose(rows(loss, (teacher, alone), student), rows(loss, teacher, student), rtol=1e-6)


def test_labels_keep_their_digits():
    """2^24 and 2^24 + 1 are one number in float32."""
    teacher, student = vectors(0, (2, 6), (2, 6))
    loss = kd.losses.ContrastiveRepresentation()
    labels = np.array([2**24, 2**24 + 1])
    assert value(loss, (teacher, labels), student) == pytest.approx(value(loss, teacher, student))


def test_a_temperature_may_be_a_schedule():
    teacher, student = vectors(0, (5, 6), (5, 6))
    loss = kd.losses.ContrastiveRepresentation(lambda step: 0.1 * step)
    expected = value(kd.losses.ContrastiveRepresentation(0.2), teacher, student)
    assert float(loss(teacher, student, step=2)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_one_has_no_negatives():
    teacher, student = vectors(0, (1, 6), (1, 6))
    found, (gradient,) = value_and_gradients(kd.losses.ContrastiveRepresentation(), teacher, student)
    assert found == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (np.ones((4, 7)), "so they need the same width.*project=True"),
        ((np.ones((4, 6)), np.ones((4, 3, 3))), "one label per sample"),
        ((np.ones((4, 6)), np.ones((9, 5)), np.ones((4, 9), bool)), "a bank .rows, width."),
        ((np.ones((4, 6)), np.ones((9, 6)), np.ones((4, 8), bool)), "a bank .rows, width."),
    ],
)
def test_contrast_refuses(teacher, message):
    with pytest.raises(ValueError, match=message):
        kd.losses.ContrastiveRepresentation()(teacher, np.ones((4, 6)))


def test_contrast_takes_no_mask():
    with pytest.raises(ValueError, match="cannot leave out padded positions"):
        kd.losses.ContrastiveRepresentation()(np.ones((4, 6)), np.ones((4, 6)), mask=np.ones((4, 6), bool))


@pytest.mark.slow
def test_a_memory_bank_gives_the_negatives():
    keras.utils.set_random_seed(0)
    x, index = np.random.default_rng(0).normal(size=(32, 6)).astype("float32"), np.arange(32)

    def model(width, name):
        inputs = {"x": keras.Input((6,), name="x"), "index": keras.Input((), dtype="int32", name="index")}
        pooled = keras.layers.Dense(width, name="pool")(inputs["x"])
        return keras.Model(inputs, keras.layers.Dense(3)(pooled), name=name)

    objective = kd.Objective(
        kd.losses.ContrastiveRepresentation(),
        student="pool",
        teacher=("pool", "input/index", "labels"),
        project=True,
        project_teacher=kd.projections.MemoryBank(32),
        name="contrast",
    )
    distiller = kd.Distiller(model(4, "student"), model(8, "teacher"), [objective])
    hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(keras.optimizers.Adam(0.05), loss=hard)
    history = distiller.fit({"x": x, "index": index}, index % 3, epochs=40, batch_size=8, verbose=0).history
    values = history[next(name for name in history if "contrast" in name)]
    assert values[-1] < values[2] / 2  # in the first two epochs the bank is not full

"""The losses that read labels: every form of a label, and labels that are none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common
from tests.losses.gradients import value_and_gradients
from tests.oracles.labels import normalized
from tests.oracles.row import log_softmax, softmax

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))
LABELLED = [kd.losses.DecoupledKD, kd.losses.NormalizedKD, kd.losses.WeightedSoftLabels]


classes = arrays("int64", (4,), elements=st.integers(0, 5))


def value(loss, teacher, labels, student, **call):
    return float(loss((np.asarray(teacher), labels), np.asarray(student), **call))


labelled = pytest.mark.parametrize("make", LABELLED)


def each(make, teacher, labels, student, **call):
    return keras.ops.convert_to_numpy(make(reduction=None)((teacher, labels), student, **call))


def drawn(*shape):
    random = np.random.default_rng(0)
    teacher, student = random.normal(size=(2, *shape))
    return teacher, random.integers(0, shape[-1], shape[:-1]), student


@settings(common, max_examples=24)
@given(logits, classes, logits, st.floats(0.5, 10))
def test_decoupling_identity(teacher, labels, student, temperature):
    """With the weights 1 and `1 - p_t[y]` the parts add up to Hinton's loss (arXiv 2203.08679)."""
    rest = 1 - softmax(teacher[0].astype("float64") / temperature)[labels[0]]
    parts = value(kd.losses.DecoupledKD(1, rest, temperature), teacher[:1], labels[:1], student[:1])
    hinton = float(kd.losses.SoftTargets(temperature)(teacher[:1], student[:1]))
    assert parts == pytest.approx(hinton, rel=1e-4, abs=1e-5)


@common
@given(logits, classes, logits)
def test_decoupled_is_a_divergence(teacher, labels, student):
    loss = kd.losses.DecoupledKD()
    assert value(loss, teacher, labels, student) >= 0
    assert value(loss, teacher, labels, teacher) == 0


@common
@given(logits, classes, logits, st.floats(0, 4), st.floats(0.5, 5))
def test_normalized_is_its_formula(teacher, labels, student, gamma, temperature):
    exact = (z.astype("float64") for z in (teacher, student))
    t, s = exact
    expected = normalized(gamma, temperature)((t, labels), s).mean()
    found = value(kd.losses.NormalizedKD(gamma, temperature), teacher, labels, student)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@common
@given(logits, classes, logits, st.permutations(range(6)))
def test_the_order_of_classes_does_not_matter(teacher, labels, student, order):
    moved = np.argsort(order)[labels]
    for make in LABELLED:
        assert value(make(), teacher[:, order], moved, student[:, order]) == pytest.approx(
            value(make(), teacher, labels, student), rel=1e-4, abs=1e-5
        )


@labelled
@pytest.mark.parametrize("shape", [(4, 6), (2, 3, 3, 6)])
def test_labels_come_in_many_forms(make, shape):
    teacher, labels, student = drawn(*shape)
    expected = each(make, teacher, labels, student)
    one_hot = np.eye(6, dtype="float32")[labels]
    forms = [
        labels[..., None],
        one_hot,
        0.9 * one_hot + 0.1 / 6,
        one_hot.astype("int32"),
        one_hot.astype(bool),
    ]
    forms += [labels.astype(kind) for kind in ("uint8", "int32", "float32")]
    for form in forms:
        np.testing.assert_allclose(each(make, teacher, form, student), expected, rtol=1e-6)


@labelled
@pytest.mark.parametrize("none", [-1, -100, 255])
def test_a_label_that_is_no_class_counts_for_nothing(make, none):
    teacher, labels, student = drawn(4, 6)
    expected = each(make, teacher, labels, student)
    labels[1] = none
    np.testing.assert_allclose(each(make, teacher, labels, student), expected * [1, 0, 1, 1], rtol=1e-6)
    one_hot = keras.ops.one_hot(labels, 6)
    np.testing.assert_allclose(each(make, teacher, one_hot, student), expected * [1, 0, 1, 1], rtol=1e-6)


@labelled
def test_a_token_without_a_label_is_like_padding(make):
    teacher, labels, student = drawn(4, 5, 6)
    counts = np.arange(5) < np.array([1, 3, 5, 0])[:, None]
    expected = each(make, teacher, labels, student, mask=counts)
    assert expected[3] == 0
    np.testing.assert_allclose(
        each(make, teacher, np.where(counts, labels, -1), student), expected, rtol=1e-6
    )
    other = np.arange(5) > 0
    both = each(make, teacher, np.where(counts, labels, 255), student, mask=np.tile(other, (4, 1)))
    np.testing.assert_allclose(
        both, each(make, teacher, labels, student, mask=counts & other), rtol=1e-6, atol=1e-7
    )


@labelled
@pytest.mark.parametrize("shape", [(4, 6), (4, 5, 6)])
def test_a_batch_without_labels_is_zero_and_finite(make, shape):
    teacher, labels, student = drawn(*shape)
    student = tf.constant(student)
    with tf.GradientTape() as tape:
        tape.watch(student)
        found = make()((teacher, np.full_like(labels, -1)), student)
    assert float(found) == 0
    assert np.abs(tape.gradient(found, student)).max() == 0


@labelled
def test_a_mask_of_rows_leaves_out_rows(make):
    teacher, labels, student = drawn(2, 4, 3, 6)
    rows = np.array([[True, True, False, False], [True] * 4])
    found = each(make, teacher, labels, student, mask=rows)
    np.testing.assert_allclose(found[:1], each(make, teacher[:1, :2], labels[:1, :2], student[:1, :2]), 1e-5)


@labelled
def test_a_label_above_256_is_not_rounded(make):
    teacher, _, student = drawn(2, 300)
    wide, narrow = make(reduction=None), make(reduction=None, dtype="bfloat16")
    student[:, 257] = 9  # where a label rounded to 256 or 258 would not look
    found, exact, beside = (
        np.array(tf.cast(loss((teacher, np.array(labels)), student), "float32"))
        for loss, labels in ((narrow, [257, 257]), (wide, [257, 257]), (wide, [256, 258]))
    )
    assert (np.abs(found - exact) < np.abs(found - beside) / 2).all()


@labelled
def test_a_temperature_may_be_a_schedule(make):
    teacher, labels, student = drawn(4, 6)
    loss = make(temperature=keras.optimizers.schedules.PolynomialDecay(6.0, 10, 2.0))
    expected = value(make(temperature=4.0), teacher, labels, student)
    assert value(loss, teacher, labels, student, step=5) == pytest.approx(expected, rel=1e-5)


def test_of_two_classes_only_the_right_one_is_left():
    teacher, labels, student = drawn(4, 2)
    assert value(kd.losses.DecoupledKD(0, 8), teacher, labels, student) == 0
    expected = float(kd.losses.SoftTargets()(teacher, student))
    assert value(kd.losses.DecoupledKD(1, 8), teacher, labels, student) == pytest.approx(expected, rel=1e-5)


def test_decoupled_keeps_the_digits_of_a_teacher_that_is_sure():
    """The probability of being wrong is 1e-11 here: as `1 - p` it would be 0 in float32."""
    teacher, student = np.array([[25.0, 0.0, -1.0]]), np.array([[24.0, 0.5, -1.0]])
    p, log_p, log_q = softmax(teacher), log_softmax(teacher), log_softmax(student)
    wrong_p, wrong_q = p[:, 1:].sum(), np.exp(log_q[:, 1:]).sum()
    expected = wrong_p * np.log(wrong_p / wrong_q) + p[0, 0] * (log_p - log_q)[0, 0]
    found = value(kd.losses.DecoupledKD(1, 0, 1), teacher, np.array([0]), student)
    assert found == pytest.approx(expected, rel=1e-3)


@labelled
def test_what_is_refused(make):
    teacher, labels, student = drawn(4, 6)
    with pytest.raises(ValueError, match=r'teacher=\("output", "labels"\).*Received: teacher \(4, 6\)'):
        make()(teacher, student)
    with pytest.raises(ValueError, match="reads the teacher's logits and the labels"):
        make()((teacher, teacher, labels), student)
    with pytest.raises(ValueError, match="same shape"):
        make()((teacher[:, :5], labels), student)
    for wrong in (labels[:, None].repeat(5, 1), labels[:3], np.eye(7)[labels], labels.reshape(2, 2)):
        with pytest.raises(ValueError, match="one label for each row of logits"):
            make()((teacher, wrong), student)
    with pytest.raises(ValueError, match="two or more classes"):
        make()((teacher[:, :1], labels), student[:, :1])
    with pytest.raises(ValueError, match="must be a positive number"):
        make(temperature=0)


def test_weights_are_not_negative():
    for wrong in ({"alpha": -1}, {"beta": float("nan")}):
        with pytest.raises(ValueError, match="at least 0"):
            kd.losses.DecoupledKD(**wrong)
    with pytest.raises(ValueError, match="at least 0"):
        kd.losses.NormalizedKD(gamma="1")


@pytest.mark.parametrize("both", [False, True])
def test_a_teacher_that_suppresses_all_classes_but_one_says_nothing_about_the_others(both):
    teacher = np.array([[0.0, -np.inf, -np.inf]])
    student = teacher if both else np.array([[0.5, -0.5, 1.0]])
    signals = (teacher, np.array([0]))
    expected = 2.0**2 * -log_softmax(student / 2)[0, 0]
    for loss in (kd.losses.DecoupledKD(1.0, 8.0, 2.0), kd.losses.NormalizedKD(1.5, 2.0)):
        value, (gradient,) = value_and_gradients(loss, signals, student)
        normal = -log_softmax(student)[0, 0]
        expected_value = expected if isinstance(loss, kd.losses.DecoupledKD) else normal
        np.testing.assert_allclose(value, expected_value, rtol=1e-5, atol=1e-6)
        assert np.isfinite(gradient).all()

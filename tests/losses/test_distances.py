"""What is particular to relational distances and angles."""

import numpy as np
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import REFERENCE, common, rotation, rows, scales, seeds, value, vectors
from tests.losses.gradients import value_and_gradients
from tests.oracles.relations import huber, rkd_angle, rkd_distance


@pytest.mark.parametrize("case", ["vectors/same", "vectors/dims"])
def test_the_published_sum_of_distances_and_angles(case):
    def loss(teacher, student):
        parts = kd.losses.RelationalDistance(dtype="float64"), kd.losses.RelationalAngle(dtype="float64")
        return sum(weight * part(teacher, student) for weight, part in zip((25, 50), parts, strict=True))

    found, (gradient,) = value_and_gradients(loss, REFERENCE[f"{case}/teacher"], REFERENCE[f"{case}/student"])
    np.testing.assert_allclose(found, REFERENCE[f"{case}/rkd_d25_a50/value"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, REFERENCE[f"{case}/rkd_d25_a50/grad"], rtol=1e-5, atol=1e-7)


@common
@given(seeds, scales, scales)
def test_distances_and_angles_survive_scale_rotation_and_translation(seed, a, b):
    teacher, student, shift = vectors(seed, (5, 8), (5, 6), (1, 6))
    for loss in (kd.losses.RelationalDistance(), kd.losses.RelationalAngle()):
        plain = value(loss, teacher, student)
        moved = b * student @ rotation(seed, 6) + 3 * shift
        assert value(loss, a * teacher, moved) == pytest.approx(plain, rel=1e-3, abs=1e-6)


@common
@given(seeds)
def test_a_similar_student_has_no_loss(seed):
    (teacher,) = vectors(seed, (5, 6))
    student = 0.3 * teacher @ rotation(seed, 6) - 4
    assert value(kd.losses.RelationalDistance(), teacher, student) == pytest.approx(0, abs=1e-6)
    assert value(kd.losses.RelationalAngle(), teacher, student) == pytest.approx(0, abs=1e-6)


def test_huber_is_linear_beyond_one():
    """One far sample: its scaled distance leaves the quadratic part."""
    teacher, student = vectors(0, (6, 3), (6, 3))
    student[0] += 30
    for loss, oracle in (
        (kd.losses.RelationalDistance(), rkd_distance),
        (kd.losses.RelationalAngle(), rkd_angle),
    ):
        np.testing.assert_allclose(rows(loss, teacher, student), oracle(teacher, student), rtol=1e-4)
    assert huber(np.array(3.0)) == 2.5


@pytest.mark.parametrize("loss", [kd.losses.RelationalDistance(), kd.losses.RelationalAngle()])
def test_features_far_from_the_origin_keep_their_distances(loss):
    """As after a ReLU: the offset is 1,000 times the spread, and float32 has seven digits."""
    teacher, student = vectors(0, (6, 7), (6, 5))
    far = (student + 1000).astype("float32")
    plain = value(type(loss)(dtype="float64"), teacher, far.astype("float64"))
    assert value(loss, teacher, far) == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("loss", [kd.losses.RelationalDistance(), kd.losses.RelationalAngle()])
@pytest.mark.parametrize("apart", [0.0, 1e-7, 1e-4])
def test_equal_and_nearly_equal_samples_have_finite_gradients(loss, apart):
    teacher, student = vectors(0, (6, 7), (6, 5))
    student[1] = student[0] + apart
    teacher[3] = teacher[2]
    found, (gradient,) = value_and_gradients(loss, teacher.astype("float32"), student.astype("float32"))
    assert np.isfinite(found)
    assert np.abs(gradient).max() < 1e4


@pytest.mark.parametrize("loss", [kd.losses.RelationalDistance(), kd.losses.RelationalAngle()])
def test_a_student_that_says_the_same_of_all_has_a_finite_gradient(loss):
    (teacher,) = vectors(0, (6, 7))
    found, (gradient,) = value_and_gradients(loss, teacher.astype("float32"), np.ones((6, 5), "float32"))
    assert found > 0
    assert np.isfinite(gradient).all()

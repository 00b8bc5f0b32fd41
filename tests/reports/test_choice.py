"""Which file is chosen, and the sentence that says why."""

import dataclasses

import numpy as np
import pytest

from keras_kd.reports.choice import choose
from keras_kd.reports.rows import Row

SAMPLES = 400


def file(name, size, ms=None, source="student"):
    return Row(name, name, bytes=size, median_ms=ms, source=source)


def right(wrong, start=0):
    """Scores with so many wrong samples, from one on."""
    scores = np.ones(SAMPLES, "float32")
    scores[start : start + wrong] = 0
    return scores


STUDENT = Row("student", "keras", bytes=4000)
FILES = [file("float32", 4096), file("float16", 2048), file("int8", 1024)]
BIG = [Row("big", "keras", bytes=9000), file("big32", 9000, source="big"), file("big8", 3000, source="big")]


@pytest.mark.parametrize(
    ("rows", "scores", "name", "why"),
    [
        (
            [STUDENT, *FILES],
            {"student": right(8), "float32": right(8), "float16": right(8), "int8": right(9)},
            "int8",
            "The smallest of 3 files; accuracy -0.25 points against student, which chance explains (p = 1; ",
        ),
        (
            [STUDENT, *FILES],
            {"student": right(8), "float32": right(8), "float16": right(8), "int8": right(60)},
            "float16",
            "The smallest of 3 files that loses no accuracy beyond chance; it is right on the same samples "
            "as student. int8 is smaller, 1.0 KiB, and loses 13.00 points (p = 4.4e-16).",
        ),
        (
            [STUDENT, *FILES],
            {"student": right(60), "float32": right(60), "int8": right(8)},
            "int8",
            "The smallest of 2 files; accuracy +13.00 points against student, more than chance explains",
        ),
        # A file of an unknown model is compared with the most accurate file.
        (
            [dataclasses.replace(row, source=None) for row in FILES],
            {"float32": right(8), "float16": right(9), "int8": right(60)},
            "float16",
            "against float32",
        ),
        ([FILES[0]], {"float32": right(8)}, "float32", "The only file; no file is more accurate."),
        # Of one size, the faster one; not if the difference is noise.
        (
            [STUDENT, file("dynamic", 1000, 2.0), file("int8", 1009, 1.0)],
            {"student": right(8), "dynamic": right(8), "int8": right(8)},
            "int8",
            "As small as the smallest of 2 files, and faster; ",
        ),
        (
            [STUDENT, file("dynamic", 1000, 2.0), file("int8", 1009, 1.95)],
            {"student": right(8), "dynamic": right(8), "int8": right(8)},
            "dynamic",
            "The smallest of 2 files; ",
        ),
    ],
)
def test_the_smallest_file_that_loses_nothing(rows, scores, name, why):
    choice = choose(rows, scores)
    assert choice.name == name
    assert why in choice.why


@pytest.mark.parametrize(
    ("rows", "scores"),
    [
        ([STUDENT], {"student": right(8)}),
        (FILES, {}),  # a regression, or files that give NaN
        ([STUDENT, FILES[2]], {"student": right(8), "int8": right(60)}),
        (FILES[:1], {"float32": np.array([1.0, np.nan])}),
        ([Row("int8", "int8")], {"int8": right(8)}),
    ],
)
def test_nothing_is_chosen_that_was_not_found_good(rows, scores):
    assert choose(rows, scores) is None


@pytest.mark.parametrize(
    ("scores", "name", "why"),
    [
        # As good as a bad model is not good.
        (
            {"big": right(8), "big32": right(8), "big8": right(9), "student": right(60), "int8": right(60)},
            "big8",
            "The smallest of 3 files that loses no accuracy beyond chance; accuracy -0.25 points against "
            "big, which chance explains (p = 1; at 95 %: -1.45 to +0.83). "
            "int8 is smaller, 1.0 KiB, and loses 13.00 points (p = 4.4e-16).",
        ),
        # Chance explains what the smaller model loses.
        (
            {"big": right(8), "big8": right(8), "student": right(10), "int8": right(10)},
            "int8",
            "The smallest of 2 files; accuracy -0.50 points against big, which chance explains",
        ),
        # A better model without a file, and one whose only file is bad, cannot be shipped.
        (
            {"big": right(8), "student": right(60), "int8": right(60)},
            "int8",
            "The only file; it is right on the same samples as student.",
        ),
        (
            {"big": right(8), "big8": right(300), "student": right(60), "int8": right(60)},
            "int8",
            "The smallest of 2 files; it is right on the same samples as student.",
        ),
        # A smaller file that another one beats is not worth naming.
        (
            {
                **{"big": right(8), "big32": right(8), "big8": right(90), "student": right(50)},
                **{"float16": right(50), "int8": right(60)},
            },
            "big32",
            "loses no accuracy beyond chance; it is right on the same samples as big. "
            "float16 is smaller, 2.0 KiB, and loses 10.50 points (p = 4.5e-13). "
            "int8 is smaller, 1.0 KiB, and loses 13.00 points (p = 4.4e-16).",
        ),
    ],
)
def test_of_several_models_the_best_one_with_a_good_file_counts(scores, name, why):
    choice = choose([*BIG, STUDENT, *FILES], scores)
    assert choice.name == name
    assert why in choice.why


def test_samples_without_a_label_do_not_count():
    student, int8 = right(8), right(8)
    student[300:] = int8[300:] = np.nan
    assert choose([STUDENT, FILES[2]], {"student": student, "int8": int8}).name == "int8"


def test_a_file_as_good_as_its_model_is_seldom_refused():
    rng, refused = np.random.default_rng(0), 0
    for _ in range(300):
        student = rng.random(SAMPLES) < 0.9
        differs = rng.random(SAMPLES) < 0.03
        int8 = np.where(differs, rng.random(SAMPLES) < 0.9, student)
        scores = {"student": student.astype("float32"), "int8": int8.astype("float32")}
        refused += choose([STUDENT, FILES[2]], scores) is None
    assert refused <= 0.05 * 300


def test_scores_that_are_errors():
    errors = -np.random.default_rng(0).random(SAMPLES)
    scores = {"student": errors, "float32": errors, "float16": errors - 0.01, "int8": errors - 0.5}
    choice = choose([STUDENT, *FILES], scores, error="mean absolute error")
    assert choice.name == "float32"
    assert choice.why.endswith(
        " float16 is smaller, 2.0 KiB, and loses 0.01 in mean absolute error (p = 0)."
        " int8 is smaller, 1.0 KiB, and loses 0.5 in mean absolute error (p = 0)."
    )
    choice = choose([STUDENT, *FILES], {**scores, "float16": errors - 1e-3}, error="mean absolute error")
    assert choice.name == "float16"
    assert (
        "mean absolute error +0.001 against student, more than chance explains, and less than a hundr"
        in choice.why
    )
    noise = np.random.default_rng(1).normal(size=SAMPLES)
    choice = choose([STUDENT, *FILES], {**scores, "int8": errors + noise}, error="mean absolute error")
    assert choice.name == "int8"
    assert "mean absolute error -0.0" in choice.why or "mean absolute error +0.0" in choice.why
    assert "against student, which chance explains" in choice.why


@pytest.mark.parametrize(("lost", "name"), [(0.004, "int8"), (0.006, "float32")])
def test_a_file_may_lose_half_a_point_however_sure_that_is(lost, name):
    samples = 100_000
    scores = {kind: np.ones(samples, "float32") for kind in ("student", "float32", "float16", "int8")}
    for kind in ("float16", "int8"):
        scores[kind][: round(lost * samples)] = 0
    choice = choose([STUDENT, *FILES], scores)
    assert choice.name == name
    words = "more than chance explains, and less than half a point (p = "
    assert (words in choice.why) == (name == "int8")

"""Whether a teacher is worth learning from: asked of validation data, before anything is trained."""

from collections.abc import Sequence

import keras
import numpy as np
from scipy import optimize, stats

from keras_kd.datasets import Data, Split
from keras_kd.datasets.splits import class_numbers

# Probability below which a teacher's lead over guessing is no chance.
_LEVEL = 0.01
# What a teacher must gain by renaming its classes before they are said to be in another order: a share of
# the samples, and this many times its accuracy.
_GAIN, _RATIO = 0.2, 1.5


def find_doubts(teacher: keras.Model, student: keras.Model, data: Data) -> list[str]:
    """Sentences about a teacher that has little to teach, each with its figure; none for a good one.

    Args:
        teacher: The teacher, trained.
        student: The student as it is before the training.
        data: The data; its validation split is read, and its training labels.

    Examples:
        >>> import keras_kd as kd
        >>> data = kd.datasets.digits()
        >>> [doubt] = find_doubts(kd.models.digits_teacher(), kd.models.digits_student(), data)
        >>> "no better than always answering" in doubt
        True
    """
    split, trained_on = data.arrays["validation"], class_numbers(data.arrays["train"].y)
    truth = class_numbers(split.y)
    assert truth is not None, "check_experiment refuses other labels"
    assert trained_on is not None, "likewise"
    answers, of_student = (_answers(model, split) for model in (teacher, student))
    accuracy, starts_at = float((answers == truth).mean()), float((of_student == truth).mean())
    doubts = [*_about_order(answers, truth), *_about_guessing(answers, truth, trained_on)]
    if not doubts and starts_at >= accuracy:
        doubts.append(
            f"The teacher's accuracy on validation data is {accuracy:.1%}, and the student already has "
            f"{starts_at:.1%}: the teacher is the weaker one."
        )
    if teacher.count_params() < student.count_params():
        doubts.append(
            f"The teacher has {teacher.count_params():,} parameters, fewer than the student's "
            f"{student.count_params():,}: are they exchanged?"
        )
    return doubts


def _answers(model: keras.Model, split: Split) -> np.ndarray:
    return np.asarray(model.predict(split.x, batch_size=256, verbose=0)).argmax(-1)


def _about_guessing(answers: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> list[str]:
    """Whether the teacher does better than whoever always answers the most frequent class."""
    frequent = int(np.bincount(labels).argmax())
    guessed = float((truth == frequent).mean())
    right = int((answers == truth).sum())
    if guessed ** len(answers) >= _LEVEL:
        return []  # so few samples, or so much of one class, that not even a perfect teacher would show
    if stats.binomtest(right, len(answers), max(guessed, 1e-9), alternative="greater").pvalue < _LEVEL:
        return []
    return [
        f"The teacher's accuracy on validation data is {right / len(answers):.1%}, no better than always "
        f"answering class {frequent} ({guessed:.1%}): it has nothing to teach. Is it trained, and is the "
        "data scaled as it was for its training?"
    ]


def _about_order(answers: np.ndarray, truth: np.ndarray) -> list[str]:
    """Whether the teacher would be right if its classes had other numbers."""
    classes = int(max(answers.max(), truth.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (answers, truth), 1)
    given, meant = optimize.linear_sum_assignment(-counts)
    accuracy, renamed = counts.trace() / len(answers), counts[given, meant].sum() / len(answers)
    if renamed < accuracy + _GAIN or renamed < _RATIO * accuracy:
        return []
    moved = [f"{a} for {b}" for a, b in zip(given, meant, strict=True) if a != b and counts[a, b]]
    listed = ", ".join(moved[:3]) + (", ..." if len(moved) > 3 else "")
    return [
        f"The teacher's accuracy on validation data is {accuracy:.1%}, and would be {renamed:.1%} if its "
        f"classes had other numbers (it answers {listed}): they are in another order than the labels."
    ]


def require_no_doubts(doubts: Sequence[str]) -> None:
    """Raise a `ValueError` if there are any."""
    if doubts:
        raise ValueError(f"{' '.join(doubts)} Without strict=True these are warnings.")

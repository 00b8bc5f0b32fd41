"""Whether a teacher is worth learning from: asked of validation data, before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from scipy import optimize, stats

from keras_kd.datasets import Data
from keras_kd.distillation.guessing import LEVEL, are_hardly_related
from keras_kd.jobs.recalibration import doubt_statistics
from keras_kd.jobs.scoring import labels_of, predictions
from keras_kd.jobs.tasks import Task
from keras_kd.reports.paired_test import compare_scores
from keras_kd.signals.tracing import output_activations

NOTHING_TO_TEACH = "it has nothing to teach"
# What a teacher must gain by renaming its classes before they are said to be in another order: a share of
# the samples, and this many times its accuracy.
_GAIN, _RATIO = 0.2, 1.5
# How many times further than a training may move a weight, or than 1, targets may lie.
_FAR = 10.0
# Below it, another order explains little: an untrained teacher has one as well, that fits by chance.
_LEAST_RENAMED = 0.5


def find_doubts(teacher: keras.Model, student: keras.Model, tasks: Sequence[Task], data: Data) -> list[str]:
    """Sentences about a teacher that has little to teach, each with its figure; none for a good one.

    Args:
        teacher: The teacher, trained.
        student: The student as it is before the training.
        tasks: What the outputs of both are for; the first one is looked at.
        data: The data; its validation split is read, and its training labels; for a teacher with BatchNorm,
            the training inputs, too.

    Examples:
        >>> import keras_kd as kd
        >>> from keras_kd.jobs.tasks import Task
        >>> data = kd.datasets.digits()
        >>> models = kd.models.digits_teacher(), kd.models.digits_student()
        >>> doubts = find_doubts(*models, [Task("classes")], data)
        >>> "hardly related to the labels" in doubts[-1]
        True
    """
    task = tasks[0]
    of_teacher, of_student = (_Answers.of(model, task, data) for model in (teacher, student))
    find = _of_classes if task.kind in ("classes", "one-hot") else _of_numbers
    doubts = find(of_teacher, labels_of(data.arrays["train"].y, task))
    if not doubts and _is_better(of_student.scores, of_teacher.scores):
        doubts.append(
            f"The teacher's {task.measure} on validation data is {of_teacher.figure}, and the student "
            f"already has {of_student.figure}: the teacher is the weaker one."
        )
    if 0 < teacher.count_params() < student.count_params():  # of other frameworks, they are not known
        doubts.append(
            f"The teacher has {teacher.count_params():,} parameters, fewer than the student's "
            f"{student.count_params():,}: are they exchanged?"
        )
    # First: they may be the reason for the others.
    return [*doubt_statistics(teacher, task, data), *doubts]


def find_far_targets(student: keras.Model, tasks: Sequence[Task], data: Data, rate: float, steps: int) -> str:
    """A sentence about numbers to predict that a training will hardly reach; empty if it will.

    Adam moves a weight by about its learning rate in a step, and outputs begin near 0.

    Args:
        student: The student as it is before the training.
        tasks: What its outputs are for; the first one is looked at.
        data: The data.
        rate: The learning rate with which the training begins.
        steps: How many steps it has.
    """
    task = tasks[0]
    if task.kind != "numbers":
        return ""
    labels = labels_of(data.arrays["train"].y, task)
    mean, spread = float(np.mean(labels)), float(np.std(labels))
    if max(abs(mean), spread) < _FAR * max(1.0, rate * steps):
        return ""
    if -_Answers.of(student, task, data).mean < spread / 2:  # it is there already
        return ""
    return (
        f"The targets have mean {mean:.3g} and spread {spread:.3g}, and outputs begin near 0: "
        f"{steps:,} steps at a learning rate of {rate:g} will hardly get there. Scale the targets for both "
        "models to mean 0 and spread 1, or train longer (--epochs)."
    )


def _is_better(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether scores are higher beyond chance."""
    return len(first) > 1 and compare_scores(first, second).outcome == "better"


@dataclass(frozen=True)
class _Answers:
    """What a model gives for the validation samples, what is right, and how right each sample is."""

    task: Task
    outputs: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, model: keras.Model, task: Task, data: Data) -> "_Answers":
        outputs = predictions(model, data.validation)[task.tap]
        labels = labels_of(data.arrays["validation"].y, task)
        [activation] = output_activations(model, [task.tap]).values()
        return cls(task, outputs, labels, task.scores(outputs, labels, activation))

    @property
    def mean(self) -> float:
        return float(self.scores.mean())

    @property
    def figure(self) -> str:
        return self.task.figure(self.mean)


def _of_numbers(teacher: _Answers, labels: np.ndarray) -> list[str]:
    """Whether the teacher does better than whoever always gives the same, the best for training labels."""
    task = teacher.task
    constant = np.median(labels, axis=0)
    activation = "sigmoid" if task.kind == "answers" else None  # the constant is a probability or a number
    always = np.broadcast_to(np.reshape(constant, teacher.outputs.shape[1:]), teacher.outputs.shape)
    guessed = task.scores(always, teacher.labels, activation)
    if len(guessed) < 2 or compare_scores(teacher.scores, guessed).outcome == "better":
        return []
    if compare_scores(np.zeros_like(guessed) + guessed.max(), guessed).outcome != "better":
        return []  # so few samples that not even a perfect teacher would show
    what = "the median" if task.kind == "numbers" else "the most frequent answers"
    return [
        f"The teacher's {task.measure} on validation data is {teacher.figure}, no better than always giving "
        f"{what} of the training labels ({task.figure(float(guessed.mean()))}): {NOTHING_TO_TEACH}. Is "
        "it trained, and is the data scaled as it was for its training?"
    ]


def _of_classes(teacher: _Answers, labels: np.ndarray) -> list[str]:
    one_hot = teacher.task.kind == "one-hot"
    truth, known = (each.argmax(-1) if one_hot else each for each in (teacher.labels, labels))
    answers = teacher.outputs.argmax(-1)
    truth = np.reshape(truth, answers.shape)
    flat = answers.reshape(-1), truth.reshape(-1)
    return _about_order(*flat) or _about_guessing(*flat, known.reshape(-1))


def _about_guessing(answers: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> list[str]:
    """Whether the teacher's answers have next to nothing to do with the labels."""
    counts = _count_pairs(answers, truth)
    if not are_hardly_related(int(counts.trace()), counts.sum(0), counts.sum(1)):
        return []
    frequent = int(np.bincount(labels).argmax())
    accuracy, guessed = counts.trace() / len(answers), float((truth == frequent).mean())
    return [
        "The teacher's answers on validation data are hardly related to the labels: accuracy "
        f"{100 * accuracy:.1f} %, and always answering class {frequent} gives {100 * guessed:.1f} %: "
        f"{NOTHING_TO_TEACH}. Is it trained, and is the data scaled as it was for its training (--pixels, if "
        "it is images)?"
    ]


def _about_order(answers: np.ndarray, truth: np.ndarray) -> list[str]:
    """Whether the teacher would be right if its classes had other numbers."""
    counts = _count_pairs(answers, truth)
    given, meant = optimize.linear_sum_assignment(-counts)
    accuracy, renamed = counts.trace() / len(answers), counts[given, meant].sum() / len(answers)
    if renamed < max(accuracy + _GAIN, _RATIO * accuracy, _LEAST_RENAMED):
        return []
    if not _holds_for_others(answers, truth):
        return []
    moved = [f"{a} for {b}" for a, b in zip(given, meant, strict=True) if a != b and counts[a, b]]
    listed = ", ".join(moved[:3]) + (", ..." if len(moved) > 3 else "")
    return [
        f"The teacher's accuracy on validation data is {100 * accuracy:.1f} %, and would be "
        f"{100 * renamed:.1f} % if its classes had other numbers (it answers {listed}): they are in another "
        "order than the labels."
    ]


def _holds_for_others(answers: np.ndarray, truth: np.ndarray) -> bool:
    """Whether the best numbers for half of the samples are better for the other half, too.

    With as many classes as samples, some numbers suit any answers.
    """
    half, others = np.array_split(np.random.default_rng(0).permutation(len(answers)), 2)
    counts = _count_pairs(answers[half], truth[half], len(_count_pairs(answers, truth)))
    # Where no sample of the half speaks for another number, the classes keep theirs.
    counts = (len(counts) + 1) * counts + np.eye(len(counts), dtype=int)
    _, numbers = optimize.linear_sum_assignment(-counts)
    as_is, renamed = answers[others] == truth[others], numbers[answers[others]] == truth[others]
    gained, lost = int((renamed & ~as_is).sum()), int((as_is & ~renamed).sum())
    if not gained:
        return False
    return bool(stats.binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue < LEVEL)


def _count_pairs(answers: np.ndarray, truth: np.ndarray, classes: int | None = None) -> np.ndarray:
    """How often each class is answered, in the rows, to samples of each class."""
    classes = classes or int(max(answers.max(), truth.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (answers, truth), 1)
    return counts


def require_no_doubts(doubts: Sequence[str]) -> None:
    """Raise a `ValueError` if there are any."""
    if doubts:
        raise ValueError(f"{' '.join(doubts)} Without strict=True these are warnings.")

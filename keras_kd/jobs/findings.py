"""What the main job found, in sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from keras_kd.datasets import Data
from keras_kd.jobs.experiment import Experiment
from keras_kd.jobs.selection import Selection
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.training_files import TEACHER, Kind
from keras_kd.reports import NotMeasured, Report
from keras_kd.reports.paired_test import PairedTest, compare_scores
from keras_kd.reports.speed import speed_sentence
from keras_kd.reports.verdict import Verdict

Figures: TypeAlias = dict[str, Any]  # of one result, by name

_MANY_SEEDS = 5
# A smaller part of an error is no difference that matters.
_LEAST_OF_ERROR = 0.01
# What a student must gain on a constant answer, as a part of what could be gained.
_LEAST_GAIN = 0.1


@dataclass(frozen=True)
class Yardsticks:
    """What students are held against besides each other: scores on the test samples.

    Args:
        teacher: Those of the teacher.
        constant: Those of whoever always gives the same answer, the best one for the training labels.
    """

    teacher: np.ndarray
    constant: np.ndarray


def judge(
    selection: Selection, task: Task, yardsticks: Yardsticks | None = None, shortfall: str = ""
) -> Verdict:
    """Whether distillation helped, from how right the students are about the same test samples.

    Args:
        selection: The students.
        task: What the output is for that is judged.
        yardsticks: What the students are held against besides.
        shortfall: What the training says of a distilled student that is behind, and what to try.
    """
    scores = [selection.on_test(kind, task.tap) for kind in ("distilled", "alone")]
    test = compare_scores(*(each[0] if len(each) == 1 else each for each in scores))
    # Sure or not, so little of an error is no reason for anything.
    too_little = task.kind == "numbers" and abs(test.difference) < _LEAST_OF_ERROR * abs(scores[1].mean())
    text = _sentence(test, task, *scores, too_little=too_little)
    useless = "" if yardsticks is None else _uselessness(selection, task, yardsticks)
    remark = "" if useless or yardsticks is None else _remark_on_teacher(selection, task, yardsticks)
    if not (useless or remark or too_little):
        known = None if yardsticks is None else compare_scores(scores[0].mean(0), yardsticks.teacher)
        lags = known is not None and known.outcome == "worse"
        remark = _advice(test, selection, shortfall if test.outcome == "worse" or lags else "")
    verdict = replace(Verdict.of_test(test, f"{text} {remark}".rstrip()), nothing_to_ship=useless)
    return replace(verdict, effect="inconclusive") if too_little else verdict


def _sentence(
    test: PairedTest, task: Task, distilled: np.ndarray, alone: np.ndarray, *, too_little: bool
) -> str:
    seeds, samples = distilled.shape
    begin = {
        "better": "Distillation helped",
        "inconclusive": "Distillation made no difference that chance does not explain",
        "worse": "Distillation hurt",
    }[test.outcome]
    if too_little:
        begin = "Distillation made next to no difference"
    of_output = f" for {task.name!r}" if task.name else ""
    means = task.figures(float(distilled.mean()), float(alone.mean()))
    chance = f"p = {test.p:.2g}" if test.p >= 0.001 else "p < 0.001"
    where = f"{samples:,} test samples" + (f", {seeds} seeds" if seeds > 1 else "")
    return (
        f"{begin}{of_output}: {task.measure} {means[0]} with the teacher, {means[1]} alone, on {where} "
        f"({_difference(test, task)}; {test.method}, {chance})."
    )


def _uselessness(selection: Selection, task: Task, yardsticks: Yardsticks) -> str:
    """Why not even the better student is worth shipping; empty if it is."""
    chosen, constant = selection.chosen.test[task.tap], float(yardsticks.constant.mean())
    possible = abs(constant) if task.kind == "numbers" else 1 - constant
    if chosen.mean() - constant >= _LEAST_GAIN * possible:
        return ""
    figures = task.figures(float(chosen.mean()), constant)
    scale = ", scale the targets" if task.kind == "numbers" else ""
    return (
        f"the better student's {task.measure} on test data is {figures[0]}, and always giving the same "
        f"answer has {figures[1]}. Train longer (--epochs){scale}, or try another learning rate, and then "
        "look at the files again."
    )


def _remark_on_teacher(selection: Selection, task: Task, yardsticks: Yardsticks) -> str:
    """That the student needs no such teacher, if that is so."""
    alone = selection.best("alone").test[task.tap]
    if compare_scores(alone, yardsticks.teacher).outcome == "better":
        return (
            f"The student trained alone ({task.figure(float(alone.mean()))}) is better than the teacher "
            f"({task.figure(float(yardsticks.teacher.mean()))}): only a "
            "better teacher can help it."
        )
    return ""


def _advice(test: PairedTest, selection: Selection, shortfall: str) -> str:
    if test.outcome == "better":
        return ""
    if test.outcome == "worse":
        if selection.better == "distilled":
            return "Validation data says otherwise: more data of both kinds would settle it."
        return f"The files are those of the student trained alone. {shortfall}".rstrip()
    if shortfall:
        return shortfall
    if len(selection.of_kind("alone")) < _MANY_SEEDS:
        return f"More seeds (--seeds {_MANY_SEEDS}) or more test samples give a firmer answer."
    return "More test samples give a firmer answer."


def _difference(test: PairedTest, task: Task) -> str:
    """The difference and its interval; of errors, less is better."""
    if task.kind == "numbers":
        return f"{-test.difference:+.3g}, 95 % interval {-test.high:+.3g} to {-test.low:+.3g}"
    low, high = (f"{100 * end:+.2f}" for end in (test.low, test.high))
    return f"{100 * test.difference:+.2f} points, 95 % interval {low} to {high}"


def made_from(selection: Selection, task: Task) -> str:
    """Which student the files are made from, and why."""
    names: dict[Kind, str] = {"alone": "trained alone", "distilled": "that was distilled"}
    scores = {kind: selection.on_validation(kind) for kind in names}
    figures = dict(zip(names, task.figures(*scores.values()), strict=True))
    better = selection.better
    other: Kind = "alone" if better == "distilled" else "distilled"
    several = len(selection.students) > 2
    mean = "mean " if several and not task.measure.startswith("mean ") else ""
    equal = scores[better] == scores[other]
    reason = (
        f"both have the {mean}{task.measure} {figures[better]}"
        if equal
        else f"its {mean}{task.measure} is {figures[better]}, that of the other one {figures[other]}"
    )
    text = f"Files are made from the student {names[better]}: on validation data {reason}."
    return f"{text} {_which_seed(selection)}" if several else text


def _which_seed(selection: Selection) -> str:
    """Which of several students of a kind is chosen, and whether it is better than the others."""
    of_kind = selection.of_kind(selection.better)
    scores = [float(student.validation[selection.tap].mean()) for student in of_kind]
    equal = scores.count(max(scores))
    place = {1: "the best", len(scores): "the first: all are equal"}.get(equal, "the first of the best")
    return f"Of {len(scores)} seeds, it is seed {selection.chosen.seed}, {place}."


def labels_in_words(tasks: Sequence[Task]) -> str:
    """What the labels of each output were taken for."""
    return ", ".join(f"{task.name}: {task.words}" if task.name else task.words for task in tasks)


def few_labels(labels: int, data: Data, train_teacher: bool) -> str:
    """What the students were trained on when most labels were removed."""
    total = len(data.arrays["train"].x)
    teacher = f"The teacher was trained on all {total:,} labels. " if train_teacher else ""
    return (
        f"{teacher}The students saw {labels:,} labels: alone the student trained on these inputs only, "
        f"distilled also on the teacher's soft targets for all {total:,} inputs."
    )


def sizes(report: Report, student: str, files: Sequence[str]) -> list[str]:
    """How much smaller the student is than the teacher, and how the file to ship compares with it."""
    teacher, facts = report[TEACHER], []
    if teacher.parameters and (parameters := report[student].parameters):
        fewer = teacher.parameters / parameters
        facts.append(
            f"The student has {parameters:,} parameters, {_times(fewer, 'fewer', 'more')} the teacher's "
            f"{teacher.parameters:,}."
        )
    sized = [report[name] for name in files if report[name].compression]
    if sized:
        smallest = max(sized, key=lambda row: row.compression or 0)
        row = report[report.choice.name] if report.choice else smallest
        smaller = row.compression or 1.0
        facts.append(
            f"Its {row.name} file is {_times(smaller, 'smaller', 'larger')} the teacher's float32 file. "
            f"{speed_sentence(row, teacher)}"
        )
    return facts


def _times(ratio: float, less: str, more: str) -> str:
    """A ratio as `"3.0 times fewer than"`; none where both are about the same."""
    if 0.95 < ratio < 1.05:
        return f"within 5 % ({less if ratio >= 1 else more}) of"
    return f"{ratio:.1f} times {less} than" if ratio > 1 else f"{1 / ratio:.1f} times {more} than"


def agreements(verified: Mapping[str, Figures]) -> str:
    """How close each file is to the Keras student, from its verification."""
    known = [name for name, figures in verified.items() if figures.get("agreement") is not None]
    if len(known) < len(verified):
        each = ", ".join(f"{name} {figures['max_error']:.2g}" for name, figures in verified.items())
        return f"Largest difference between a file's outputs and the Keras student's on test samples: {each}."
    each = ", ".join(
        f"{name} {100 * figures['agreement']:.2f} % (max |error| {figures['max_error']:.2g})"
        for name, figures in verified.items()
    )
    return f"Test samples on which a file gives the answer that the Keras student gives: {each}."


def gaps(seeds: int) -> list[NotMeasured]:
    """What the job did not measure."""
    gaps = [NotMeasured("energy, and latency on a phone", "only the processor named in the report was used")]
    if seeds == 1:
        gaps.append(
            NotMeasured("the spread over training seeds", "only one seed was used; --seeds 5 measures it")
        )
    return gaps


def settings(experiment: Experiment) -> dict[str, str]:
    """What the models were trained with: name -> value, without what was not asked for."""
    used = experiment.hyperparameters
    phases = " + ".join(str(len(phase)) for phase in used.phases)
    values = {
        "Temperature": used.temperature,
        "Alpha": f"{used.alpha} (weight of the labels)",
        "Loss": used.loss,
        "Objectives": ", ".join(used.objectives),
        "Learning rate": f"{used.learning_rate:g} (Adam, cosine decay)",
        "Epochs": phases if not experiment.train_teacher else f"{phases} (teacher: {used.teacher_epochs})",
        "Early stopping": used.early_stopping and f"after {used.early_stopping} epochs",
        "Augmentation": ", ".join(used.augment),
        "Augmentation of the teacher's training": ", ".join(experiment.teacher_augment),
        "Batch size": experiment.data.batch_size,
        "Labels": experiment.labels,
        "Seeds": experiment.seeds,
    }
    return {name: str(value) for name, value in values.items() if value not in (None, "")}

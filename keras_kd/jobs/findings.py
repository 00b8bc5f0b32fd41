"""What the main job found, in sentences."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from keras_kd.datasets import Data
from keras_kd.reports import NotMeasured, Report

Figures: TypeAlias = dict[str, Any]  # of one result, by name

TEACHER, ALONE, DISTILLED = "teacher", "student alone", "student distilled"


def verdict(distilled: Sequence[float], alone: Sequence[float], samples: int) -> str:
    """Whether distillation helped, from the accuracies (0 to 1) of both students, one per seed."""
    gains = [100 * (d - a) for d, a in zip(distilled, alone, strict=True)]
    gain = statistics.mean(gains)
    if len(gains) == 1:
        rate = statistics.mean([*distilled, *alone])
        chance = 100 * math.sqrt(2 * rate * (1 - rate) / samples)
        return (
            f"Distilled minus alone: {gain:+.2f} points of accuracy, with one seed. Chance alone moves this "
            f"by about {chance:.2f} points ({samples} test samples): more seeds give a firmer answer."
        )
    error = statistics.stdev(gains) / math.sqrt(len(gains))
    if gain > 2 * error:
        meaning = "distillation helped"
    elif gain < -2 * error:
        meaning = "distillation did not help: train this student alone"
    else:
        meaning = "no difference beyond twice that"
    return (
        f"Distilled minus alone: {gain:+.2f} points of accuracy, standard error {error:.2f} over "
        f"{len(gains)} seeds: {meaning}."
    )


def few_labels(labels: int, data: Data, train_teacher: bool) -> str:
    """What the students were trained on when most labels were removed."""
    total = len(data.arrays["train"].x)
    teacher = f"The teacher was trained on all {total} labels. " if train_teacher else ""
    return (
        f"{teacher}The students saw {labels} labels: alone the student trained on these inputs only, "
        f"distilled also on the teacher's soft targets for all {total} inputs."
    )


def sizes(report: Report) -> list[str]:
    """How much smaller and faster the student is than the teacher."""
    teacher, student, int8 = report[TEACHER], report[DISTILLED], report["int8"]
    facts = []
    if teacher.parameters and student.parameters:
        ratio = teacher.parameters / student.parameters
        facts.append(
            f"The student has {student.parameters:,} parameters, {ratio:.1f} times fewer than the teacher's "
            f"{teacher.parameters:,}."
        )
    if int8.speedup and int8.compression:
        facts.append(
            f"Its int8 file is {int8.compression:.1f} times smaller than the teacher's float32 file, and "
            f"{int8.speedup:.1f} times as fast at one thread."
        )
    return facts


def agreements(verified: Mapping[str, Figures]) -> str:
    """How often each file predicts the same class as the Keras student, from its verification."""
    each = ", ".join(
        f"{name} {100 * figures['agreement']:.2f} % (max |error| {figures['max_error']:.2g})"
        for name, figures in verified.items()
    )
    return f"Test samples on which a file predicts the class that the Keras student predicts: {each}."


def gaps(seeds: int) -> list[NotMeasured]:
    """What the job did not measure."""
    gaps = [NotMeasured("energy, and latency on a phone", "only the processor named in the report was used")]
    if seeds == 1:
        gaps.append(
            NotMeasured("the spread over training seeds", "only one seed was used; --seeds 5 measures it")
        )
    return gaps

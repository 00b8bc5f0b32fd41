"""The models of the main job by name, and where the results of their trainings are in a run."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["alone", "distilled"]
TEACHER, ALONE, DISTILLED = "teacher", "student alone", "student distilled"
NAMES: Mapping[Kind, str] = {"alone": ALONE, "distilled": DISTILLED}


class Files(NamedTuple):
    """The results of one training: the model, its curves, and what became of statistics that lagged."""

    model: str
    history: str
    statistics: str


def files_of_student(kind: Kind, seed: int, phase: int = 0) -> Files:
    """Where the results of a student are; a run that was continued has one more for each time.

    Examples:
        >>> files_of_student("alone", 0).model, files_of_student("distilled", 1, 2).history
        ('seed0/alone.keras', 'seed1/distilled+2.history.json')
    """
    return _files(f"seed{seed}/{kind}" + (f"+{phase}" if phase else ""))


def _files(stem: str) -> Files:
    return Files(f"{stem}.keras", f"{stem}.history.json", f"{stem}.statistics.json")


FILES_OF_TEACHER = _files(TEACHER)
# A student that the job makes, before its training.
MADE_STUDENT = "student.keras"

"""Runs that go on after they were finished, with more epochs."""

import json
import os
from collections.abc import Callable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from keras_kd.folders import check_folder
from keras_kd.jobs.runs import SETTINGS, Run, check_unchanged, holds_run

_EPOCHS, _EARLIER = "student_epochs", "earlier"
# Settings that change nothing about the students.
_FREE = ("files", "metric")


def open_run(out: str | os.PathLike[str], settings: Mapping[str, Any], *, more_epochs: bool) -> Run:
    """The run in a folder, which may have been continued, or is from now on.

    Which files are made and what is measured may change from call to call: the students stay.

    Args:
        out: The folder.
        settings: What the results depend on. `settings["recipe"]` has the epochs of the students, in all, as
            `"student_epochs"`; those after which the run was continued are filled in as `"earlier"`.
        more_epochs: Whether a run of fewer epochs is to be continued.

    Raises:
        FileNotFoundError: There is no run to continue.
        FileExistsError: The folder holds a run with other settings, or one of fewer epochs that is not to be
            continued.
        ValueError: The run has more epochs already; a file in it was changed.
    """
    old = _read(Path(out), more_epochs)
    if old is None:
        return Run(out, settings)
    ends = _ends(old)
    as_it_is = _as_it_is(old, settings)
    run = Run(out, as_it_is)  # all other settings are the same
    kept = _kept_ends(run.folder, ends, settings["recipe"][_EPOCHS], more_epochs)
    renewed = _with_epochs(settings, kept)
    if renewed != as_it_is:
        for phase in range(_in_common(kept, ends), len(ends)):
            run.discard_matching(f"seed*/*+{phase}.*")
        run.renew(renewed)
    return run


def check_run(
    out: str | os.PathLike[str], settings: Callable[[], Mapping[str, Any]], *, more_epochs: bool
) -> None:
    """Check that `open_run` can open the run in a folder, and make nothing.

    Args:
        out: The folder.
        settings: Returns what the results depend on, as for `open_run`; called if there is a run.
        more_epochs: Whether a run of fewer epochs is to be continued.

    Raises:
        FileNotFoundError: There is no run to continue.
        FileExistsError: The folder holds a run with other settings, or one of fewer epochs that is not to be
            continued, or files of something else.
        ValueError: The run has more epochs already; a file in it was changed.
    """
    folder = Path(out)
    check_folder(folder)
    old = _read(folder, more_epochs)
    check_unchanged(folder)
    if old is None:
        holds_run(folder, {})
        return
    wanted = settings()
    holds_run(folder, _as_it_is(old, wanted))
    _kept_ends(folder, _ends(old), wanted["recipe"][_EPOCHS], more_epochs)


def _ends(old: Mapping[str, Any]) -> list[int]:
    """After how many epochs each training of the students in a run ends."""
    return [*old["recipe"].get(_EARLIER, []), old["recipe"].get(_EPOCHS)]


def _as_it_is(old: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those of a run that may change."""
    free = {key: old.get(key) for key in _FREE if key in settings}
    return _with_epochs({**settings, **free}, _ends(old))


def _kept_ends(folder: Path, ends: list[int], wanted: int, more_epochs: bool) -> list[int]:
    """After how many epochs each training of the students ends; the last one is what is wanted."""
    known = ends[-1]
    if wanted == known or not isinstance(known, int):
        return ends
    if wanted > known:
        if not more_epochs:
            raise FileExistsError(
                f"{folder} holds a run of {known} epochs. more_epochs=True trains its students on to "
                f"{wanted}; or name another folder."
            )
        return [*ends, wanted]
    earlier = [end for end in ends if end <= wanted]
    if not earlier or (folder / "report.json").exists():
        raise ValueError(
            f"{folder} holds a run of {known} epochs, which cannot become {wanted}. Name another folder."
        )
    return earlier if earlier[-1] == wanted else [*earlier, wanted]


def _in_common(first: list[int], second: list[int]) -> int:
    """How many elements two lists begin with that are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _read(folder: Path, more_epochs: bool) -> dict[str, Any] | None:
    """The settings of the run in a folder; `None` if it holds none, or none that can be read."""
    try:
        settings = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError):
        settings = None  # opening the run tells what is wrong
    if isinstance(settings, dict) and isinstance(settings.get("recipe"), dict):
        return settings
    if more_epochs:
        raise FileNotFoundError(f"{folder} holds no run that could be continued: leave out more_epochs=True.")
    return None


def _with_epochs(settings: Mapping[str, Any], ends: list[int]) -> dict[str, Any]:
    recipe = {**settings["recipe"], _EPOCHS: ends[-1], _EARLIER: ends[:-1]}
    return json.loads(json.dumps({**settings, "recipe": recipe}))

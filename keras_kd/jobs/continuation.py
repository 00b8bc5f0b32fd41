"""Runs that go on after they were finished, with more epochs."""

import json
import os
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from keras_kd.jobs.runs import SETTINGS, Run

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
    old = _read(Path(out))
    if old is None:
        if more_epochs:
            raise FileNotFoundError(
                f"{out} holds no run that could be continued: leave out more_epochs=True."
            )
        return Run(out, settings)
    ends = [*old["recipe"].get(_EARLIER, []), old["recipe"].get(_EPOCHS)]
    wanted = settings["recipe"][_EPOCHS]
    as_it_is = _with_epochs({**settings, **{key: old.get(key) for key in _FREE if key in settings}}, ends)
    run = Run(out, as_it_is)  # all other settings are the same
    kept = _kept_ends(run, ends, wanted, more_epochs)
    renewed = _with_epochs(settings, kept)
    if renewed != as_it_is:
        for phase in range(_in_common(kept, ends), len(ends)):
            run.discard_matching(f"seed*/*+{phase}.*")
        run.renew(renewed)
    return run


def _kept_ends(run: Run, ends: list[int], wanted: int, more_epochs: bool) -> list[int]:
    """After how many epochs each training of the students ends; the last one is what is wanted."""
    known = ends[-1]
    if wanted == known or not isinstance(known, int):
        return ends
    if wanted > known:
        if not more_epochs:
            raise FileExistsError(
                f"{run.folder} holds a run of {known} epochs. more_epochs=True trains its students on to "
                f"{wanted}; or name another folder."
            )
        return [*ends, wanted]
    earlier = [end for end in ends if end <= wanted]
    if not earlier or run.has("report.json"):
        raise ValueError(
            f"{run.folder} holds a run of {known} epochs, which cannot become {wanted}. Name another folder."
        )
    return earlier if earlier[-1] == wanted else [*earlier, wanted]


def _in_common(first: list[int], second: list[int]) -> int:
    """How many elements two lists begin with that are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _read(folder: Path) -> dict[str, Any] | None:
    """The settings of the run in a folder; `None` if it holds none, or none that can be read."""
    try:
        settings = json.loads((folder / SETTINGS).read_text())
    except (OSError, ValueError):
        return None  # opening the run tells what is wrong
    return settings if isinstance(settings, dict) and isinstance(settings.get("recipe"), dict) else None


def _with_epochs(settings: Mapping[str, Any], ends: list[int]) -> dict[str, Any]:
    recipe = {**settings["recipe"], _EPOCHS: ends[-1], _EARLIER: ends[:-1]}
    return json.loads(json.dumps({**settings, "recipe": recipe}))

"""Runs that go on after they were finished, with more epochs."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_kd.jobs.runs import SETTINGS, Json, Run

_EPOCHS, _EARLIER = "student_epochs", "earlier"


def open_run(out: str | os.PathLike[str], settings: Mapping[str, Any], *, more_epochs: bool) -> Run:
    """The run in a folder, which may have been continued, or is from now on.

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
    old = _recipe(Path(out))
    if old is None:
        if more_epochs:
            raise FileNotFoundError(
                f"{out} holds no run that could be continued: leave out more_epochs=True."
            )
        return Run(out, settings)
    wanted, known = settings["recipe"][_EPOCHS], old.get(_EPOCHS)
    earlier = old.get(_EARLIER, [])
    run_as_it_is = _with_epochs(settings, known, earlier)
    if wanted == known or not isinstance(known, int):
        return Run(out, run_as_it_is)
    run = Run(out, run_as_it_is)  # all other settings are the same
    if wanted < known:
        raise ValueError(
            f"{out} holds a run of {known} epochs, which cannot become {wanted}. Name another folder."
        )
    if not more_epochs:
        raise FileExistsError(
            f"{out} holds a run of {known} epochs. more_epochs=True trains its students on to {wanted}; or "
            "name another folder."
        )
    run.renew(_with_epochs(settings, wanted, [*earlier, known]))
    return run


def _recipe(folder: Path) -> dict[str, Any] | None:
    """What is known of the training in a folder; `None` if it holds no run, or none that can be read."""
    try:
        recipe = json.loads((folder / SETTINGS).read_text())["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # opening the run tells what is wrong
    return recipe if isinstance(recipe, dict) else None


def _with_epochs(settings: Mapping[str, Any], epochs: Json, earlier: Json) -> dict[str, Any]:
    return {**settings, "recipe": {**settings["recipe"], _EPOCHS: epochs, _EARLIER: earlier}}

"""Which of the models that are compared each file was made from: as the file says, or else the caller."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keras_kd.deployment.origin import Origin
from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.reports.subjects import Subject


class Sources(NamedTuple):
    """What the files of a comparison were made from.

    Args:
        models: Name of a file -> name of its model, where that is compared.
        notes: Name of a file -> what it was made from, where that is not compared.
    """

    models: dict[str, str]
    notes: dict[str, str]


class _Known(NamedTuple):
    """A Keras model of the comparison."""

    row: str
    model: str
    fingerprint: Fingerprint


def find_sources(subjects: Sequence[Subject], given: Mapping[str, str]) -> Sources:
    """Find the model that each file was made from.

    Args:
        subjects: What is compared.
        given: Name of a file -> name of the model that it was made from, as the caller says.

    Raises:
        ValueError: A file says that it was made from another model than the caller does.
    """
    origins = {subject.name: subject.made_from for subject in subjects if subject.made_from is not None}
    compared = [(subject.name, subject.model) for subject in subjects if subject.model is not None]
    known = [_Known(row, model.name, Fingerprint.of(model)) for row, model in compared] if origins else []
    found, notes = dict(given), {}
    for file, origin in origins.items():
        its = [model.row for model in known if origin.is_of(model.fingerprint)]
        if file in given and given[file] not in its:
            raise _contradiction(
                file, origin, next(model for model in known if model.row == given[file]), its
            )
        if its:
            found.setdefault(file, its[0])
        else:
            notes[file] = _note(origin, known)
    return Sources(found, notes)


def _note(origin: Origin, known: Sequence[_Known]) -> str:
    for model in known:
        if origin.had_other_weights(model.model, model.fingerprint):
            than = "" if model.row == origin.model else f" than {model.row!r} has"
            return f"made from {origin.model!r} with other weights{than}: export it again"
    if any(model.model == origin.model for model in known):
        its = f"made from another model of the name {origin.model!r}, which has other layers"
        return f"{its} and is not among the models compared"
    return f"made from {origin.model!r}, which is not among the models compared"


def _contradiction(file: str, origin: Origin, given: _Known, its: Sequence[str]) -> ValueError:
    what = f"made from {its[0]!r}" if its else origin.beside(given.model, given.fingerprint)
    return ValueError(
        f"sources maps {file!r} to {given.row!r}, but the file was {what}. Leave this source out "
        "to compare them all the same."
    )

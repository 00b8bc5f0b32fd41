"""Files of other tools under the names of the models that they are compared with.

Such a file says neither in which order its model takes and returns arrays, nor what the model calls them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keras_kd.deployment.belonging import OwnedFile, Owner
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.reports.subjects import Subject


def with_owners(subjects: Sequence[Subject], sources: Mapping[str, str]) -> list[Subject]:
    """The subjects; a file that knows no interface has that of its source, or else of what it fits.

    Args:
        subjects: What is compared.
        sources: Name of a file -> name of the model that it was made from, as far as it is known.

    Raises:
        ValueError: A file cannot have been made from its source, or the models that it fits read different
            parts of the data.
    """
    in_order = sorted(subjects, key=lambda subject: subject.path is not None)  # models before files
    owners = {subject.name: subject.owner for subject in in_order if subject.owner is not None}
    first = subjects[0]
    if not owners and first.lite is not None:  # all are files of other tools: what they share is names
        owners = {first.name: Owner.of_file(first.lite)}
    return [
        _owned(subject, subject.lite, owners, sources.get(subject.name))
        if subject.owner is None and subject.lite is not None
        else subject
        for subject in subjects
    ]


def _owned(subject: Subject, lite: LiteModel, owners: Mapping[str, Owner], source: str | None) -> Subject:
    file = _of_any(subject.name, lite, owners) if source is None else OwnedFile(lite, owners[source])
    if file is None:  # by its own names, it may take some of the data all the same
        return subject
    return replace(
        subject,
        predict=lambda x: file.predict(file.arrays(x)),
        evidence=lambda: file.of_outputs(subject.evidence()),
        ranges=file.of_inputs(subject.ranges),
        limits=lambda: file.of_outputs(subject.limits()),
        inputs=file.data_inputs(),
        owned=file,
    )


def _of_any(name: str, lite: LiteModel, owners: Mapping[str, Owner]) -> OwnedFile | None:
    """The file as one of the owner whose inputs have its names, or else of the first that it fits."""
    fitting: dict[str, OwnedFile] = {}
    for owner, known in owners.items():
        try:
            fitting[owner] = OwnedFile(lite, known)
        except ValueError:
            continue
    alike = [file for file in fitting.values() if file.is_named_alike()]
    if not alike and len({str(file.owner.interface.keys) for file in fitting.values()}) > 1:
        raise ValueError(
            f"{name!r} may be a file of any of {list(fitting)}, which read different parts of the data: name "
            f"its model in sources."
        )
    return next(iter([*alike, *fitting.values()]), None)

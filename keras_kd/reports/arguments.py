"""The arguments of `compare`, checked before anything is measured."""

from collections.abc import Mapping, Sequence

from keras_kd.messages import did_you_mean
from keras_kd.reports.subjects import ModelOrFile, Subject


def merge_names(
    models: Mapping[str, ModelOrFile] | None, named: Mapping[str, ModelOrFile]
) -> dict[str, ModelOrFile]:
    """All models by name.

    Raises:
        ValueError: A name is given twice.
    """
    twice = sorted(set(models or {}) & set(named))
    if twice:
        raise ValueError(
            f"These names are both in models= and keywords: {twice}. Every row needs its own name."
        )
    return {**(models or {}), **named}


def check_arguments(
    subjects: Sequence[Subject],
    sources: Mapping[str, str],
    seeds: Mapping[str, Sequence[float]],
    facts: Sequence[str],
    class_names: Sequence[str] | None = None,
) -> None:
    """Raise an error for names that nothing has, and for other values that make no sense.

    Raises:
        ValueError: An unknown name, a source that is no Keras model, accuracies outside of 0 to 1, or two
            classes of one name.
        TypeError: One fact, or one name of a class, instead of several.
    """
    _check_names({subject.name: subject for subject in subjects}, sources, seeds)
    if isinstance(facts, str):
        raise TypeError(f"facts is a list of sentences. Received one string: {facts!r}")
    if isinstance(class_names, str):
        raise TypeError(
            f"class_names is a list with a name for each class. Received one string: {class_names!r}"
        )
    names = list(class_names or ())
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"class_names must differ. Received {repeated[0]!r} {len(repeated)} times.")


def _check_names(
    subjects: Mapping[str, Subject], sources: Mapping[str, str], seeds: Mapping[str, Sequence[float]]
) -> None:
    for argument, names in (("sources", [*sources, *sources.values()]), ("seeds", list(seeds))):
        for name in names:
            if name not in subjects:
                known = list(subjects)
                raise ValueError(
                    f"{argument} names {name!r}, but the models are {known}.{did_you_mean(name, subjects)}"
                )
    for file, source in sources.items():
        if subjects[file].path is None or subjects[source].model is None:
            raise ValueError(f"sources maps a file to a Keras model. Received: {file!r} -> {source!r}")
    for name, accuracies in seeds.items():
        if not len(accuracies) or not all(0 <= accuracy <= 1 for accuracy in accuracies):
            raise ValueError(f"seeds[{name!r}] must be accuracies from 0 to 1. Received: {list(accuracies)}")

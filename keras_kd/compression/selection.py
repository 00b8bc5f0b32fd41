"""Choosing layers of a model: by name, path or glob, in a list or a mapping, with some to skip.

Every tool that changes some layers of a model uses this. The tool lists the candidates, which it can change;
the user chooses among them with `layers` and `skip`.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import keras

from keras_kd.messages import did_you_mean
from keras_kd.paths import layers_by_path

V = TypeVar("V")


class Candidate(Protocol):
    """Something that can be chosen: a layer, or a weight of one."""

    @property
    def layer(self) -> str:
        """The path of the layer, such as `"backbone/conv1"`."""

    @property
    def path(self) -> str:
        """Its own path: that of the layer, or one below it, such as `"backbone/conv1/kernel"`."""


class Outcome(Candidate, Protocol):
    """What became of a candidate that was chosen."""

    @property
    def reason(self) -> str:
        """Why it was left alone; empty if it was changed."""


@dataclass(frozen=True)
class LayerPath:
    """A layer that is chosen as a whole.

    Args:
        layer: Its path.
    """

    layer: str

    @property
    def path(self) -> str:
        """The same."""
        return self.layer


@dataclass(frozen=True)
class Selection(Generic[V]):
    """A user's choice of layers.

    Args:
        layers: Names, paths or globs. A mapping gives each of them a value, such as a sparsity or a rank; if
            several match, the last one counts. `None`: every candidate.
        skip: Names, paths or globs of what to skip.
        default: The value of candidates that no key of a mapping matches; without it they are not selected.

    Examples:
        >>> Selection(["block*", "head"], skip=["block1"]).skip
        ['block1']
    """

    layers: Sequence[str] | Mapping[str, V] | None = None
    skip: Sequence[str] = ()
    default: V | None = None

    def includes(self, candidate: Candidate) -> bool:
        """Whether a candidate is selected."""
        everything = self.layers is None or self.default is not None
        return (everything or bool(self.patterns_for(candidate))) and not self.skips(candidate)

    def skips(self, candidate: Candidate) -> bool:
        """Whether `skip` matches a candidate."""
        return any(matches(pattern, candidate) for pattern in self.skip)

    def patterns_for(self, candidate: Candidate) -> list[str]:
        """The entries of `layers` that match a candidate, in order."""
        return [pattern for pattern in self.layers or () if matches(pattern, candidate)]

    def value_for(self, candidate: Candidate) -> V | None:
        """The value that a mapping gives a candidate; `None` for a list."""
        patterns = self.patterns_for(candidate)
        return self.layers[patterns[-1]] if patterns and isinstance(self.layers, Mapping) else self.default

    def check_names(self, model: keras.Model, candidates: Sequence[Candidate], what: str) -> None:
        """Raise a `ValueError` for a name that matches no candidate; a glob in `skip` may match none.

        Args:
            model: The model whose layers are chosen.
            candidates: What can be chosen.
            what: What a candidate is called, such as `"kernel that can be pruned"`.
        """
        skipped = [name for name in self.skip if not any(character in name for character in "*?[")]
        for name in [*(self.layers or ()), *skipped]:
            if not any(matches(name, candidate) for candidate in candidates):
                raise ValueError(_explain_no_match(model, name, candidates, what))

    def check_outcomes(self, model: keras.Model, outcomes: Sequence[Outcome], what: str, done: str) -> None:
        """Raise a `ValueError` if nothing was changed, or nothing of what a name means, with the reasons.

        Args:
            model: The model.
            outcomes: What became of the candidates that were chosen.
            what: What a candidate is called, such as `"BatchNormalization"`.
            done: What could not be done to them, such as `"folded"`.
        """
        for pattern in self.layers or ():
            meant = [outcome for outcome in outcomes if matches(pattern, outcome)]
            if meant and all(outcome.reason for outcome in meant):
                raise ValueError(f"{meant[0].path!r} cannot be {done}: {meant[0].reason}. Leave it out.")
        if all(outcome.reason for outcome in outcomes):
            reasons = [f"{outcome.path!r}: {outcome.reason}" for outcome in outcomes]
            nothing = f"The model has no {what}" + (", or `skip` leaves none" if self.skip else "")
            why = "; ".join(reasons[:3]) or nothing
            more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
            raise ValueError(f"Nothing in {model.name!r} can be {done}. {why}{more}.")


def parse_names(value: Sequence[str] | Mapping[str, V] | str) -> list[str] | Mapping[str, V]:
    """Layers as a list of names, or the given mapping.

    Raises:
        TypeError: Anything other than names.
    """
    names = [value] if isinstance(value, str) else value
    is_collection = isinstance(names, (Mapping, list, tuple, set, frozenset))
    if not is_collection or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"Layers are given by name, path or glob, or as a list of these. Received: {value!r}."
        )
    return names if isinstance(names, Mapping) else list(names)


def matches(pattern: str, candidate: Candidate) -> bool:
    """Whether a name, path or glob matches a candidate, its layer, or something that contains this layer."""
    names = [candidate.path, *names_of(candidate.layer)]
    # A layer may have a name with brackets, which is a pattern that it does not match.
    return pattern in names or any(fnmatch.fnmatchcase(name, pattern) for name in names)


def names_of(path: str) -> list[str]:
    """All the names of a layer: its path, the paths of what contains it, and the parts of these.

    Examples:
        >>> names_of("backbone/conv1")
        ['backbone', 'backbone/conv1', 'backbone', 'conv1']
    """
    parts = path.split("/")
    return [*("/".join(parts[:end]) for end in range(1, len(parts) + 1)), *parts]


def _explain_no_match(model: keras.Model, name: str, candidates: Sequence[Candidate], what: str) -> str:
    layers = layers_by_path(model)
    named = [layer for path, layer in layers.items() if name in names_of(path)]
    shared = [c.path for c in candidates if any(layers[c.layer] is layer for layer in named)]
    if shared:
        return f"{name!r} is shared and goes by its first name: {', '.join(map(repr, shared))}."
    if named:
        return f"{name!r} has no {what}. Leave it out."
    owners = list(dict.fromkeys(candidate.layer for candidate in candidates))
    known = dict.fromkeys(alias for owner in owners for alias in names_of(owner))
    hint = did_you_mean(name, known, 3) or f" Layers to choose from: {', '.join(map(repr, owners[:8]))}."
    return f"{model.name!r} has no layer {name!r}.{hint}"

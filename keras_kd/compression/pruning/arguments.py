"""The arguments of `Prune`: each is validated, and all of them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

from keras_kd.compression.pruning.fractions import check_fraction
from keras_kd.compression.pruning.patterns import Groups, Pattern, parse_pattern
from keras_kd.compression.pruning.schedule_arguments import make_schedule
from keras_kd.compression.pruning.schedules import (
    FunctionSchedule,
    PolynomialSchedule,
    Schedule,
    StepFunction,
)
from keras_kd.compression.selection import parse_names
from keras_kd.messages import did_you_mean

_SCOPES = ["layer", "global"]

Sparsity: TypeAlias = float | str | StepFunction | None
Layers: TypeAlias = Sequence[str] | Mapping[str, float] | str | None


@dataclass(frozen=True)
class Arguments:
    """The arguments of `Prune`, as given; see there."""

    sparsity: Sparsity = None
    pattern: str = "unstructured"
    begin: int = 0
    end: int | None = None
    frequency: int = 100
    schedule: str | StepFunction = "polynomial"
    initial_sparsity: float = 0.0
    power: float = 3
    layers: Layers = None
    skip: Sequence[str] | str = ()
    scope: str = "layer"
    block_pooling: str = "mean"

    @property
    def keeps(self) -> bool:
        """Whether nothing is pruned, and the existing zeros are kept."""
        return isinstance(self.sparsity, str) and self.sparsity == "keep"

    @property
    def by_layer(self) -> bool:
        """Whether `layers` gives each layer a sparsity."""
        return isinstance(self.layers, Mapping)


@dataclass(frozen=True)
class Settings:
    """What `Prune` does, after its arguments are validated; the attributes are those of `Prune`."""

    sparsity: float | None
    keeps: bool
    pattern: Pattern
    schedule: Schedule
    layers: list[str] | Mapping[str, float] | None
    skip: list[str]
    scope: str


def resolve(given: Arguments) -> Settings:
    """The settings for the arguments.

    Raises:
        TypeError: Layers that are not given by name.
        ValueError: An argument out of range, arguments that contradict each other, or that would have no
            effect.
    """
    layers = None if given.layers is None else parse_names(given.layers)
    skip = list(parse_names(given.skip))
    pattern = parse_pattern(given.pattern, given.block_pooling)
    given = _with_schedule(given)
    if given.scope not in _SCOPES:
        hint = did_you_mean(str(given.scope), _SCOPES)
        raise ValueError(f"`scope` must be one of {_SCOPES}. Received: {given.scope!r}.{hint}")
    sparsity = cast("float | None", None if given.keeps else given.sparsity)
    at_once = isinstance(pattern, Groups) and given.schedule == "polynomial"
    schedule = make_schedule(
        sparsity,
        "constant" if at_once else given.schedule,
        *(given.begin, given.end, given.frequency, given.initial_sparsity, given.power),
    )
    if isinstance(given.layers, Mapping):
        for name, value in given.layers.items():
            check_fraction(value, f"layers[{name!r}]")
    settings = Settings(sparsity, given.keeps, pattern, schedule, layers, skip, given.scope)
    _check_effective(given, settings)
    _check_compatible(given, settings)
    return settings


def _with_schedule(given: Arguments) -> Arguments:
    """If `sparsity` is a function, make it the schedule."""
    if not callable(given.sparsity):
        return given
    if given.schedule != "polynomial":
        raise ValueError("`sparsity` is a schedule here. Leave out `schedule`.")
    return replace(given, sparsity=None, schedule=given.sparsity)


def _check_effective(given: Arguments, settings: Settings) -> None:
    """Raise a `ValueError` for arguments that would have no effect."""
    effective = Arguments("keep", layers=given.layers, skip=given.skip, block_pooling=given.block_pooling)
    if given.keeps and (given.by_layer or given != effective):
        raise ValueError(
            "kd.Prune('keep') keeps the zeros that are there: give lists of `layers` and `skip` only."
        )
    ramps = isinstance(settings.schedule, PolynomialSchedule)
    if (given.initial_sparsity, given.power) != (0, 3) and not ramps:
        raise ValueError("`initial_sparsity` and `power` belong to the polynomial schedule. Leave them out.")
    if isinstance(settings.pattern, Groups) and isinstance(settings.schedule, FunctionSchedule):
        raise ValueError("'n:m' has no schedule: it is applied at once, at `begin`. Leave out `schedule`.")


def _check_compatible(given: Arguments, settings: Settings) -> None:
    """Raise a `ValueError` if arguments contradict each other, or the sparsity is missing."""
    sparsity, pattern, by_layer = settings.sparsity, settings.pattern, given.by_layer
    scheduled, grouped = callable(given.schedule), isinstance(pattern, Groups)
    if sparsity is None and not (settings.keeps or scheduled or by_layer or grouped):
        raise ValueError("Say how much to prune: kd.Prune(0.8) for 80 % zeros.")
    if isinstance(pattern, Groups) and sparsity not in (None, pattern.sparsity):
        raise ValueError(
            f"{given.pattern!r} means {pattern.sparsity:.0%} zeros. Received: sparsity={sparsity}. "
            "Leave `sparsity` out."
        )
    if by_layer and (grouped or scheduled or settings.scope == "global"):
        raise ValueError(
            "Sparsities by layer need a schedule of kd.Prune and scope='layer', and 'n:m' has none. Give "
            "`layers` as a list of names."
        )
    if grouped and settings.scope == "global":
        raise ValueError("'n:m' patterns are the same in every layer. Leave out `scope`.")
    if scheduled and sparsity is not None:
        raise ValueError("The schedule says how much to prune. Leave out `sparsity`.")

"""What `Prune` is given: names of layers, and arguments that do not go together."""

from collections.abc import Mapping
from typing import Any

from keras_kd.compression.pruning.patterns import Groups
from keras_kd.compression.pruning.schedules import Schedule


def names(given: Any) -> Any:
    """Layers as a list of names, or a mapping from them."""
    listed = [given] if isinstance(given, str) else given
    known = isinstance(listed, (Mapping, list, tuple, set, frozenset))
    if not known or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"Layers are given by name, path or glob, or a list of these. Received: {given!r}.")
    return listed if isinstance(listed, Mapping) else list(listed)


def check_together(prune: Any, scheduled: bool, given: tuple[Any, ...]) -> None:
    """Raise a `ValueError` for arguments that contradict each other, or that would have no effect.

    Args:
        prune: The callback, with its pattern and its schedule.
        scheduled: Whether a schedule was given that says how much.
        given: Pattern, begin, end, frequency, schedule, scope, initial sparsity and power, as they came.
    """
    pattern = prune.pattern
    by_layer, grouped = isinstance(prune.layers, Mapping), isinstance(pattern, Groups)
    if prune.keeps and (by_layer or given != ("unstructured", 0, None, 100, "polynomial", "layer", 0.0, 3)):
        raise ValueError(
            "kd.Prune('keep') keeps the zeros that there are: give lists of `layers` and `skip` only."
        )
    if given[-2:] != (0, 3) and not prune.schedule.ramps:
        raise ValueError("`initial_sparsity` and `power` belong to the polynomial schedule. Leave them out.")
    if grouped and isinstance(prune.schedule, Schedule) and prune.schedule.function is not None:
        raise ValueError("'n:m' has no schedule: it is pruned at once, at `begin`. Leave out `schedule`.")
    if prune.sparsity is None and not (prune.keeps or scheduled or by_layer or grouped):
        raise ValueError("Say how much to prune: kd.Prune(0.8) for 80 % zeros.")
    if isinstance(pattern, Groups) and prune.sparsity not in (None, pattern.sparsity):
        raise ValueError(
            f"{given[0]!r} means {pattern.sparsity:.0%} zeros. Received: sparsity={prune.sparsity}. "
            "Leave `sparsity` out."
        )
    if by_layer and (grouped or scheduled or prune.scope == "global"):
        raise ValueError(
            "Sparsities by layer need a schedule of kd.Prune and scope='layer', and 'n:m' has none. Give "
            "`layers` as a list of names."
        )
    if grouped and prune.scope == "global":
        raise ValueError("'n:m' patterns are the same in every layer. Leave out `scope`.")
    if scheduled and prune.sparsity is not None:
        raise ValueError("The schedule says how much to prune. Leave out `sparsity`.")

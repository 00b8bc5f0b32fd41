"""What `shrink` took away, to print."""

from __future__ import annotations

from dataclasses import dataclass, field

from keras_kd.compression.shrinking.groups import kept_whole
from keras_kd.compression.shrinking.planning import Plan
from keras_kd.compression.shrinking.sizes import Sizes
from keras_kd.compression.tables import draw
from keras_kd.messages import some_of
from keras_kd.results import Result


@dataclass(frozen=True)
class ShrunkGroup(Result):
    """A group of channels, and how many of them are kept.

    Args:
        made_by: The layers that make them.
        before: How many there were.
        after: How many are kept.
    """

    made_by: tuple[str, ...]
    before: int
    after: int


@dataclass(frozen=True)
class Shrinkage(Result):
    """What became of a model; printed as a table.

    Args:
        groups: The groups that could lose channels, in the order of the model.
        parameters: Before, counting dropped blocks, and after.
        macs: Multiply-adds for one sample, before and after; `None` if they depend on sizes of the inputs
            that are not known.
        blocks: Residual blocks that can be dropped, before and after; `None` without `depth`.
        kept_whole: The layers that keep all their channels, and why.
    """

    groups: tuple[ShrunkGroup, ...]
    parameters: tuple[int, int]
    macs: tuple[int, int] | None
    blocks: tuple[int, int] | None = None
    kept_whole: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = [
            (
                some_of(group.made_by, 3),
                f"{group.before:,}",
                f"{group.after:,}",
                f"{group.after / group.before:.0%}",
            )
            for group in self.groups
        ]
        table = draw(("channels of", "before", "after", "kept"), rows, right={1, 2, 3})
        totals = [
            f"{name}: {sizes[0]:,} before, {sizes[1]:,} after ({sizes[1] / max(sizes[0], 1):.1%})"
            if sizes
            else f"{name}: they depend on the sizes of the inputs; give input_shape= to count them"
            for name, sizes in (("parameters", self.parameters), ("multiply-adds", self.macs))
        ]
        kept = [f"kept whole: {path}: {why}" for path, why in self.kept_whole.items()]
        if self.blocks is not None:
            totals.insert(0, "residual blocks: {} before, {} after".format(*self.blocks))
        return "\n".join([table, *totals, *kept])


def summarize(plan: Plan) -> Shrinkage:
    """Say what a plan takes away."""
    groups = tuple(
        ShrunkGroup(group.makers, len(group.classes), count)
        for group, count in zip(plan.groups, plan.counts, strict=True)
    )
    sizes = Sizes(plan.channels, plan.groups, plan.graph)
    parameters, macs = (
        (int(plan.before[measure]), int(sizes.measure(measure, plan.counts)))
        for measure in ("parameters", "macs")
    )
    known = macs if plan.graph is not None else None
    return Shrinkage(groups, parameters, known, plan.blocks, kept_whole(plan.channels))

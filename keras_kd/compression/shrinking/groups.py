"""Groups of channels: what is made by the same layers and read by the same layers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import keras
import numpy as np

from keras_kd.compression.shrinking.channels import Axis, Channels, Role
from keras_kd.compression.shrinking.following import follow
from keras_kd.compression.shrinking.ties import NONE
from keras_kd.graphs import Opened, graph_of, open_layers
from keras_kd.legacy import require_keras_model
from keras_kd.messages import some_of
from keras_kd.results import Result


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that are alike: made, read and scaled by the same axes of weights.

    Attributes:
        classes: The number of each channel in `Ties.classes`.
        axes: The axes of weights that belong to them.
    """

    classes: np.ndarray
    axes: tuple[Axis, ...]

    @property
    def layer(self) -> str:
        """The path of the first layer that makes them."""
        return self.makers[0]

    @property
    def makers(self) -> tuple[str, ...]:
        """The paths of the layers that make the channels."""
        return self.paths(Role.MAKES) or self.paths(Role.ALONG) or self.paths(Role.READS)

    @property
    def followers(self) -> tuple[str, ...]:
        """The paths of the layers with a number for each channel that do not make them."""
        return tuple(path for path in self.paths(Role.ALONG) if path not in self.makers)

    def paths(self, role: Role) -> tuple[str, ...]:
        """The paths of the layers with a role."""
        return tuple(dict.fromkeys(axis.path for axis in self.axes if axis.role is role))

    @property
    def whole(self) -> bool:
        """Whether a channel is a large part, such as an attention head, so that no multiple is needed."""
        return any(axis.whole for axis in self.axes)


@dataclass(frozen=True)
class ChannelGroup(Result):
    """Channels that are tied together place by place, so that they are removed in all these layers at once.

    Args:
        channels: How many there are.
        made_by: The layers whose filters, units or heads they are.
        along: The layers with a number for each of them: normalizations, depthwise convolutions.
        read_by: The layers whose kernels read them.

    Examples:
        >>> import keras_kd as kd
        >>> print(kd.channel_groups(kd.models.digits_student()).groups[0].read_by)
        ('conv2',)
    """

    channels: int
    made_by: tuple[str, ...]
    along: tuple[str, ...]
    read_by: tuple[str, ...]


@dataclass(frozen=True)
class ChannelGroups(Result):
    """The groups of channels of a model; returned by `channel_groups`, printed as a table.

    Args:
        groups: Those that can be made smaller.
        kept_whole: The layers that keep all their channels, and why.

    Examples:
        >>> import keras_kd as kd
        >>> kd.channel_groups(kd.models.digits_student()).kept_whole
        {'logits': 'is an output of the model'}
    """

    groups: tuple[ChannelGroup, ...]
    kept_whole: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        from keras_kd.compression.tables import draw

        rows = [
            (str(g.channels), *(some_of(paths, 3) for paths in (g.made_by, g.along, g.read_by)))
            for g in self.groups
        ]
        lines = draw(("channels", "made by", "along", "read by"), rows, right={0})
        kept = [f"kept whole: {path}: {why}" for path, why in self.kept_whole.items()]
        return "\n".join([lines, *kept])


def channel_groups(model: keras.Model) -> ChannelGroups:
    """Find which channels of a model are tied together, and which must be kept.

    Channels are the filters of convolutions, the units of dense and recurrent layers, the entries of
    embeddings, and the heads and head sizes of attention. Layers whose results are added or multiplied, or
    that are normalized or read together, can only lose the same ones. The outputs of the model keep theirs.

    Args:
        model: A built functional or sequential model.

    Returns:
        The groups, in the order of the model, and what is kept whole and why; `print` shows a table.

    Raises:
        TypeError: Not a Keras 3 model.
        ValueError: The model is subclassed or not built.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> x = inputs = keras.Input((8, 8, 3))
        >>> x = keras.layers.Conv2D(16, 3, padding="same", name="stem")(x)
        >>> x = keras.layers.Add()([x, keras.layers.Conv2D(16, 3, padding="same", name="conv")(x)])
        >>> x = keras.layers.GlobalAveragePooling2D()(x)
        >>> model = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
        >>> kd.channel_groups(model).groups[0].made_by
        ('stem', 'conv')
    """
    require_keras_model(model, "model")
    channels, groups = groups_of(open_layers(model))
    found = tuple(
        ChannelGroup(len(group.classes), group.makers, group.followers, group.paths(Role.READS))
        for group in groups
    )
    return ChannelGroups(found, kept_whole(channels))


def find_groups(channels: Channels) -> list[Group]:
    """The groups of channels that can be removed, in the order of the graph."""
    axes = list(channels.axes.values())
    uses: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, axis in enumerate(axes):
        classes, counts = np.unique(channels.ties.classes(axis.labels), return_counts=True)
        for one, count in zip(classes.tolist(), counts.tolist(), strict=True):
            uses[one].append((number, count))
    alike: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for one, where in uses.items():
        if one != NONE:
            alike[tuple(where)].append(one)
    groups = [
        Group(np.array(sorted(classes)), tuple(axes[number] for number, _ in where))
        for where, classes in alike.items()
    ]
    # What nothing makes (the channels of an input) or nothing but one place holds cannot be removed alone.
    return [group for group in groups if group.paths(Role.MAKES) and len(group.classes) > 1]


def kept_whole(channels: Channels) -> dict[str, str]:
    """The layers that make channels and keep all of them, and why."""
    found: dict[str, str] = {}
    for axis in channels.axes.values():
        classes = np.unique(channels.ties.classes(axis.labels))
        if axis.role is Role.MAKES and len(classes) == 1:
            why = channels.ties.why_kept(axis.labels) or "its channels are all tied to one another"
            found.setdefault(axis.path, why)
    return {**channels.kept, **found}


def groups_of(opened: Opened) -> tuple[Channels, list[Group]]:
    """Follow a model, whose layers of layers are opened, and group its channels."""
    channels = follow(graph_of(opened.model))
    channels.kept.update(opened.closed)
    return channels, find_groups(channels)

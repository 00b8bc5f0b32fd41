"""Groups of channels in the short form in which tests write them down."""

import keras
from keras import layers

import keras_kd as kd
from tests.compression.shrinking.models import MODELS, headed

Groups = list[tuple[int, str, str, str]]

HEAD = {"head": "is an output of the model"}


def groups_in(model: keras.Model | str) -> Groups:
    """`(channels, made by, along, read by)`, with the layers separated by spaces."""
    found = kd.channel_groups(MODELS[model]() if isinstance(model, str) else model)
    return [(g.channels, *map(" ".join, (g.made_by, g.along, g.read_by))) for g in found.groups]


def kept_in(model: keras.Model | str) -> dict[str, str]:
    """What is kept whole besides the head, and why."""
    found = kd.channel_groups(MODELS[model]() if isinstance(model, str) else model).kept_whole
    return {path: why for path, why in found.items() if (path, why) not in HEAD.items()}


def sequence_model(body, shape=(5, 4)) -> keras.Model:
    """A model of sequences: a body, the mean over the steps, a head."""
    inputs = keras.Input(shape)
    return headed(inputs, layers.GlobalAveragePooling1D(name="pool")(body(inputs)))

"""Data sets, and what is trained on each."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from recoveries.networks import resnet20

import keras_kd as kd
from keras_kd.datasets import Split
from keras_kd.datasets.splits import split_off
from payoffs.plan import RECIPES
from payoffs.students import mlp, vit

# Cheap ones, and those without a convolution's bias, first.
GROUPS = (("mlp", "vit"), ("convolutional", "bundled"))


class Set(NamedTuple):
    """Data, networks, and how long they are trained."""

    name: str
    train: Split
    validation: Split
    test: Split
    teacher: Callable[[], keras.Model]
    students: Mapping[str, Callable[[], keras.Model]]
    teacher_epochs: int
    lengths: tuple[int, ...]
    recipes: tuple[str, ...] = RECIPES
    views: int = 16
    most: int = 2  # pixels of a shift
    flips: bool = True
    batch_size: int = 128
    variants: int = 4  # of the winner


def open_set(name, short):
    """The data and networks of a name; `short` is a try-out of it, with a network that compiles fast."""
    data = kd.datasets.digits() if name == "digits" else kd.datasets.fashion_mnist()
    known = [np.concatenate([data.arrays[part][i] for part in ("train", "validation")]) for i in (0, 1)]
    train, validation = split_off(Split(*known), len(known[0]) // 6)
    shape = data.input_shape
    bundled = kd.models.digits_student if name == "digits" else kd.models.fashion_student
    strides = (1 if name == "digits" else 2, 2, 2)
    students = {
        "mlp": partial(mlp, shape),
        "vit": partial(vit, shape),
        "convolutional": lambda: kd.models.plain("convolutional", shape, (24, 48, 64), strides),
        "bundled": bundled,
    }
    splits = name, train, validation, data.arrays["test"]
    if name == "digits":  # flipped, most of them would be no digits
        epochs = {"teacher_epochs": 60, "lengths": (50, 150), "most": 1, "flips": False, "batch_size": 32}
    else:
        epochs = {"teacher_epochs": 30, "lengths": (20, 60)}
    if short:
        epochs |= {"teacher_epochs": 3, "lengths": (2,), "recipes": RECIPES[:1], "views": 2, "variants": 1}
        students = {"mlp": students["mlp"], "vit": partial(vit, shape, blocks=1)}
    return Set(*splits, bundled if short else partial(resnet20, shape), students, **epochs)

"""What the tests of the losses share: random batches, settings of Hypothesis, and calls of a loss."""

from pathlib import Path

import keras
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

REFERENCE = np.load(Path(__file__).parent.parent / "data" / "losses.npz")

common = settings(max_examples=8, deadline=None, derandomize=True)
seeds, few = st.integers(0, 1000), st.integers(1, 6)
scales = st.floats(0.1, 10)


def vectors(seed, *shapes):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def maps(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def value(loss, teacher, student, **call):
    return float(loss(teacher, student, **call))


def rows(loss, teacher, student, **call):
    """The value of each sample."""
    loss.reduction = None
    return keras.ops.convert_to_numpy(loss(teacher, student, **call))


def rotation(seed, width):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]

"""Arguments of `kd.Prune` that make no schedule, and those that make each kind."""

import re

import numpy as np
import pytest

from keras_kd.compression.pruning.schedule_arguments import make_schedule
from keras_kd.compression.pruning.schedules import (
    ConstantSchedule,
    FunctionSchedule,
    PolynomialSchedule,
    TfmotSchedule,
)
from tests.compression.pruning.test_schedules import TYPICAL


class Pair:
    """A schedule of two values."""

    def __init__(self, *values):
        self.values = values

    def __call__(self, step):
        return self.values

    def __repr__(self):
        return f"Pair{self.values}"


REFUSED = [
    ({"begin": -1}, "`begin` is an integer number of steps, at least 0. Received: -1"),
    ({"begin": 1.5}, "`begin` is an integer number of steps"),
    ({"begin": True}, "`begin` is an integer number of steps"),
    ({"begin": None}, "`begin` is an integer number of steps"),
    ({"begin": "10"}, "`begin` is an integer number of steps, at least 0. Received: '10'"),
    ({"end": -1}, "`end` is an integer number of steps, at least 0. Received: -1"),
    ({"end": 2.0}, "`end` is an integer number of steps"),
    ({"begin": 10, "end": 9}, "`end` must not be before `begin`. Received: begin=10, end=9"),
    ({"frequency": 0}, "`frequency` is an integer number of steps, at least 1. Received: 0"),
    ({"frequency": -5}, "`frequency` is an integer number"),
    ({"frequency": None}, "`frequency` is an integer number"),
    ({"frequency": False}, "`frequency` is an integer number"),
    ({"power": 0}, "`power` must be a positive number. Received: 0"),
    ({"power": -2}, "`power` must be a positive number"),
    ({"power": "3"}, "`power` must be a positive number. Received: '3'"),
    ({"power": float("nan")}, "`power` must be a positive number. Received: nan"),
    ({"power": float("inf")}, "`power` must be a positive number. Received: inf"),
    ({"power": True}, "`power` must be a positive number. Received: True"),
    ({"power": None}, "`power` must be a positive number. Received: None"),
    ({"sparsity": 1.0}, "`sparsity` is the fraction of zeros, from 0 to less than 1. Received: 1.0"),
    ({"sparsity": -0.1}, "`sparsity` is the fraction of zeros"),
    ({"sparsity": float("nan")}, "`sparsity` is the fraction of zeros, from 0 to less than 1. Received: nan"),
    ({"sparsity": 80}, "Did you mean 0.8?"),
    ({"sparsity": True}, "Received: True"),
    ({"sparsity": "0.8"}, "Received: '0.8'"),
    ({"sparsity": np.array([0.5, 0.8])}, "`sparsity` is the fraction of zeros"),
    ({"sparsity": 0.8, "initial": 1}, "`initial_sparsity` is the fraction of zeros"),
    ({"sparsity": 0.8, "initial": 50}, "Did you mean 0.5?"),
    ({"sparsity": 0.8, "initial": float("nan")}, "`initial_sparsity` is the fraction of zeros"),
    ({"sparsity": 0.8, "schedule": "polinomial"}, "Did you mean 'polynomial'?"),
    ({"sparsity": 0.8, "schedule": None}, "`schedule` must be one of"),
    ({"sparsity": 0.8, "schedule": ["constant"]}, "`schedule` must be one of"),
    ({"schedule": lambda step: 1.0}, "`schedule(1)` is the fraction of zeros"),
    ({"schedule": lambda step: "half"}, "`schedule(1)` is the fraction of zeros"),
    ({"schedule": lambda step: None}, "`schedule(1)` is the fraction of zeros"),
    ({"schedule": lambda step: 30}, "Did you mean 0.3?"),
    ({"schedule": Pair(True, 1.5)}, "`schedule(1)` is the fraction of zeros"),
    ({"schedule": Pair(True)}, "Received: Pair(True,)"),
    ({"schedule": Pair(True, 0.5, 0.5)}, "Received: Pair(True, 0.5, 0.5)"),
    ({"schedule": Pair}, "give an instance of it"),
    ({"schedule": Pair(True, 0.5), "sparsity": 0.5}, "Leave out `sparsity`"),
    ({"schedule": Pair(True, 0.5), "begin": 5}, "Leave out `sparsity`, `begin`"),
    ({"schedule": Pair(True, 0.5), "end": 5}, "Leave out `sparsity`, `begin`, `end`"),
    ({"schedule": Pair(True, 0.5), "frequency": 10}, "`frequency`"),
]


@pytest.mark.parametrize(
    ("options", "message"),
    REFUSED,
    ids=[f"{i}-{'-'.join(options)}" for i, (options, _) in enumerate(REFUSED)],
)
def test_other_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_schedule(**{**TYPICAL, **options})


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"sparsity": 0.8}, PolynomialSchedule),
        ({"sparsity": 0.8, "schedule": "constant"}, ConstantSchedule),
        ({"schedule": lambda step: 0.5}, FunctionSchedule),
        ({"schedule": Pair(True, 0.5)}, TfmotSchedule),
    ],
    ids=["polynomial", "constant", "function", "tfmot"],
)
def test_each_argument_makes_its_kind_of_schedule(options, kind):
    assert type(make_schedule(**{**TYPICAL, **options})) is kind

"""Files are made from the student that is better on validation data, whatever the test data says."""

import numpy as np
import pytest

from keras_kd.jobs.selection import Selection
from keras_kd.jobs.trainings import Trained


def student(kind, seed, validation, test=0.5):
    scores = [
        {"output": np.repeat([1.0, 0.0], [round(100 * v), 100 - round(100 * v)])} for v in (validation, test)
    ]
    return Trained(kind, seed, f"seed{seed}/{kind}.keras", *scores)


@pytest.mark.parametrize(
    ("alone", "distilled", "chosen"),
    [
        ([0.9], [0.8], ("alone", 0)),
        ([0.8], [0.9], ("distilled", 0)),
        ([0.9], [0.9], ("alone", 0)),
        ([0.5, 0.95], [0.8, 0.9], ("distilled", 1)),
        ([0.9, 0.95, 0.9], [0.8, 0.99, 0.8], ("alone", 1)),
    ],
)
def test_the_better_kind_on_average_and_its_best_seed(alone, distilled, chosen):
    students = [
        student(kind, seed, validation, test=1 - validation)
        for kind, values in (("alone", alone), ("distilled", distilled))
        for seed, validation in enumerate(values)
    ]
    selection = Selection(students)
    assert (selection.chosen.kind, selection.chosen.seed) == chosen
    assert selection.better == chosen[0]
    assert selection.on_test("alone").shape == (len(alone), 100)

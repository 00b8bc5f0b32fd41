"""Labels in the form that outputs ask for."""

import numpy as np
import pytest

from keras_kd.datasets.labels import check_units, fit_labels
from keras_kd.datasets.model_shape import ModelShape

ROWS = np.arange(6)
BITS = np.array([[0, 1, 1], [1, 1, 0]] * 3)
# Labels, the output, what they become: dtype and shape.
FITTING = {
    "classes": (ROWS % 3, (3,), "int32", (6,)),
    "classes as floats": ((ROWS % 3).astype(float), (3,), "int32", (6,)),
    "classes in a column": ((ROWS % 3)[:, None], (3,), "int32", (6,)),
    "yes or no": (ROWS % 2, (1,), "int32", (6,)),
    "yes or no as floats": ((ROWS % 2)[:, None] * 1.0, (1,), "int32", (6,)),
    "yes or no as booleans": (ROWS > 3, (1,), "int32", (6,)),
    "of an output without axes": (ROWS > 3, (), "int32", (6,)),
    "numbers": (ROWS / 2, (1,), "float32", (6, 1)),
    "whole numbers": (ROWS, (1,), "float32", (6, 1)),
    "floats that are all zero": (ROWS * 0.0, (1,), "float32", (6, 1)),
    "numbers in a column": (ROWS[:, None] / 2, (1,), "float32", (6, 1)),
    "rows of numbers": (np.outer(ROWS, [1.0, 2.0]), (2,), "float32", (6, 2)),
    "several labels": (BITS, (3,), "int32", (6, 3)),
    "several labels as floats": (BITS * 1.0, (3,), "int32", (6, 3)),
    "one-hot": (np.eye(3)[ROWS % 3], (3,), "int32", (6, 3)),
    "probabilities": (np.full((6, 4), 0.25), (4,), "float32", (6, 4)),
    "a free number of units": (BITS, (None,), "int32", (6, 3)),
    "maps of classes": (np.ones((6, 4, 5), int), (4, 5, 3), "int32", (6, 4, 5)),
    "maps of classes with an axis": (np.ones((6, 4, 5, 1), int), (4, 5, 3), "int32", (6, 4, 5)),
    "maps of yes and no": (np.ones((6, 4, 5, 1), int), (4, 5, 1), "int32", (6, 4, 5, 1)),
}


@pytest.mark.parametrize(("y", "output", "dtype", "shape"), FITTING.values(), ids=FITTING)
def test_labels_that_fit(y, output, dtype, shape):
    model = ModelShape({}, {"out": output})
    fitted = fit_labels({"train": y, "test": y[:2]}, model)
    assert (fitted["train"].dtype, fitted["train"].shape) == (dtype, shape)
    assert fitted["test"].shape == (2, *shape[1:])
    np.testing.assert_array_equal(fitted["train"].ravel(), y.ravel())
    again = fit_labels(fitted, model)
    np.testing.assert_array_equal(again["train"], fitted["train"])
    assert again["train"].dtype == dtype


WRONG = {
    "too many classes": (
        ROWS,
        (3,),
        "train: output of 3 units: labels must be from 0 to 2, found 3 at row 3",
    ),
    "below zero": (ROWS - 1, (9,), "labels must be from 0 to 8, found -1 at row 0"),
    "broken": (ROWS / 2, (9,), "labels must be whole numbers, found 0.5 at row 1"),
    "infinite": (ROWS / np.zeros(6).clip(1e-300), (1,), None),
    "NaN": (np.where(ROWS == 2, np.nan, 1), (1,), "train: 1 labels hold NaN or infinity, the first at row 2"),
    "text": (np.array(["a"] * 6), (1,), "train: labels must be numbers, got <U1"),
    "other units": (BITS, (4,), r"output 'out': labels of shape \(samples, 3\) do not fit .*\(samples, 4\)"),
}


@pytest.mark.parametrize(("y", "output", "message"), [row for row in WRONG.values() if row[2]])
def test_labels_that_do_not_fit(y, output, message):
    with pytest.raises(ValueError, match=message):
        fit_labels({"train": y}, ModelShape({}, {"out": output}))


def test_splits_have_labels_of_one_kind():
    with pytest.raises(ValueError, match="output 'out': labels of the splits differ in shape"):
        fit_labels({"train": ROWS, "test": BITS}, ModelShape({}, {"out": (3,)}))
    # What is 0 and 1 in one split only is no yes or no.
    fitted = fit_labels({"train": ROWS, "test": ROWS % 2}, ModelShape({}, {"out": (1,)}))
    assert {array.dtype.name for array in fitted.values()} == {"float32"}


def test_several_outputs():
    model = ModelShape({}, {"age": (1,), "kind": (6,)})
    fitted = fit_labels({"train": {"kind": ROWS, "age": ROWS}}, model)["train"]
    assert {name: array.dtype.name for name, array in fitted.items()} == {"age": "float32", "kind": "int32"}
    single = ModelShape({}, {"kind": (6,)})
    assert isinstance(fit_labels({"train": {"kind": ROWS}}, single)["train"], np.ndarray)
    for labels, message in (
        (ROWS, "train: one array of labels, but the model has the outputs age, kind"),
        ({"kind": ROWS}, "train: there are no labels for the output age"),
        ({"kind": ROWS, "agge": ROWS}, r"labels for 'agge', .* Did you mean 'age'\?"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_labels({"train": labels}, model)


def test_there_is_a_unit_for_each_class():
    for units, classes in ((1, 2), (3, 3), (5, 3), (None, 3), (1, 0)):
        check_units(classes, ModelShape({}, {"kind": (units,)}), "pets")
    for units, message in ((2, "has 2 units"), (1, r"has 1 unit\.")):
        with pytest.raises(
            ValueError, match=f"pets: there are 3 classes, but the output 'kind' .* {message}"
        ):
            check_units(3, ModelShape({}, {"kind": (units,)}), "pets")

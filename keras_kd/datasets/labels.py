"""Labels in the form that a model's outputs ask for: class numbers, yes or no, or numbers."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from keras_kd.datasets.checks import check_class_numbers, check_finite
from keras_kd.datasets.model_shape import ModelShape, fits
from keras_kd.datasets.splits import Labels
from keras_kd.messages import did_you_mean
from keras_kd.tensors import Shape

# Class numbers, a yes or no for each value (or one-hot rows), numbers to predict.
Kind: TypeAlias = Literal["classes", "yes or no", "numbers"]


def fit_labels(groups: Mapping[str, Labels], model: ModelShape) -> dict[str, Labels]:
    """The labels of all splits, checked and converted to what the model's outputs are.

    One integer per row for one of several classes, or for a single yes or no; integers 0 and 1 in the shape
    of the output for several labels and one-hot rows; float32 for numbers.

    Args:
        groups: The labels of each split.
        model: The model whose outputs they are for.

    Raises:
        ValueError: They do not fit. The message names the split.

    Examples:
        >>> model = ModelShape({"x": (4,)}, {"kind": (3,)})
        >>> fit_labels({"train": np.array([[0.0], [2.0], [1.0]])}, model)
        {'train': array([0, 2, 1], dtype=int32)}
    """
    named = {key: _by_output(labels, model, key) for key, labels in groups.items()}
    fitted: dict[str, dict[str, np.ndarray]] = {key: {} for key in groups}
    for name, shape in model.outputs.items():
        arrays = {key: by_output[name] for key, by_output in named.items()}
        for key, array in arrays.items():
            _check_numbers(array, key)
        kind = kind_of(list(arrays.values()), shape, f"output {name!r}")
        for key, array in arrays.items():
            fitted[key][name] = _converted(array, kind, shape, key)
    single = len(model.outputs) == 1
    return {key: next(iter(arrays.values())) if single else arrays for key, arrays in fitted.items()}


def check_units(classes: int, model: ModelShape, what: str) -> None:
    """Raise a `ValueError` if an output of the model has no unit for each class; one is enough for two.

    Args:
        classes: The number of classes.
        model: The model.
        what: Where the classes come from, for the error.
    """
    for name, shape in model.outputs.items():
        units = shape[-1] if shape else 1
        if units is not None and units < classes and (units, classes) != (1, 2):
            raise ValueError(
                f"{what}: there are {classes} classes, but the output {name!r} of the model has {units} "
                f"unit{'s' if units > 1 else ''}."
            )


def _by_output(labels: Labels, model: ModelShape, what: str) -> Mapping[str, np.ndarray]:
    """The labels of each output."""
    names = list(model.outputs)
    if isinstance(labels, np.ndarray):
        if len(names) != 1:
            raise ValueError(
                f"{what}: one array of labels, but the model has the outputs {', '.join(names) or '-'}: give "
                "labels for each of them, by its name"
            )
        return {names[0]: labels}
    for name in labels:
        if name not in names:
            raise ValueError(
                f"{what}: labels for {name!r}, but the outputs of the model are {', '.join(names)}."
                f"{did_you_mean(name, names)}"
            )
    missing = [name for name in names if name not in labels]
    if missing:
        raise ValueError(f"{what}: there are no labels for the output {', '.join(missing)}")
    return labels


def _check_numbers(array: np.ndarray, what: str) -> None:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what}: labels must be numbers, got {array.dtype}")
    check_finite(array, f"{what}: %d labels")


def kind_of(arrays: Sequence[np.ndarray], output: Shape, name: str) -> Kind:
    """What the labels of one output are.

    Args:
        arrays: The labels of each split.
        output: The shape of one sample of the output.
        name: The output, for the error.

    Raises:
        ValueError: They are nothing that fits the output.
    """
    shape = arrays[0].shape[1:]
    are_flat, is_single = shape in ((), (1,)), output in ((), (1,))
    if any(array.shape[1:] != shape for array in arrays):
        raise ValueError(f"{name}: labels of the splits differ in shape: {[a.shape for a in arrays]}")
    if are_flat and is_single:
        return "classes" if _are_binary(arrays) else "numbers"
    if len(shape) == len(output) and fits(shape, output):
        return "yes or no" if _are_binary(arrays) else "numbers"
    if not (fits(shape, output[:-1]) or fits(shape, (*output[:-1], 1))):
        raise ValueError(
            f"{name}: labels of shape {_sizes(shape)} do not fit outputs of shape {_sizes(output)}: expected "
            f"class numbers {_sizes(output[:-1])}, or rows {_sizes(output)}"
        )
    return "classes"


def _sizes(shape: Shape) -> str:
    return f"({', '.join(['samples', *map(str, shape)])})"


def _are_binary(arrays: Sequence[np.ndarray]) -> bool:
    """Whether all are 0 or 1; floats that are all equal may be numbers to predict."""
    binary = all(((array == 0) | (array == 1)).all() for array in arrays)
    return binary and (arrays[0].dtype.kind != "f" or len(np.unique(arrays[0])) > 1)


def _converted(array: np.ndarray, kind: Kind, output: Shape, what: str) -> np.ndarray:
    if kind == "yes or no":
        return array.astype("int32")
    if kind == "numbers":
        return array.astype("float32").reshape(-1, *(array.shape[1:] or output))
    units = output[-1] if output else 1
    numbers = array.reshape(array.shape[: max(1, len(output))])
    check_class_numbers(numbers, 2 if units == 1 else units, f"{what}: output of {units} units")
    return numbers.astype("int32")

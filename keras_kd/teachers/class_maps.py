"""Members that know some of the classes, or other classes than the student's.

What a member says of its own classes is brought to all classes by Jeffrey's rule: within each of its classes,
and for the classes that it does not know, the others decide.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from keras import ops

from keras_kd.teachers.outcomes import LOWEST
from keras_kd.tensors import Tensor

# Of one member: the classes that it knows, in its order; or how much of each class belongs to its own ones.
Classes: TypeAlias = Sequence[int] | np.ndarray | None


def class_matrix(classes: Classes, units: int, name: str) -> np.ndarray | None:
    """The matrix `(member's classes, classes)` of a member; `None` if it knows all of them.

    Args:
        classes: What the user said.
        units: How many classes the member answers with.
        name: The name of the member.

    Raises:
        ValueError: It says something else than numbers of classes, or a matrix with a row for each unit.
    """
    if classes is None:
        return None
    array = np.asarray(classes)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iufb" or not array.size:
        raise ValueError(
            f"`classes` of {name!r} are the classes that it knows, such as [0, 1, 2], or a matrix (its "
            f"classes, all classes). Received: {classes!r}."
        )
    if len(array) != units:
        raise ValueError(
            f"Member {name!r} answers with {units} classes, and `classes` says of {len(array)} what they are."
        )
    if array.ndim == 1:
        return _matrix_of_indices(array, name)
    if not np.isfinite(array).all() or (array < 0).any() or not array.any():
        raise ValueError(
            f"The matrix of {name!r} in `classes` holds shares: finite, not negative, not all 0."
        )
    return array.astype("float32")


def _matrix_of_indices(indices: np.ndarray, name: str) -> np.ndarray:
    if indices.dtype.kind not in "iu" or (indices < 0).any() or len(set(indices.tolist())) < len(indices):
        raise ValueError(
            f"`classes` of {name!r} are different whole numbers from 0. Received: {indices.tolist()}."
        )
    return np.eye(int(indices.max()) + 1, dtype="float32")[indices]


def widened(matrices: dict[str, np.ndarray | None], units: dict[str, int]) -> list[np.ndarray | None]:
    """The matrices of all members, with a column for each class that any of them knows.

    Args:
        matrices: Those that `class_matrix` made, by member.
        units: How many classes each member answers with.

    Raises:
        ValueError: Members that know all classes, and differ in their number; a class that none knows.
    """
    of_all = {name: units[name] for name, matrix in matrices.items() if matrix is None}
    if len(set(of_all.values())) > 1:
        raise ValueError(
            f"Members answer with different numbers of classes: {of_all}. `classes` says which ones a member "
            "knows: classes={'NAME': [0, 1, 2]}."
        )
    mapped = {name: matrix for name, matrix in matrices.items() if matrix is not None}
    number = max([*of_all.values(), *(matrix.shape[1] for matrix in mapped.values())])
    if of_all and number > max(of_all.values()):
        raise ValueError(
            f"`classes` names class {number - 1}, and member {next(iter(of_all))!r}, which knows all of "
            f"them, answers with {max(of_all.values())}."
        )
    wide = {name: _wide(matrix, number) for name, matrix in mapped.items()}
    known = np.sum([matrix.sum(0) for matrix in wide.values()], axis=0) if not of_all else np.ones(number)
    if not known.all():
        raise ValueError(f"No member knows class {int(np.argmin(known))} of {number}: see `classes`.")
    return [wide.get(name) for name in matrices]


def _wide(matrix: np.ndarray, columns: int) -> np.ndarray:
    return np.pad(matrix, [(0, 0), (0, columns - matrix.shape[1])])


def completed(log_softmaxes: Sequence[Tensor], matrices: Sequence[np.ndarray | None]) -> list[Tensor]:
    """Log-probabilities over all classes, from those of each member over its own.

    Where no member knows all classes, a member gives nothing to those it does not know.

    Args:
        log_softmaxes: `(batch, ..., member's classes)` of each member.
        matrices: Theirs, as `widened` makes them.
    """
    of_all = [log for log, matrix in zip(log_softmaxes, matrices, strict=True) if matrix is None]
    reference = None
    if of_all:
        reference = ops.logsumexp(ops.stack(of_all), axis=0) - float(np.log(len(of_all)))
    return [
        log if matrix is None else _by_jeffrey(log, matrix, reference)
        for log, matrix in zip(log_softmaxes, matrices, strict=True)
    ]


def _by_jeffrey(log: Tensor, matrix: np.ndarray, reference: Tensor | None) -> Tensor:
    rows = np.flatnonzero(matrix.any(1))
    if len(rows) < len(matrix):  # classes that the student does not have
        log, matrix = ops.log_softmax(ops.take(log, rows, axis=-1), axis=-1), matrix[rows]
    known = ops.convert_to_tensor(matrix.any(0))
    with np.errstate(divide="ignore"):
        shares = ops.convert_to_tensor(np.log(matrix))
    if reference is not None:
        shares = shares + ops.expand_dims(reference, -2)  # (batch, ..., member's classes, classes)
    within = shares - ops.logsumexp(shares, axis=-1, keepdims=True)
    inside = ops.logsumexp(ops.expand_dims(log, -1) + within, axis=-2)
    if reference is None:
        return ops.where(known, inside, LOWEST)
    mass = ops.logsumexp(ops.where(known, reference, float("-inf")), axis=-1, keepdims=True)
    return ops.where(known, inside + mass, reference)


def filled_labels(logits: Sequence[Tensor], matrices: Sequence[np.ndarray | None]) -> list[Tensor]:
    """Logits of all labels, each a sigmoid of its own, from those of the labels that each member knows.

    A label that a member does not know gets the mean probability of those that know it.

    Args:
        logits: `(batch, ..., member's labels)` of each member.
        matrices: Theirs, of zeros and ones.
    """
    number = next(matrix.shape[1] for matrix in matrices if matrix is not None)
    known = [np.ones(number, bool) if matrix is None else matrix.any(0) for matrix in matrices]
    wide = [
        z if matrix is None else ops.take(z, matrix.argmax(0), axis=-1)
        for z, matrix in zip(logits, matrices, strict=True)
    ]
    counts = np.log(np.sum(known, axis=0)).astype("float32")
    no, yes = (
        ops.logsumexp(
            ops.stack(
                [
                    ops.where(here, ops.log_sigmoid(sign * z), float("-inf"))
                    for z, here in zip(wide, known, strict=True)
                ]
            ),
            axis=0,
        )
        - counts
        for sign in (-1, 1)
    )
    return [ops.where(here, z, yes - no) for z, here in zip(wide, known, strict=True)]

"""What an output answers: one of several classes, several labels, yes or no; or something that is no class.

One rule for everything that counts accuracy or agreement. It reads the activation behind the output, the loss
that the model was compiled with, and the labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_kd.deployment.scoring.evidence import Evidence, Kind
from keras_kd.deployment.scoring.named_outputs import NO_LABELS
from keras_kd.tensors import Tensor


@dataclass(frozen=True)
class Task:
    """What an output answers, and how answers are read from its scores.

    Args:
        kind: `"classes"`, the class with the highest score; `"labels"`, each score is a yes or no;
            `"binary"`, the only score is; `None`, nothing that could be right or wrong.
        why: why there are no answers, or no labels for them, and what to do; empty if there are both.
        certain: whether other labels than those of this task are a mistake.
        ignored: the label that does not count.
    """

    kind: Kind | None
    why: str = ""
    certain: bool = False
    ignored: int | None = None

    def answers(self, scores: np.ndarray, threshold: float) -> np.ndarray | None:
        """The answers as integers, -1 where a score is NaN; `None` for a task without."""
        if self.kind is None:
            return None
        if self.kind == "classes":
            return np.where(np.isnan(scores).any(-1), -1, scores.argmax(-1))
        answers = np.where(np.isnan(scores), -1, scores > threshold)
        return answers[..., 0] if scores.ndim > 1 and self.kind == "binary" else answers

    def truth(self, labels: Tensor | None, scores: np.ndarray) -> np.ndarray | None:
        """The labels in the same form; -1 for those that do not count; `None` without labels.

        Raises:
            ValueError: for labels that are no answers to this task.
        """
        if self.kind is None or labels is None:
            return None
        labels = np.asarray(labels)
        if self.kind == "classes":
            return _classes(labels, scores.shape, self.ignored)
        wanted = scores.shape[:-1] if scores.ndim > 1 and self.kind == "binary" else scores.shape
        fits = labels.shape == wanted or (labels.shape == (*wanted, 1) and self.kind == "binary")
        if not fits or not _are_binary(labels):
            raise ValueError(
                f"Labels of shape {labels.shape} {_span(labels)} do not fit outputs of shape {scores.shape}, "
                "each of which is a yes or no: expected 0 or 1 for each."
            )
        return (labels.reshape(wanted) > 0).astype("int64")


def possible_tasks(
    evidence: Evidence,
    labels: Tensor | None,
    scores: np.ndarray,
    *,
    asked: bool = False,
    missing: str = NO_LABELS,
) -> list[Task]:
    """What an output may answer, as its first labels say; later ones may rule out all but one.

    Args:
        evidence: what is known of it.
        labels: its labels, of one batch, or `None`.
        scores: its values for that batch, `(samples, ...)`.
        asked: whether the caller asks for an accuracy, so that doubt is settled in favor of answers.
        missing: why there are no labels, if there are none.
    """
    if not np.issubdtype(scores.dtype, np.floating):
        return [Task(None, f"the output holds {scores.dtype}, no scores: pass metric=")]
    single = scores.ndim == 1 or scores.shape[-1] == 1
    certain = evidence.kind is not None or asked
    if labels is None:
        kinds, unknown = _without_labels(evidence, single, scores, asked)
        why = f"{missing}{unknown}"
    else:
        labels = np.asarray(labels)
        find = _of_single if single else _of_several
        kinds, why = find(evidence, labels, scores), not_answers(labels, scores)
        # A task that is certain says itself what is wrong with the labels.
        kinds = kinds or ([evidence.kind or ("binary" if single else "classes")] if certain else [])
        why = "" if kinds else why
    return [Task(kind, why, certain, evidence.ignored) for kind in kinds] or [Task(None, why)]


def _without_labels(
    evidence: Evidence, single: bool, scores: np.ndarray, asked: bool
) -> tuple[list[Kind], str]:
    what = "a yes or no" if single else "one score per class"
    unknown = (
        f", and neither activation nor loss says that the output is {what}: pass labels, or "
        "metric='accuracy' if it is"
    )
    if single:
        known = evidence.kind or asked or (evidence.activation == "sigmoid" and scores.ndim < 3)
        return (["binary"], "") if known else ([], unknown)
    kind = evidence.kind or ("classes" if asked else None)
    return ([kind], "") if kind else ([], unknown)


def _of_single(evidence: Evidence, labels: np.ndarray, scores: np.ndarray) -> list[Kind]:
    rows = scores.shape[:-1] if scores.ndim > 1 else scores.shape
    if evidence.kind:
        return ["binary"]
    # Floats that are all equal are no evidence: the targets of a regression may be.
    telling = labels.dtype.kind in "biu" or evidence.activation == "sigmoid" or len(np.unique(labels)) > 1
    return ["binary"] if labels.shape in (rows, (*rows, 1)) and _are_binary(labels) and telling else []


def _of_several(evidence: Evidence, labels: np.ndarray, scores: np.ndarray) -> list[Kind]:
    if evidence.kind == "classes":
        return ["classes"]
    if labels.shape == scores.shape:
        if evidence.kind == "labels":
            return ["labels"]
        several: list[Kind] = ["labels"] if _are_binary(labels) and len(np.unique(labels)) > 1 else []
        return ["classes", *several] if _are_distributions(labels) else several
    sparse = labels.shape in (scores.shape[:-1], (*scores.shape[:-1], 1))
    fits = sparse and _are_classes(labels, scores.shape[-1], evidence.ignored)
    return ["classes"] if fits and not _are_directions(scores) else []


def _are_binary(labels: np.ndarray) -> bool:
    return bool(np.isin(labels, (0, 1)).all() or np.isin(labels, (-1, 1)).all())


def _are_distributions(labels: np.ndarray) -> bool:
    return bool((labels >= 0).all() and np.allclose(labels.sum(-1), 1, atol=1e-3))


def _are_classes(labels: np.ndarray, classes: int, ignored: int | None) -> bool:
    counted = labels[labels != ignored]
    return bool(((counted >= 0) & (counted < classes) & (counted == np.floor(counted))).all())


def _are_directions(scores: np.ndarray) -> bool:
    """Whether all vectors have length 1, as embeddings do; a softmax as sure as that is known by itself."""
    lengths = np.linalg.norm(scores.astype("float64"), axis=-1)
    return bool(np.allclose(lengths, 1, atol=2e-2) and (scores < 0).any())


def not_answers(labels: np.ndarray, scores: np.ndarray) -> str:
    """Why labels say nothing about right and wrong."""
    return (
        f"labels of shape {labels.shape} {_span(labels)} are not classes of outputs of shape {scores.shape}: "
        "pass metric=, such as 'mean_absolute_error', to measure how right they are"
    )


def _span(labels: np.ndarray) -> str:
    return f"from {labels.min():.4g} to {labels.max():.4g}" if labels.size else "without values"


def _classes(labels: np.ndarray, shape: tuple[int, ...], ignored: int | None) -> np.ndarray:
    if labels.shape == shape:
        if not _are_distributions(labels):
            raise ValueError(
                f"Labels in the shape of the outputs, {shape}, must be rows of probabilities, such as "
                f"one-hot ones. Received values {_span(labels)}, with sums {_span(labels.sum(-1))}."
            )
        return labels.argmax(-1)
    if labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != shape[:-1]:
        raise ValueError(
            f"Labels of shape {labels.shape} do not fit outputs of shape {shape}: expected class "
            f"numbers {shape[:-1]} or one-hot rows {shape}."
        )
    if not _are_classes(labels, shape[-1], ignored):
        raise ValueError(
            f"Labels must be whole numbers from 0 to {shape[-1] - 1}, as there are {shape[-1]} outputs. "
            f"Received {_span(labels)}. If the outputs are no class scores, pass another metric=."
        )
    return np.where(labels == ignored, -1, labels).astype("int64")

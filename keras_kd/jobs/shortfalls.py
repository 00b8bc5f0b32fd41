"""Why a distilled student is behind the one trained alone, as their figures on training data tell."""

from collections.abc import Mapping, Sequence

from keras_kd.jobs.histories import History, kept_epoch
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.training_files import Kind

# By how much the figures of two trainings differ before it means something: a share of the accuracy, or of
# the error.
_LEAST = 0.02
_LOW_TEMPERATURE, _HIGH_ALPHA = 1.0, 0.5


def training_score(histories: Sequence[History], task: Task, *, keeps_best: bool) -> float | None:
    """The mean score on training data with which trainings ended; `None` if it was not recorded.

    Args:
        histories: Of each seed.
        task: What the output is for.
        keeps_best: Whether the weights are those of the best epoch.
    """
    key = "_".join(filter(None, [task.name, task.measure.replace(" ", "_")]))
    found = [history[key][kept_epoch(history, keeps_best)] for history in histories if key in history]
    mean = sum(found) / len(found) if found else None
    return -mean if mean is not None and task.kind == "numbers" else mean


def explain_shortfall(
    reached: Mapping[Kind, float | None], task: Task, used: Hyperparameters, *, has_options: bool
) -> str:
    """What the training says of a distilled student that is behind, and what to try; empty without figures.

    Args:
        reached: The scores on training data of the student `"alone"` and of the one that was `"distilled"`.
        task: What the output is for.
        used: How the students were trained.
        has_options: Whether the user has a say in temperature and alpha.

    Examples:
        >>> reached: dict[Kind, float | None] = {"alone": 0.95, "distilled": 0.76}
        >>> text = explain_shortfall(reached, Task("classes"), Hyperparameters(0, 20), has_options=True)
        >>> "has not learned its teacher yet" in text, "--epochs 40" in text
        (True, True)
    """
    alone, distilled = reached["alone"], reached["distilled"]
    if alone is None or distilled is None:
        return ""
    less, figures = alone - distilled, task.figures(distilled, alone)
    labels = _more_of_the_labels(used) if has_options and task.kind != "numbers" else ""
    if less > _LEAST * (abs(alone) if task.kind == "numbers" else 1):
        epochs = f"more epochs (--epochs {2 * used.student_epochs})"
        return (
            f"On training data, too, the distilled student's {task.measure} is {figures[0]}, and "
            f"{figures[1]} alone: it has not learned its teacher yet. "
            f"Try {epochs}{f', or {labels}' if labels else ''}."
        )
    return (
        f"On training data the distilled student is no worse ({task.measure} {figures[0]}, and {figures[1]} "
        f"alone), so more epochs would not help.{f' Try {labels}.' if labels else ''}"
    )


def _more_of_the_labels(used: Hyperparameters) -> str:
    """The options that make the teacher's small scores count less, and the labels more."""
    steps = []
    if used.temperature > _LOW_TEMPERATURE and used.loss is None:
        steps.append(f"a lower temperature (--temperature {_LOW_TEMPERATURE:g})")
    if used.alpha < _HIGH_ALPHA:
        steps.append(f"more weight for the labels (--alpha {_HIGH_ALPHA:g})")
    return " with ".join(steps)

"""Why a distilled student is behind, in words that follow from the figures on training data."""

import re

import pytest

from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.shortfalls import explain_shortfall, training_score
from keras_kd.jobs.tasks import Task

USUAL = Hyperparameters(0, 20)
BEHIND = (
    r"^On training data, too, the .* accuracy is 76.00 %, and 95.00 % alone: it has not learned its teacher"
)


@pytest.mark.parametrize(
    ("distilled", "used", "has_options", "words"),
    [
        (0.76, USUAL, True, rf"{BEHIND}.*\(--epochs 40\), or a lower .* 1\) with more .* \(--alpha 0.5\)\.$"),
        (0.76, USUAL, False, rf"{BEHIND} yet\. Try more epochs \(--epochs 40\)\.$"),
        (0.76, Hyperparameters(0, 9, temperature=1.0), True, r"18\), or more weight .* \(--alpha 0.5\)\.$"),
        (
            0.76,
            Hyperparameters(0, 9, alpha=0.5),
            True,
            r"18\), or a lower temperature \(--temperature 1\)\.$",
        ),
        (0.76, Hyperparameters(0, 9, alpha=0.5, loss="dist"), True, r"more epochs \(--epochs 18\)\.$"),
        (
            0.94,
            USUAL,
            True,
            r"^On training data the .* student is no worse \(accuracy 94.00 %, and 95.00 % alone\), so more ",
        ),
        (0.97, USUAL, True, r"would not help\. Try a lower .* with more weight .*\.$"),
        (0.97, USUAL, False, r"would not help\.$"),
        (None, USUAL, True, "^$"),
    ],
)
def test_what_to_try(distilled, used, has_options, words):
    reached = {"alone": 0.95, "distilled": distilled}
    text = explain_shortfall(reached, Task("classes"), used, has_options=has_options)
    assert re.search(words, text), text


@pytest.mark.parametrize(("distilled", "behind"), [(-12.0, True), (-10.1, False)])
def test_of_errors_less_is_better(distilled, behind):
    reached = {"alone": -10.0, "distilled": distilled}
    text = explain_shortfall(reached, Task("numbers"), USUAL, has_options=True)
    assert ("not learned its teacher" in text) == behind
    assert f"{-distilled:g}" in text
    assert "temperature" not in text


@pytest.mark.parametrize(
    ("task", "keeps_best", "score"),
    [
        (Task("classes"), False, 0.8),
        (Task("classes"), True, 0.7),
        (Task("numbers", "output/age", "age"), False, -3.0),
        (Task("answers", "output/b", "b"), False, None),
    ],
)
def test_the_score_is_that_of_the_weights_that_are_kept(task, keeps_best, score):
    one = {
        "accuracy": [0.5, 0.6, 0.7],
        "val_accuracy": [0.1, 0.9, 0.2],
        "age_mean_absolute_error": [9, 5, 3],
        "val_loss": [3, 2, 1],
    }
    histories = [one, {**one, "accuracy": [0.5, 0.8, 0.9]}]
    assert training_score(histories, task, keeps_best=keeps_best) == pytest.approx(score)

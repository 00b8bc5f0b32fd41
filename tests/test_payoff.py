"""The parts of `benchmarks/payoff.py`: views, the plan, what is chosen, what is kept."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_kd.datasets import Split

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
try:
    from payoffs import plan, tables, views
    from payoffs.sets import GROUPS, open_set
    from payoffs.trainings import Trainings
finally:
    del sys.path[0]

Trial, Teaching = plan.Trial, plan.Teaching
TAUGHT = Teaching(2, 0.1)


@pytest.fixture
def split():
    rng = np.random.default_rng(0)
    return Split(rng.random((200, 6, 5, 1), "float32"), rng.integers(0, 10, 200))


@pytest.mark.parametrize("flips", [False, True])
def test_an_image_is_shifted_by_few_pixels_and_flipped(split, flips):
    marked = np.zeros((200, 5, 5, 1), "float32")
    marked[:, 2, 1] = 1
    found = views.moved(marked, np.random.default_rng(0), 1, flips)
    places = {tuple(place[1:3]) for place in np.argwhere(found)}
    columns = {0, 1, 2} | ({2, 3, 4} if flips else set())
    assert found.sum() == len(marked)
    assert places == {(row, column) for row in (1, 2, 3) for column in columns}
    assert views.moved(split.x, np.random.default_rng(0), 0, False) == pytest.approx(split.x)


@pytest.mark.parametrize("name", views.RECIPES)
def test_a_view_is_the_same_whenever_it_is_drawn(split, name):
    first, again, other = (views.view(split, views.RECIPES[name], n, 1, True) for n in (3, 3, 4))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert np.array_equal(first.images, other.images) == (name == "plain")
    assert first.labels.sum(-1) == pytest.approx(1)


def test_mixed_labels_are_shares_of_the_mixed_images(split):
    x = np.broadcast_to(split.y.reshape(-1, 1, 1, 1), split.x.shape).astype("float32")
    found = views.mixed(views.View(x, np.eye(10, dtype="float32")[split.y]), np.random.default_rng(0))
    assert found.images[:, 0, 0, 0] == pytest.approx(found.labels @ np.arange(10), abs=1e-5)
    assert np.unique(found.labels.max(-1)).size > 100  # each has a share of its own


def test_a_batch_holds_the_teachers_answers_on_its_own_pixels():
    def of_number(number):
        numbers = np.arange(6.0) + 10 * number
        return views.View(numbers, numbers)

    logits = np.stack([of_number(number).images for number in range(2)])
    found = list(views.batches(of_number, 2, 3, 2, 0, logits))
    assert all(np.array_equal(taught.inputs, taught.signals["output"]) for taught, _ in found)
    assert all(np.array_equal(taught.inputs, labels) for taught, labels in found)
    epochs = np.stack([labels for _, labels in found]).reshape(3, 6)
    assert np.array_equal(np.sort(epochs, -1), np.add.outer([0, 10, 0], np.arange(6)))
    assert not np.array_equal(epochs[0], epochs[2])
    alone = views.batches(of_number, 2, 3, 2, 0)
    assert all(np.array_equal(x, taught.inputs) for (x, _), (taught, _) in zip(alone, found, strict=True))


def test_averaged_models_answer_with_the_mean_of_their_probabilities(split):
    models = []
    for name in ("one", "two"):
        layers = [keras.Input((6, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
        models.append(keras.Sequential(layers, name=name))
    found = views.averaged(models).predict(split.x[:8], verbose=0)
    wanted = np.mean([keras.ops.softmax(model(split.x[:8])) for model in models], axis=0)
    assert np.exp(found) == pytest.approx(wanted, rel=1e-5)


def test_what_is_likely_to_win_is_trained_first():
    trials = plan.grid(GROUPS, plan.RECIPES, 20)
    assert len(trials) == len(set(trials)) == len({trial.file for trial in trials}) == 24
    first = [(trial.student, trial.recipe, bool(trial.teaching)) for trial in trials[:4]]
    assert first == [(name, "shifts", taught) for name in ("mlp", "vit") for taught in (False, True)]


@pytest.mark.parametrize(("best_alone", "recipes"), [("plain", ["plain"]), ("mixup", ["mixup", "plain"])])
def test_what_was_best_is_trained_longer(best_alone, recipes):
    trials = plan.grid([["a", "b"]], plan.RECIPES, 20)
    best = [Trial("a", best_alone, 20), Trial("a", "plain", 20, plan.USUAL["plain"])]
    found = {trial: 0.9 if trial in best else 0.8 for trial in trials}
    longer = plan.longer(found, "a", 60)
    assert longer == [trial for recipe in recipes for trial in plan.both("a", recipe, 60)]


def accuracies():
    """The student a is taught best, but longer alone it is as good; b gains most over its best."""
    a, b = Trial("a", "shifts", 20), Trial("b", "shifts", 20)
    return {
        a: 0.90,
        a._replace(teaching=TAUGHT): 0.95,
        a._replace(recipe="plain", epochs=60): 0.94,
        b: 0.80,
        b._replace(recipe="mixup"): 0.81,
        b._replace(teaching=TAUGHT): 0.83,
    }


def test_the_winner_gains_most_over_the_best_one_alone():
    found = accuracies()
    best = plan.winner(found)
    assert best == Trial("b", "shifts", 20, TAUGHT)
    assert plan.gain(found, best) == pytest.approx(0.02)
    assert plan.finalists(found, best) == [best, Trial("b", "shifts", 20), Trial("b", "mixup", 20)]
    assert len(plan.variants(best)) == 4
    assert best not in plan.variants(best)
    assert [trial.seed for trial in plan.reseeded(best, 2)] == [1, 2]  # 0 chose


def test_tables():
    found = accuracies()
    assert "| b | 1,234 | shifts | 20 | T 2, alpha 0.1 | 80.00 | 83.00 | +3.00 | +2.00 |\n" in tables.tried(
        found, {"a": 1, "b": 1234}
    )
    best = plan.winner(found)
    values = dict(zip(plan.finalists(found, best), ([0.8, 0.9], [0.79, 0.87], [0.5, 0.5]), strict=True))
    assert tables.tested(values, found).splitlines()[2:] == [
        "| b | shifts | 20 | T 2, alpha 0.1 | 85.00 ± 7.07 |  |",
        "| b | shifts | 20 | alone | 83.00 ± 5.66 | +2.00 ± 1.00 |",
        "| b | mixup | 20 | alone, best | 50.00 ± 0.00 | +35.00 ± 5.00 |",
    ]


def test_what_was_trained_is_not_trained_again(tmp_path, capsys):
    trainings = Trainings(open_set("digits", short=True), tmp_path)
    trial = Trial("mlp", "plain", 1)
    first = trainings.validated(trial)
    (path,) = tmp_path.iterdir()  # one file, and no part of another
    changed = path.stat().st_mtime_ns
    assert trainings.validated(trial) == first
    assert path.stat().st_mtime_ns == changed
    assert capsys.readouterr().err.count(trial.file.removesuffix(".json")) == 1

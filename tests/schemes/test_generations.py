"""Born-again generations and chains of assistants: each learns from the last, and a kill costs nothing."""

import keras
import pytest

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, perceptron, weights_of
from tests.training.test_full_state import Bomb, Killed

EPOCHS = 2
COMPILED = {"optimizer": keras.optimizers.Adam(0.01), "loss": cross_entropy(), "run_eagerly": True}


def run(folder, make=lambda: perceptron(5), **options):
    options = {"compile": COMPILED, "generations": 3, "seed": 1, "distiller": {"temperature": 1.0}, **options}
    fit = {"epochs": EPOCHS, "batch_size": 12, "verbose": 0}
    return kd.train_generations(make, (VECTORS, CLASSES), folder, **fit, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generations")
    return folder, run(folder)


@pytest.mark.slow
def test_each_learns_from_the_last(trained):
    """The first from labels; the others as a Distiller would."""
    _, models = trained
    keras.utils.set_random_seed(1 + 2)
    second = kd.Distiller(perceptron(5), models[0], temperature=1.0)
    second.compile(keras.optimizers.Adam(0.01), loss=cross_entropy(), run_eagerly=True)
    second.fit(VECTORS, CLASSES, epochs=EPOCHS, batch_size=12, verbose=0)
    assert distance(weights_of(second.student), weights_of(models[1])) < 1e-6
    keras.utils.set_random_seed(1 + 1)
    first = perceptron(5)
    first.compile(keras.optimizers.Adam(0.01), loss=cross_entropy(), run_eagerly=True)
    first.fit(VECTORS, CLASSES, epochs=EPOCHS, batch_size=12, verbose=0)
    assert distance(weights_of(first), weights_of(models[0])) < 1e-6


@pytest.mark.slow
def test_what_is_finished_is_only_loaded(trained):
    folder, models = trained
    assert sorted(path.name for path in folder.iterdir()) == [f"generation_{i}.keras" for i in (1, 2, 3)]
    before = [path.stat().st_mtime_ns for path in sorted(folder.iterdir())]
    again = run(folder, callbacks=[Bomb(0)])
    assert [path.stat().st_mtime_ns for path in sorted(folder.iterdir())] == before
    assert max(distance(weights_of(a), weights_of(b)) for a, b in zip(models, again, strict=True)) == 0
    assert kd.ensemble(again, names=["a", "b", "c"]).predict(VECTORS, verbose=0).shape == (24, 3)


class AtStep(Bomb):
    """Interrupts the second generation in its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch and isinstance(self.model, kd.Distiller):
            raise Killed


@pytest.mark.slow
def test_a_killed_run_ends_as_one_that_was_not(trained, tmp_path):
    _, models = trained
    with pytest.raises(Killed):
        run(tmp_path, callbacks=[AtStep(1)])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "generation_1.keras",
        "generation_2.state.npz",
    ]
    resumed = run(tmp_path)
    assert max(distance(weights_of(a), weights_of(b)) for a, b in zip(models, resumed, strict=True)) < 1e-6


def features():
    return [kd.Objective("mse", student="hidden", teacher="hidden", project=True)]


@pytest.mark.slow
def test_a_chain_of_assistants(tmp_path):
    makes = [lambda: perceptron(7), lambda: perceptron(4)]
    options = {"generations": None, "teacher": perceptron(12), "objectives": features, "distiller": None}
    models = run(tmp_path, makes, **options)
    assert [model.get_layer("hidden").units for model in models] == [7, 4]
    with pytest.raises(ValueError, match="holds another model than `make` makes"):
        run(tmp_path, [lambda: perceptron(8), lambda: perceptron(4)], **options)
    (tmp_path / "generation_1.keras").unlink()
    with pytest.raises(ValueError, match=r"holds generation_2.keras, and not generation_1.keras"):
        run(tmp_path, makes, **options)


@pytest.mark.parametrize(
    ("make", "generations"), [([], None), (perceptron, 0), ([perceptron], 2), ([3], None)]
)
def test_no_generation(make, generations, tmp_path):
    with pytest.raises(ValueError, match="`make` is a function"):
        kd.train_generations(make, VECTORS, tmp_path, compile={}, generations=generations)

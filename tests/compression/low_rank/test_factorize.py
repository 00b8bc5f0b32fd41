"""`kd.factorize`: plain models, with the outputs of the original but for what was left out."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.keras_internals import all_layers
from keras_kd.signals.listing import tap_shapes
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of, scrambled
from tests.selection import rest_slow

SMALLER = [name for name in TOPOLOGIES if name != "several_tensors"]  # in which nothing is saved


def low_rank(model):
    """The model with random kernels of rank one, so that nothing is lost by keeping that."""
    random = np.random.default_rng(3)
    for layer in all_layers(scrambled(model)):
        if type(layer) in (layers.Dense, layers.Conv2D):
            axes = [random.uniform(0.5, 1, size) for size in layer.kernel.shape]
            kernel = axes[0]
            for axis in axes[1:]:
                kernel = np.multiply.outer(kernel, axis)
            layer.kernel.assign(kernel)
    return model


@pytest.mark.parametrize("name", [name for name in SMALLER if name != "masked"])
def test_a_model_of_low_rank_keeps_its_outputs(name):
    model = low_rank(TOPOLOGIES[name]())
    small = kd.factorize(model, energy=1.0)
    x = inputs_for(model)
    for before, after in zip(outputs_of(model, x), outputs_of(small, x), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5 * max(np.abs(before).max(), 1))
    assert small.count_params() < model.count_params()


@pytest.mark.parametrize("name", SMALLER)
def test_taps_inputs_and_outputs_stay(name):
    model = TOPOLOGIES[name]()
    small = kd.factorize(model, 1)
    taps, shapes = tap_shapes(model), tap_shapes(small)
    inside = {path for path in taps if path.startswith("attention/")}  # of heads, which are smaller
    assert {path: taps[path] for path in taps.keys() - inside}.items() <= shapes.items()
    new = {path.rpartition("_")[2].partition(":")[0] for path in shapes.keys() - taps.keys()}
    assert new <= {"in", "core"}


@pytest.mark.parametrize("name", rest_slow(SMALLER, "nested"))
def test_it_is_saved_loaded_and_trained_like_any_model(name, tmp_path):
    model = scrambled(TOPOLOGIES[name]())
    small = kd.factorize(model, 1)
    small.save(tmp_path / "small.keras")
    assert b"keras_kd" not in (tmp_path / "small.keras").read_bytes()
    loaded = keras.models.load_model(tmp_path / "small.keras", safe_mode=True)
    x = inputs_for(model)
    for before, after in zip(outputs_of(small, x), outputs_of(loaded, x), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)
    loaded.compile("sgd", loss="mse", run_eagerly=name != "nested")  # tracing takes most of the time
    loaded.fit(x, keras.tree.map_structure(np.zeros_like, model(x)), verbose=0)
    moved = [
        np.abs(a - b).max() for a, b in zip(small.trainable_weights, loaded.trainable_weights, strict=True)
    ]
    assert max(moved) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_it_is_exported_like_any_model(name, tmp_path):
    model = scrambled(TOPOLOGIES[name]())
    small = kd.factorize(model, 1)
    file = kd.export(small, tmp_path / "small.tflite", allow_flex=name == "masked")
    assert kd.verify(small, file.path, inputs_for(model)).max_error < 1e-4


@pytest.mark.parametrize("name", SMALLER)
def test_the_original_is_not_changed(name):
    model = scrambled(TOPOLOGIES[name]())
    before, config = [np.asarray(v) for v in model.variables], model.get_config()
    small = kd.factorize(model, 1)
    assert model.get_config() == config
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    assert {id(v) for v in model.variables}.isdisjoint(id(v) for v in small.variables)


def test_a_shared_layer_stays_shared():
    model = low_rank(TOPOLOGIES["shared"]())
    small = kd.factorize(model, energy=1.0)
    tower = small.get_layer("tower")
    assert [layer.name for layer in tower.layers[1:]] == ["hidden_in", "hidden"]
    assert small.count_params() == 14 + 12


def test_models_stay_frozen_where_they_were():
    small = kd.factorize(scrambled(TOPOLOGIES["called_in_inference"]()), 1)
    base = small.get_layer("base")
    assert not base.trainable
    assert base.trainable_variables == []
    assert [v.path.split("/")[-2] for v in small.trainable_variables] == ["head_in", "head", "head"]


@pytest.fixture(scope="module")
def trained():
    """A small net that was trained on the digits, and some of them."""
    keras.utils.set_random_seed(0)
    x, y, _ = kd.datasets.digits().arrays["train"]
    parts = [layers.Conv2D(16, 3, activation="relu", name="conv1"), layers.BatchNormalization()]
    parts += [layers.Conv2D(24, 3, activation="relu", name="conv2"), layers.Flatten()]
    parts += [layers.Dense(32, activation="relu", name="hidden"), layers.Dense(10, name="logits")]
    model = keras.Sequential([keras.Input((8, 8, 1)), *parts])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)  # or Keras does it in a trace, and traces again
    model.fit(x, y, epochs=3, batch_size=32, verbose=0)
    return kd.recalibrate(model, x), x[:300]


def test_data_makes_the_outputs_nearer_than_without(trained):
    model, x = trained
    (outputs,) = outputs_of(model, x)

    def error(**arguments):
        small = kd.factorize(model, 0.4, method="tucker", skip="logits", **arguments)
        return np.linalg.norm(outputs_of(small, x)[0] - outputs) / np.linalg.norm(outputs)

    assert error(data=x) < 0.8 * error()


def test_stale_statistics_and_data_that_is_read_once():
    model = TOPOLOGIES["residual"]()
    x = inputs_for(model, 200)
    with pytest.warns(UserWarning, match="The BatchNorm statistics of 'norm'") as told:
        found = kd.factorize(model, 1, data=(x[i : i + 50] for i in range(0, 200, 50)))
    assert [warning.filename for warning in told if warning.category is UserWarning] == [__file__]
    fresh = kd.factorize(kd.recalibrate(model, x), 1, data=x)
    for one, other in zip(found.get_layer("conv").weights, fresh.get_layer("conv").weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_becomes_of_each_layer_is_printed_on_request(capsys):
    model = TOPOLOGIES["chain"]()
    kd.factorize(model, 1)
    assert capsys.readouterr().out == ""
    kd.factorize(model, 1, skip="head", verbose=True)
    assert capsys.readouterr().out.endswith("  head: it is skipped\n")


@pytest.mark.slow
def test_it_is_distilled_from_its_original_by_the_taps_of_before(trained):
    model, _ = trained
    x, y, _ = kd.datasets.digits().arrays["train"]
    small = kd.factorize(model, 0.25)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller = kd.Distiller(
        small,
        model,
        objectives=[kd.Objective("mse", student="conv2", teacher="conv2"), kd.losses.SoftTargets()],
    )
    distiller.compile(keras.optimizers.Adam(3e-3), loss=loss, metrics=["accuracy"])
    before = distiller.evaluate(x, y, batch_size=512, verbose=0, return_dict=True)["accuracy"]
    distiller.fit(x, y, epochs=2, verbose=0)
    assert distiller.evaluate(x, y, batch_size=512, verbose=0, return_dict=True)["accuracy"] > before + 0.05

"""Private names of Keras, each used on real objects: a release that has changed one fails here, by its name.

`USES` has a line for every public name of `keras_kd/keras_internals.py`: a private name behind it, and a use
that returns whether it still works.
"""

import ast
import functools
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "keras_kd" / "keras_internals.py"
TREE = ast.parse(SOURCE.read_text())
X, Y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")


def advice(private: str, name: str, problem: str) -> str:
    return (
        f"Keras {keras.__version__} has changed its private `{private}`, so `{name}` in "
        f"keras_kd/keras_internals.py needs a new way ({problem})."
    )


class Use(NamedTuple):
    private: str
    works: Callable[[Any], Any]  # takes the module keras_internals


def check(name: str, use: Use, internals: object) -> None:
    try:
        problem = "" if use.works(internals) else "another result than before"
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        pytest.fail(advice(use.private, name, problem))


# Objects that hold what the private names are of.


def functional() -> keras.Model:
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((2,), name="b")}
    hidden = layers.Add(name="add")([inputs["a"], inputs["b"]])
    return keras.Model(inputs, {"out": layers.Dense(1, name="head")(hidden)})


def sequential() -> keras.Sequential:
    return keras.Sequential([keras.Input((2,)), layers.Dense(1, name="head")])


def compiled(optimizer: object = "sgd", **arguments: object) -> keras.Sequential:
    model = sequential()
    model.compile(optimizer, loss="mse", **arguments)
    return model


def frozen_norm() -> keras.layers.Layer:
    norm = layers.BatchNormalization()
    norm.build((None, 2))
    norm.trainable = False
    return norm


def names(variables: list[keras.Variable]) -> list[str]:
    return [variable.name for variable in variables]


def nested() -> keras.layers.Layer:
    return layers.TimeDistributed(keras.Sequential([layers.Dense(1, name="inside")], name="inner"))


def mask_is_found(k: Any) -> bool:
    """What a layer of Keras attached."""
    found = k.mask_of(layers.Masking(0.0)(np.array([[[1.0], [0.0]]])))
    return k.mask_of(tf.constant(X)) is None and found.numpy().tolist() == [[True, False]]


def mask_is_read(k: Any) -> bool:
    """What was attached is what layers average over."""
    tensor = tf.constant([[[1.0], [5.0]]])
    k.attach_mask(tensor, tf.constant([[True, False]]))
    return float(layers.GlobalAveragePooling1D()(tensor)[0, 0]) == 1.0


def maker(k: Any) -> bool:
    model = functional()
    (symbol,) = model.outputs
    layer, node = k.maker_of(symbol)
    first, start = k.maker_of(model.inputs[0])
    is_input = first.name in "ab" and (start is None or start.is_input)
    return layer.name == "head" and node.operation is layer and node.input_tensors and is_input


def loss_is_unscaled(k: Any) -> bool:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        return float(k.unscaled(tf.constant(1.5))) == 3.0 and float(k.unscaled(tf.constant(1.5))) != 1.5


def reductions(k: Any) -> bool:
    values, weights = np.array([1.0, 3.0], "float32"), np.array([1.0, 0.0], "float32")
    found = [k.reduced(values, None, kind, "float32") for kind in ("sum_over_batch_size", "sum", None)]
    weighted = k.reduced(values, weights, "sum", "float32")
    return (
        float(found[0]) == 2 and float(found[1]) == 4 and np.array_equal(found[2], values) and weighted == 1
    )


def generator_is_global(k: Any) -> bool:
    keras.utils.set_random_seed(7)
    before = np.array(k.global_generator().state)
    keras.random.uniform((1,))
    return not np.array_equal(before, k.global_generator().state)


def epoch_of_fit(k: Any) -> bool:
    class Begin(keras.callbacks.Callback):
        def on_train_begin(self, logs: object = None) -> None:
            k.begin_at(self.model, 2)

    return compiled().fit(X, Y, epochs=3, verbose=0, callbacks=[Begin()]).epoch == [2]


def built_on_batch(k: Any) -> bool:
    model = compiled("adam", metrics=["mae"])
    before = model.get_weights()
    k.build_on_batch(model, (tf.constant(X), tf.constant(Y)))
    same = all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return model.optimizer.built and len(model.metrics_variables) > 2 and same


def metrics_of_attributes(k: Any) -> bool:
    model = compiled(metrics=["mae"])
    model.accuracy = keras.metrics.Mean(name="mine")
    return [metric.name for metric in k.own_metrics(model) if metric.name != "loss"] == ["mine"]


def averaged(k: Any) -> bool:
    with_average, without = (
        compiled(keras.optimizers.SGD(0.1, use_ema=use), jit_compile=False) for use in (True, False)
    )
    variable = with_average.trainable_variables[0]
    unbuilt = k.moving_average(with_average.optimizer, variable) is None
    with_average.fit(X, Y, verbose=0)
    found = k.moving_average(with_average.optimizer, variable)
    return unbuilt and found.shape == variable.shape and not k.moving_average(without.optimizer, variable)


def steps(k: Any) -> bool:
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    compiled(optimizer, jit_compile=False).fit(X, Y, batch_size=1, verbose=0)
    return (k.optimizer_steps(optimizer), int(optimizer.iterations), k.optimizer_steps(None)) == (4, 2, 0)


def told_by_fit(k: Any) -> bool:
    """`fit` passes an argument to `evaluate`, by which it is told from a call of the user's own."""
    told = []

    class Told(keras.Sequential):
        def evaluate(self, *args: Any, **options: Any) -> Any:
            told.append(k.WITHIN_FIT in options)
            return super().evaluate(*args, **options)

    model = Told([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, validation_data=(X, Y), verbose=0)
    model.evaluate(X, Y, verbose=0)
    return told == [True, False]


def callback_attributes(k: Any) -> bool:
    callback = keras.callbacks.Callback()
    callback.set_params({"epochs": 1})
    callback.set_model(sequential())
    return set(vars(callback)) == set(k.CALLBACK_ATTRIBUTES)


def replaced_methods(k: Any) -> bool:
    """Methods that are replaced on a layer run in place of its own."""
    called = []

    def note(layer: keras.layers.Layer, method: str) -> None:
        own = getattr(layer, method)
        layer.__dict__[method] = lambda *args, **kwargs: called.append(method) or own(*args, **kwargs)

    plain, quantized = layers.Dense(2), layers.Dense(2)
    quantized.build((None, 2))
    quantized.quantize("int8")
    for layer in (plain, quantized):
        for method in k.CALL_METHODS:
            note(layer, method)
        layer(X)
    return called[0] == "call" and "quantized_call" in called


def mask_method(k: Any) -> bool:
    layer, called = layers.Embedding(3, 2, mask_zero=True), []
    own = getattr(layer, k.MASK_METHOD)
    layer.__dict__[k.MASK_METHOD] = lambda inputs, outputs, *masks: (
        called.append(k.mask_of(outputs)),
        own(inputs, outputs, *masks),
        called.append(k.mask_of(outputs)),
    )
    layer(np.array([[1, 0]]))
    return called[0] is None and called[1].numpy().tolist() == [[True, False]]


@functools.cache
def hooks_that_ran(internals: Any) -> tuple[set[str], keras.Model]:
    """Train a model whose hooks note that they were called."""
    ran = set()

    class Noting(internals.TrainedModel):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1, kernel_regularizer="l2")

        def call(self, x: Any) -> Any:
            return self.dense(x)

    def noting(hook: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            ran.add(hook)
            return getattr(super(Noting, self), hook)(*args, **kwargs)

        return method

    for hook in HOOKS:
        setattr(Noting, hook, noting(hook))
    model = Noting()
    model.compile("sgd", loss="mse", jit_compile=False)
    model.fit(X, Y, verbose=0)
    internals.build_on_batch(model, (tf.constant(X), tf.constant(Y)))  # `fit` does it under a strategy
    return ran, model


# The methods of TrainedModel that Keras has to call, and what calls them.
HOOKS = {
    "adapt_step": "_make_function",
    "adapt_batch": "_symbolic_build",
    "logs_of_epoch": "_get_metrics_result_or_logs",
    "build_under_strategy": "_maybe_symbolic_build",
    "check_compiled": "_assert_compile_called",
}


def trained(k: Any) -> keras.Model:
    return hooks_that_ran(k)[1]


def compiled_is_required(k: Any) -> bool:
    trained(k).require_compiled("fit")
    with pytest.raises(ValueError, match="compile"):
        k.TrainedModel().require_compiled("fit")
    return True


def metrics_are_new_until_a_batch(k: Any) -> bool:
    model = type(trained(k))()
    found = [model.has_new_metrics]
    model.compile("sgd", loss="mse", metrics=["mae"])
    found.append(model.has_new_metrics)
    k.build_on_batch(model, (tf.constant(X), tf.constant(Y)))
    return [*found, model.has_new_metrics] == [False, True, False]


def checkpoint_is_hooked(k: Any) -> bool:
    saved = []

    class Noting(k.HookedCheckpoint):
        def save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
            saved.append((epoch, "loss" in logs))

    compiled().fit(X, Y, epochs=2, verbose=0, callbacks=[Noting("model.keras")])
    return saved == [(0, True), (1, True)]


USES = {
    "PARTS_OF_MODELS": Use("Node", lambda k: isinstance(k.nodes_of(functional())[0], k.PARTS_OF_MODELS)),
    "TRACKED": Use("TrackedDict", lambda k: [kind.__base__ for kind in k.TRACKED] == [dict, list, set]),
    "child_layers": Use("_layers", lambda k: [x.name for x in k.child_layers(nested())] == ["inner"]),
    "all_layers": Use(
        "_flatten_layers", lambda k: [x.name for x in k.all_layers(nested())][1:] == ["inner", "inside"]
    ),
    "own_trainable_variables": Use(
        "_trainable_variables",
        lambda k: names(k.own_trainable_variables(frozen_norm())) == ["gamma", "beta"],
    ),
    "hidden_argument": Use(
        "_output_shape",
        lambda k: k.hidden_argument(keras.layers.Lambda(abs, output_shape=(3,)), "output_shape") == (3,),
    ),
    "own_untrainable_variables": Use(
        "_non_trainable_variables",
        lambda k: names(k.own_untrainable_variables(frozen_norm())) == ["moving_mean", "moving_variance"],
    ),
    "own_seed_generators": Use(
        "_seed_generators",
        lambda k: [g.state.shape for g in k.own_seed_generators(layers.Dropout(0.5))] == [(2,)],
    ),
    "takes_training": Use(
        "_call_has_training_arg",
        lambda k: k.takes_training(layers.Dropout(0.5)) and not k.takes_training(layers.ReLU()),
    ),
    "dropout_of": Use(
        "_dropout", lambda k: k.dropout_of(layers.MultiHeadAttention(1, 2, dropout=0.25)) == 0.25
    ),
    "layer_family": Use(
        "keras.src.layers",
        lambda k: (
            [k.layer_family(layer) for layer in (layers.MaxPooling2D(), layers.ReLU(), sequential())]
            == ["pooling", "activations", None]
        ),
    ),
    "is_of_keras": Use(
        "keras.src",
        lambda k: (
            all(map(k.is_of_keras, (keras.losses.mean_squared_error, layers.Dense, layers.Dense(1))))
            and not any(map(k.is_of_keras, (check, Use, tf.nn.relu, 3)))
        ),
    ),
    "mask_of": Use("get_keras_mask", mask_is_found),
    "attach_mask": Use("set_keras_mask", mask_is_read),
    "logits_behind": Use(
        "_keras_logits",
        lambda k: (
            np.array_equal(k.logits_behind(keras.activations.softmax(tf.constant(X))), X)
            and np.array_equal(k.logits_behind(keras.activations.sigmoid(tf.constant(X))), X)
            and k.logits_behind(tf.constant(X)) is None
        ),
    ),
    "output_spec": Use(
        "compute_output_spec",
        lambda k: (
            k.output_spec(lambda x: keras.ops.sum(x, -1), keras.KerasTensor((None, 3))).shape == (None,)
        ),
    ),
    "functional_of": Use(
        "_functional",
        lambda k: (
            [x.name for x in k.functional_of(sequential()).layers][1:] == ["head"]
            and k.functional_of(model := functional()) is model
            and k.functional_of(keras.Sequential([layers.Dense(1)])) is None
            and k.functional_of(keras.Model()) is None
        ),
    ),
    "runs_as_wired": Use(
        "Functional.call",
        lambda k: (
            k.runs_as_wired(functional())
            and k.runs_as_wired(sequential())
            and not k.runs_as_wired(keras.Model())
        ),
    ),
    "nodes_of": Use(
        "_nodes_by_depth",
        lambda k: [node.operation.name for node in k.nodes_of(functional())] == ["add", "head"],
    ),
    "input_structure": Use("_inputs_struct", lambda k: sorted(k.input_structure(functional())) == ["a", "b"]),
    "output_structure": Use("_outputs_struct", lambda k: list(k.output_structure(functional())) == ["out"]),
    "maker_of": Use("_keras_history", maker),
    "calls_of": Use(
        "_inbound_nodes",
        lambda k: [node.operation.name for node in k.calls_of(functional().get_layer("head"))] == ["head"],
    ),
    "unscaled": Use("unscale_loss_for_distribution", loss_is_unscaled),
    "reduced": Use("reduce_weighted_values", reductions),
    "global_generator": Use("global_seed_generator", generator_is_global),
    "compiled_metrics": Use(
        "_compile_metrics",
        lambda k: (
            k.compiled_metrics(compiled()) == {}
            and k.compiled_metrics(compiled(metrics=["mae"], weighted_metrics=["mse"]))
            == {"metrics": ["mae"], "weighted_metrics": ["mse"]}
        ),
    ),
    "own_metrics": Use("_metrics", metrics_of_attributes),
    "strategy_of": Use("_distribute_strategy", lambda k: k.strategy_of(sequential()) is None),
    "build_on_batch": Use("_symbolic_build", built_on_batch),
    "begin_at": Use("_initial_epoch", epoch_of_fit),
    "optimizer_steps": Use("_iterations", steps),
    "moving_average": Use("_model_variables_moving_average", averaged),
    "WITHIN_FIT": Use("_use_cached_eval_dataset", told_by_fit),
    "CALLBACK_ATTRIBUTES": Use("_model", callback_attributes),
    "CALL_METHODS": Use("quantized_call", replaced_methods),
    "MASK_METHOD": Use("_set_mask_metadata", mask_method),
    "HookedCheckpoint.save_model": Use("_save_model", checkpoint_is_hooked),
    "TrainedModel.require_compiled": Use("_assert_compile_called", compiled_is_required),
    "TrainedModel.has_new_metrics": Use("_compile_metrics", metrics_are_new_until_a_batch),
    "compiled_loss": Use(
        "_compile_loss", lambda k: float(k.compiled_loss(trained(k))(tf.constant(Y), tf.constant(Y + 2))) == 4
    ),
    "compiled_loss_weights": Use(
        "_user_loss_weights",
        lambda k: (
            k.compiled_loss_weights(compiled(loss_weights=0.5)) == 0.5
            and k.compiled_loss_weights(compiled()) is None
            and k.compiled_loss_weights(sequential()) is None
        ),
    ),
    "total_tracker": Use("_loss_tracker", lambda k: k.total_tracker(trained(k)).name == "loss"),
    "TrainedModel.additional_losses": Use(
        "_aggregate_additional_loss",
        lambda k: [float(loss) for loss in trained(k).additional_losses([tf.constant([1.0, 2.0])])] == [3.0],
    ),
} | {
    f"TrainedModel.{hook}": Use(private, lambda k, hook=hook: hook in hooks_that_ran(k)[0])
    for hook, private in HOOKS.items()
}


def public_names() -> list[str]:
    """What keras_internals.py offers: functions, constants, and the methods of its classes."""
    found = []
    for node in TREE.body:
        if isinstance(node, ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [ast.unparse(target) for target in targets]
        elif isinstance(node, ast.ClassDef):
            methods = (part.name for part in node.body if isinstance(part, ast.FunctionDef))
            found += [f"{node.name}.{name}" for name in methods if not name.startswith("_")]
    return [name for name in found if not name.startswith("_")]


IMPORTS = [
    (node.module, alias.name)
    for node in TREE.body
    if isinstance(node, ast.ImportFrom) and ".src" in str(node.module)
    for alias in node.names
]


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_what_is_imported_from_inside_of_Keras_is_there(module, name):
    try:
        getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        pytest.fail(advice(f"{module}.{name}", "import", str(error)))


@pytest.mark.parametrize("name", USES)
def test_a_private_name_of_Keras_does_what_is_expected(name):
    check(name, USES[name], importlib.import_module("keras_kd.keras_internals"))


def test_every_name_of_keras_internals_has_a_use():
    missing = sorted(set(public_names()) - set(USES))
    assert not missing, f"Add lines to USES in tests/test_keras_internals.py for {missing}."
    gone = sorted(set(USES) - set(public_names()))
    assert not gone, f"keras_internals.py no longer has {gone}: remove their lines from USES."


@pytest.mark.parametrize(
    ("works", "problem"),
    [(lambda k: [].no_such, "AttributeError: .* 'no_such'"), (lambda k: False, "another result than before")],
)
def test_a_name_that_Keras_has_changed_is_reported_with_the_function_to_repair(works, problem):
    with pytest.raises(pytest.fail.Exception) as failure:
        check("child_layers", Use("_layers", works), None)
    failure.match(
        rf"Keras {keras.__version__} has changed its private `_layers`, so `child_layers` .*needs.*{problem}"
    )


@functools.cache
def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "benchmarks" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_other_file_uses_a_private_name_of_Keras():
    counted = {row.name: row for row in house().private_names(house().read(ROOT / "keras_kd"))}
    uses = counted[house().PRIVATE].places
    elsewhere = [place for place in uses if not place.startswith("keras_kd/keras_internals.py:")]
    assert uses != elsewhere  # they are found
    assert not elsewhere, "Put these behind functions of keras_internals.py:\n" + "\n".join(elsewhere)

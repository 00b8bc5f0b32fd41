"""kd.tfmot.Distiller: every kind of student learns from every teacher, as kd.Distiller would teach it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from tests.selection import rest_slow
from tests.tfmot.students import (
    HOLDS,
    NAMES,
    TEACHERS,
    WRAPPED,
    X,
    Y,
    callbacks,
    cross_entropy,
    kernels,
    network,
    pruned,
    stripped,
    student,
)

TOKENS = np.where(np.arange(5) < 3, np.random.default_rng(0).integers(1, 9, (24, 5)), 0)


def weights_of(model):
    return [np.array(weight) for weight in model.weights]


def gap(one, two):
    return max(float(np.abs(a - b).max()) for a, b in zip(one, two, strict=True))


def compiled(distiller, **options):
    distiller.compile(
        options.pop("optimizer", "adam"), **{"loss": cross_entropy(), "metrics": ["accuracy"], **options}
    )
    return distiller


def objectives():
    return [
        kd.Objective("soft_targets", weight=0.5),
        kd.Objective("mse", student="hidden", teacher="hidden", project=True, name="hint"),
    ]


# How the student is wrapped and which Keras its teacher is of are apart in the code: one teacher for each.
@pytest.mark.parametrize("kind", rest_slow(list(WRAPPED), "pruned"))
def test_a_wrapped_student_learns_and_keeps_its_promise(kind):
    teacher = TEACHERS["keras" if kind in ("pruned", "QAT", "CQAT") else "tf_keras"]()
    model = WRAPPED[kind]()
    before, taught = weights_of(model), weights_of(teacher)
    distiller = compiled(kd.tfmot.Distiller(model, teacher, objectives()), run_eagerly=True)
    history = distiller.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks(kind)).history
    assert list(history) == ["loss", "student_loss", "soft_targets", "hint", "accuracy"]
    assert history["loss"][1] < history["loss"][0]
    assert gap(before, weights_of(model)) > 0
    assert gap(taught, weights_of(teacher)) == 0
    found = kernels(stripped(kind, model))
    assert list(found) == NAMES
    assert {name: HOLDS[kind](kernel) for name, kernel in found.items()} == dict.fromkeys(NAMES, True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"jit_compile": True}, {"steps_per_execution": 3}, {}], ids=str)
def test_compiled_steps_do_what_eager_ones_do(options):
    found = []
    for how in ({"run_eagerly": True}, options):
        keras.utils.set_random_seed(0)
        distiller = compiled(kd.tfmot.Distiller(pruned(), TEACHERS["keras"](), objectives()), **how)
        logs = distiller.fit(
            X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=callbacks("pruned")
        )
        found.append((weights_of(distiller), logs.history))
    assert gap(found[0][0], found[1][0]) < 1e-5
    assert {name: pytest.approx(values, abs=1e-5) for name, values in found[0][1].items()} == found[1][1]


PLAIN = {"plain": student, **{kind: WRAPPED[kind] for kind in ("pruned", "clustered", "QAT")}}


@pytest.mark.parametrize("kind", rest_slow(list(PLAIN), "plain"))
def test_an_objective_without_weight_changes_nothing(kind):
    alone, taught = PLAIN[kind](), PLAIN[kind]()
    distiller = kd.tfmot.Distiller(taught, TEACHERS["keras"](), [kd.Objective("mse", weight=0.0)])
    for model in (alone, distiller):
        model.compile("adam", loss=cross_entropy(), run_eagerly=True)
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=callbacks(kind))
    assert gap(weights_of(alone), weights_of(taught)) == 0


def of_tokens(name):
    inputs = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(9, 4, mask_zero=True, name="embedding")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(x), name=name)


def two_outputs(name):
    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, "relu", kernel_regularizer="l2", name="hidden")(inputs)
    heads = {"a": keras.layers.Dense(3, name="a")(x), "b": keras.layers.Dense(1, name="b")(x)}
    return keras.Model(inputs, heads, name=name)


def mlp(name):
    return network(keras, 4 if name == "student" else 9, name)


def sparse(library):
    return library.losses.SparseCategoricalCrossentropy(from_logits=True)


# What is trained, on what, and with which objectives.
SAME = {
    "blend": (mlp, None, {"y": Y}),
    "projection": (mlp, objectives, {"y": Y}),
    "relations": (mlp, lambda: [kd.Objective("similarity_preserving", weight=3.0)], {"y": Y}),
    "a weight": (
        mlp,
        lambda: [kd.Objective(lambda t, s: abs(t[:1] - s[:1]), student="head/bias", teacher="head/bias")],
        {"y": Y},
    ),
    "sample weights": (mlp, objectives, {"y": Y, "sample_weight": np.linspace(0, 2, 24, dtype="float32")}),
    "masks": (of_tokens, None, {"x": TOKENS, "y": TOKENS % 3}),
    "no labels": (mlp, objectives, {}),
    "two outputs": (
        two_outputs,
        lambda: [kd.Objective("soft_targets", student="output/a", teacher="output/a")],
        {"y": {"a": Y, "b": X[:, :1]}},
    ),
}


def one_step(make, model, teacher, terms, data, library):
    keras.utils.set_random_seed(5)  # projections are made now
    distiller = make(model, teacher, terms and terms())
    losses = {"a": sparse(library), "b": "mse"} if isinstance(data.get("y"), dict) else sparse(library)
    losses = losses if "y" in data else None
    distiller.compile(library.optimizers.SGD(0.5), loss=losses, run_eagerly=True)
    history = distiller.fit(**{"x": X, **data}, batch_size=24, shuffle=False, verbose=0).history
    return distiller, history


@pytest.mark.slow
@pytest.mark.parametrize("case", SAME)
def test_one_step_is_that_of_the_distiller_of_keras_3(case):
    build, terms, data = SAME[case]
    teacher, twin = build("teacher"), build("student")
    model = kd.tfmot.to_tf_keras(twin)
    ours, logs = one_step(kd.tfmot.Distiller, model, teacher, terms, data, tf_keras)
    theirs, expected = one_step(kd.Distiller, twin, teacher, terms, data, keras)
    assert {name: pytest.approx(value, abs=1e-5) for name, value in expected.items()} == logs
    assert gap(model.get_weights(), twin.get_weights()) < 1e-5
    assert len(ours.weights) == len(theirs.weights)
    for mine, other in zip(ours.objectives, theirs.objectives, strict=True):
        assert not mine.weights or gap(mine.get_weights(), other.get_weights()) < 1e-5


@pytest.mark.parametrize(
    "make",
    [pytest.param(kd.Distiller, marks=pytest.mark.slow), lambda *given: kd.tfmot.Distiller(*given)],
    ids=["kd", "tfmot"],
)
def test_a_teacher_of_either_keras_teaches_the_same(make):
    logs, library = [], keras if make is kd.Distiller else tf_keras
    twin = mlp("teacher")
    for teacher in (twin, kd.tfmot.to_tf_keras(twin)):
        tf_keras.utils.set_random_seed(0)
        keras.utils.set_random_seed(0)
        model = network(library, 4, "student")
        logs.append(one_step(make, model, teacher, objectives, {"y": Y}, library)[1])
    assert {name: pytest.approx(value, abs=1e-5) for name, value in logs[0].items()} == logs[1]


class Doubled(tf_keras.layers.Layer):
    """Has control flow of Python on a tensor, which only a converted function may."""

    def call(self, inputs):
        if tf.reduce_sum(inputs) > 1e9:
            return inputs
        return 2 * inputs


@pytest.mark.slow
@pytest.mark.parametrize("tapped", ["doubled", "hidden"])
def test_layers_with_control_flow_train_and_are_tapped(tapped):
    def doubling(name):
        inputs = tf_keras.Input((6,))
        x = Doubled(name="doubled")(tf_keras.layers.Dense(4, name="hidden")(inputs))
        return tf_keras.Model(inputs, tf_keras.layers.Dense(3)(x), name=name)

    terms = [kd.Objective("mse", student=tapped, teacher=tapped, name="hint")]
    distiller = compiled(kd.tfmot.Distiller(doubling("student"), doubling("teacher"), terms))
    assert distiller.fit(X, Y, verbose=0).history["hint"][0] > 0


def nested():
    backbone = network(tf_keras, 8, "backbone")
    inputs = tf_keras.Input((6,))
    outputs = tf_keras.layers.Dense(3, name="top")(backbone(inputs))
    return tf_keras.Model(inputs, outputs, name="student")


@pytest.mark.slow
def test_a_nested_student_is_tapped_pruned_and_stripped():
    schedule = kd.tfmot.import_tfmot().sparsity.keras.ConstantSparsity(0.5, 0, frequency=1)
    model = kd.tfmot.prune_low_magnitude(nested(), schedule)
    assert kd.tap_names(model) == ["backbone/hidden", "backbone/head", "backbone", "top"]
    taps = ["backbone/hidden", "backbone/prune_low_magnitude_hidden"]  # one layer, by both of its names
    terms = [
        kd.Objective("mse", student=tap, teacher="hidden", name=f"hint{i}") for i, tap in enumerate(taps)
    ]
    teacher = network(keras, 8, "teacher")
    distiller = compiled(kd.tfmot.Distiller(model, teacher, terms), run_eagerly=True)
    logs = distiller.fit(X, Y, batch_size=8, verbose=0, callbacks=callbacks("pruned")).history
    assert logs["hint0"] == logs["hint1"]
    bare = kd.tfmot.strip_pruning(distiller.student)
    assert [layer.name for layer in bare.layers[1:]] == ["backbone", "top"]
    assert [np.mean(w == 0) for w in bare.get_weights() if w.ndim == 2] == [0.5, 0.5, 5 / 9]  # of 9 weights


@pytest.mark.slow
def test_a_pruned_teacher_is_left_alone_by_the_callbacks(tmp_path):
    pytest.importorskip("tensorboard")
    teacher = pruned()
    sparsity = kd.tfmot.import_tfmot().sparsity.keras
    distiller = compiled(kd.tfmot.Distiller(pruned(), teacher), run_eagerly=True)
    used = [sparsity.UpdatePruningStep(), sparsity.PruningSummaries(str(tmp_path))]
    before = weights_of(teacher)
    distiller.fit(X, Y, batch_size=8, verbose=0, callbacks=used)
    assert gap(before, weights_of(teacher)) == 0
    assert [int(layer.pruning_step) for layer in used[0].prunable_layers] == [3, 3]
    assert all(layer in distiller.student.layers for layer in used[0].prunable_layers)
    assert list(tmp_path.rglob("events.*"))


@pytest.mark.slow
def test_what_a_callback_does_to_the_teacher_stays_and_a_new_teacher_teaches():
    inputs = tf_keras.layers.Input(batch_shape=(8, 6))
    x = tf_keras.layers.BatchNormalization(name="norm")(tf_keras.layers.Reshape((3, 2))(inputs))
    rnn = tf_keras.layers.GRU(4, stateful=True)
    teacher = tf_keras.Model(inputs, tf_keras.layers.Dense(3)(rnn(x)))
    mean = teacher.get_layer("norm").moving_mean
    second = TEACHERS["keras"]()

    class Act(tf_keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            states.append(float(np.abs(rnn.states[0]).max()))

        def on_epoch_end(self, epoch, logs=None):
            mean.assign(mean + 1)
            rnn.reset_states(np.full((8, 4), 0.5, "float32"))
            self.model.teacher = second

    states = []
    distiller = kd.tfmot.Distiller(student(), teacher, [kd.losses.LogitsMSE()])
    compiled(distiller, optimizer=tf_keras.optimizers.SGD(0.0), run_eagerly=True)
    data = np.tile(X[:8], (2, 1))
    losses = distiller.fit(data, np.tile(Y[:8], 2), batch_size=8, epochs=2, verbose=0, callbacks=[Act()])
    assert np.asarray(mean).tolist() == [2, 2]
    assert states == [0, 0, 0.5, 0.5]
    wanted = np.mean((np.asarray(second(data)) - np.asarray(distiller.student(data))) ** 2)
    np.testing.assert_allclose(losses.history["logits_mse"][1], wanted, rtol=1e-5)


def test_weights_without_labels_are_refused():
    """tf_keras drops them, in `train_on_batch` too."""
    student = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3)])
    teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    distiller = kd.tfmot.Distiller(student, teacher, ["mse"])
    distiller.compile("sgd", run_eagerly=True)
    for train in (distiller.fit, distiller.train_on_batch):
        with pytest.raises(ValueError, match="`sample_weight` without `y`"):
            train(np.ones((2, 4)), sample_weight=np.ones(2))


@pytest.mark.slow
def test_evaluate_and_predict_are_the_students():
    model, teacher = student(), TEACHERS["keras"]()
    distiller = compiled(kd.tfmot.Distiller(model, teacher), run_eagerly=True)
    model.compile(loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    assert distiller.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert np.array_equal(distiller.predict(X, verbose=0), model.predict(X, verbose=0))
    taught = kd.Taught(X, {"output": np.zeros((24, 3), "float32")})
    alone = compiled(kd.tfmot.Distiller(model), run_eagerly=True)
    logs = alone.fit(taught, Y, validation_data=(X, Y), verbose=0).history
    assert list(logs) == ["loss", "student_loss", "soft_targets", "accuracy", "val_loss", "val_accuracy"]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["all.weights.h5", "all.h5", "checkpoint"])
def test_weights_are_saved_with_the_projections_and_without_the_teacher(file, tmp_path):
    made = [compiled(kd.tfmot.Distiller(pruned(), TEACHERS["keras"](), objectives())) for _ in range(2)]
    assert len(made[0].weights) == 4 + 2 * 3 + 2  # of layers; masks, thresholds and steps; of the projection
    made[0].set_weights([weight + 1 for weight in made[0].get_weights()])
    made[0].save_weights(tmp_path / file)
    made[1].load_weights(tmp_path / file)
    assert gap(weights_of(made[0]), weights_of(made[1])) == 0
    for one, two in zip(*(distiller.objectives[1].weights for distiller in made), strict=True):
        assert np.array_equal(one, two)
    with pytest.raises(NotImplementedError, match=r"distiller\.student"):
        made[0].save(tmp_path / "all.keras")


@pytest.mark.slow
def test_callbacks_of_tf_keras_follow_the_students_figures(tmp_path):
    distiller = compiled(kd.tfmot.Distiller(student(), TEACHERS["keras"](), objectives()), run_eagerly=True)
    path = str(tmp_path / "best.weights.h5")
    used = [
        tf_keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_best_only=True),
        tf_keras.callbacks.EarlyStopping("val_loss", min_delta=1e9, patience=1),
    ]
    history = distiller.fit(X, Y, validation_data=(X, Y), epochs=5, verbose=0, callbacks=used)
    assert len(history.epoch) == 2
    distiller.load_weights(path)
    assert distiller.evaluate(X, Y, verbose=0)[0] == pytest.approx(min(history.history["val_loss"]))


@pytest.mark.slow
def test_mixed_precision_scales_the_loss():
    inputs = tf_keras.Input((6,))
    x = tf_keras.layers.Dense(8, "relu", dtype="mixed_float16", name="hidden")(inputs)
    model = tf_keras.Sequential([tf_keras.Input((6,)), tf_keras.Model(inputs, x), tf_keras.layers.Dense(3)])
    distiller = compiled(kd.tfmot.Distiller(model, TEACHERS["keras"]()), optimizer=scaled(), run_eagerly=True)
    before = weights_of(model)
    assert np.isfinite(distiller.fit(X, Y, verbose=0).history["loss"]).all()
    assert gap(before, weights_of(model)) > 0


def scaled():
    return tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.SGD(0.1))


@pytest.mark.slow
def test_a_student_that_is_subclassed_is_built_by_the_first_batch():
    class Deferred(tf_keras.Model):
        def __init__(self):
            super().__init__(name="student")
            self.hidden, self.head = tf_keras.layers.Dense(4, "relu"), tf_keras.layers.Dense(3)

        def call(self, x):
            return self.head(self.hidden(x))

    model = Deferred()
    distiller = compiled(kd.tfmot.Distiller(model, TEACHERS["keras"](), objectives()), run_eagerly=True)
    assert "hint" in distiller.fit(X, Y, verbose=0).history
    assert len(distiller.trainable_weights) == 4 + 2


def distiller(model=None, teacher=None, **options):
    return kd.tfmot.Distiller(model or student(), teacher or TEACHERS["keras"](), **options)


def fitted(made, *data, **options):
    return made.fit(*(data or (X, Y)), verbose=0, **options)


REFUSED = {
    "a student of Keras 3": (
        lambda: kd.tfmot.Distiller(mlp("student"), mlp("teacher")),
        TypeError,
        r"kd\.tfmot\.to_tf_keras",
    ),
    "no model": (lambda: kd.tfmot.Distiller("student"), TypeError, r"takes a tf_keras\.Model"),
    "kd.Distiller and a student of tf_keras": (
        lambda: kd.Distiller(student(), mlp("teacher")),
        TypeError,
        r"kd\.tfmot\.Distiller",
    ),
    "no teacher": (lambda: distiller(teacher="teacher"), TypeError, "teacher must be a keras.Model"),
    "its own teacher": (lambda: (lambda s: kd.tfmot.Distiller(s, s))(student()), ValueError, "from a copy"),
    "objectives and temperature": (
        lambda: distiller(objectives=["mse"], temperature=2.0),
        ValueError,
        "belong to the blend",
    ),
    "an unknown tap": (
        lambda: distiller(objectives=[kd.Objective("mse", student="hiden")]),
        ValueError,
        "Did you mean 'hidden'",
    ),
    "an optimizer of Keras 3": (
        lambda: distiller().compile(keras.optimizers.SGD()),
        TypeError,
        r"this SGD is of Keras 3.*tf_keras\.optimizers",
    ),
    "a loss of Keras 3": (
        lambda: distiller().compile(loss={"head": keras.losses.MeanSquaredError()}),
        TypeError,
        r"compile\(loss=\.\.\.\).*MeanSquaredError is of Keras 3",
    ),
    "a loss function of Keras 3": (
        lambda: distiller().compile(loss=keras.losses.mean_squared_error),
        TypeError,
        "mean_squared_error is of Keras 3",
    ),
    "a metric of Keras 3": (
        lambda: distiller().compile(metrics=["accuracy", keras.metrics.Accuracy()]),
        TypeError,
        r"compile\(metrics",
    ),
    "a loss of kd.losses for the labels": (
        lambda: distiller().compile(loss=kd.losses.SoftTargets()),
        TypeError,
        r"objectives`: \[kd\.Objective\(kd\.losses\.SoftTargets\(",
    ),
    "an objective with a loss of tf_keras": (
        lambda: kd.Objective(tf_keras.losses.MeanSquaredError()),
        TypeError,
        r"MeanSquaredError is of tf_keras.*keras\.losses",
    ),
    "an objective with a loss function of tf_keras": (
        lambda: kd.Objective(tf_keras.losses.mean_squared_error),
        TypeError,
        "mean_squared_error is of tf_keras",
    ),
    "a callback of Keras 3": (
        lambda: fitted(compiled(distiller()), callbacks=[keras.callbacks.EarlyStopping()]),
        TypeError,
        "EarlyStopping is one of Keras 3",
    ),
    "a pruned student without the callback": (
        lambda: fitted(compiled(distiller(pruned()))),
        ValueError,
        "UpdatePruningStep",
    ),
    "a pruned student and a single batch": (
        lambda: compiled(distiller(pruned())).train_on_batch(X, Y),
        ValueError,
        r"UpdatePruningStep.*on_train_begin",
    ),
    "NaN": (lambda: fitted(compiled(distiller()), X * np.nan, Y), ValueError, "holds NaN"),
    "a label that is no class": (lambda: fitted(compiled(distiller()), X, Y + 1), ValueError, "label 3"),
    "labels in another form": (
        lambda: fitted(compiled(distiller(), loss="categorical_crossentropy"), X, Y),
        ValueError,
        "categorical_crossentropy.* does not match|SparseCategorical",
    ),
    "nothing to evaluate": (
        lambda: compiled(distiller(), loss=None, metrics=None).evaluate(X, Y, verbose=0),
        ValueError,
        "nothing to evaluate",
    ),
    "another student": (lambda: setattr(distiller(), "student", student()), AttributeError, "is fixed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_with_what_to_do(case):
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        make()


def test_callbacks_of_tf_keras_are_refused_by_the_distiller_of_keras_3():
    made = kd.Distiller(mlp("student"), mlp("teacher"))
    made.compile("sgd", loss=sparse(keras))
    with pytest.raises(TypeError, match="UpdatePruningStep is one of tf_keras"):
        made.fit(X, Y, callbacks=callbacks("pruned"), verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": sparse(tf_keras)}, r"compile\(loss=.*SparseCategoricalCrossentropy is of tf_keras"),
        ({"loss": [tf_keras.losses.mean_squared_error]}, r"mean_squared_error is of tf_keras.*keras\.losses"),
        ({"loss": "mse", "metrics": [tf_keras.metrics.Accuracy()]}, r"compile\(metrics=.*of tf_keras"),
        ({"weighted_metrics": [tf_keras.metrics.Accuracy()]}, r"compile\(weighted_metrics=.*of tf_keras"),
    ],
    ids=["loss", "function", "metrics", "weighted_metrics"],
)
def test_what_is_of_tf_keras_is_refused_by_the_distiller_of_keras_3(options, message):
    made = kd.Distiller(mlp("student"), mlp("teacher"))
    made.compile("sgd", **options)
    for run in (made.fit, made.train_on_batch, made.evaluate):
        with pytest.raises(TypeError, match=message):
            run(X, Y)


def test_a_strategy_is_refused():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope(), pytest.raises(ValueError, match="one device"):
        kd.tfmot.Distiller(student(), TEACHERS["keras"]())

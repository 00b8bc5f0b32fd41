import os
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy, distance, weights_of
from tests.oracles.logits import kl


def predictions(model, x):
    return np.asarray(model(x, training=False), "float64")


def hinton(student, teacher, x, y, temperature, alpha):
    """The blend in NumPy float64, for models without BatchNorm or dropout."""
    s, t = predictions(student, x), predictions(teacher, x)
    log_p = s - s.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    hard = -log_p[np.arange(len(y)), y].mean()
    soft = kl(temperature)(t, s).mean()
    return alpha * hard + (1 - alpha) * soft, hard, soft


def mlp(units, name, activation=None):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Dense(units, "relu", name="hidden")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(10, activation, name="head")(x), name=name)


def test_default_is_hintons_blend(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    total, hard, soft = hinton(student, teacher, x, y, temperature=4.0, alpha=0.1)
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    logs = distiller.fit(x, y, batch_size=32, verbose=0).history
    assert list(logs) == ["accuracy", "loss", "soft_targets", "student_loss"]
    np.testing.assert_allclose(
        [logs["loss"][0], logs["student_loss"][0], logs["soft_targets"][0]], [total, hard, soft], rtol=1e-5
    )


def test_temperature_and_alpha(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    total, _, _ = hinton(student, teacher, x, y, temperature=2.0, alpha=0.7)
    distiller = kd.Distiller(student, teacher, temperature=2.0, alpha=0.7)
    distiller.compile("sgd", loss=cross_entropy())
    np.testing.assert_allclose(distiller.train_on_batch(x, y, return_dict=True)["loss"], total, rtol=1e-5)


@pytest.mark.parametrize("of_student", [None, "softmax"])
@pytest.mark.parametrize("of_teacher", [None, "softmax"])
def test_probabilities_and_logits_give_the_same_soft_targets(batch, of_student, of_teacher):
    x, _ = batch
    raw_student, raw_teacher = mlp(8, "s"), mlp(32, "t")
    student, teacher = mlp(8, "s2", of_student), mlp(32, "t2", of_teacher)
    student.set_weights(raw_student.get_weights())
    teacher.set_weights(raw_teacher.get_weights())
    expected = kl(4.0)(predictions(raw_teacher, x), predictions(raw_student, x)).mean()
    for eagerly in (False, True):
        distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets()])
        distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=eagerly)
        logs = distiller.train_on_batch(x, return_dict=True)
        np.testing.assert_allclose(logs["soft_targets"], expected, rtol=1e-4)


HIDDEN_SOFTMAX = {
    "average": lambda x: keras.layers.Average()(
        [keras.layers.Dense(5, "softmax")(x), keras.layers.Dense(5, "softmax")(x)]
    ),
    "time distributed": lambda x: keras.layers.TimeDistributed(keras.layers.Dense(5, "softmax"))(x),
    "clipped": lambda x: keras.ops.clip(keras.layers.Dense(5, "softmax")(x), 1e-6, 1.0),
    "written out": lambda x: (lambda e: e / keras.ops.sum(e, -1, keepdims=True))(
        keras.ops.exp(keras.layers.Dense(5)(x))
    ),
}


@pytest.mark.parametrize("make", HIDDEN_SOFTMAX.values(), ids=HIDDEN_SOFTMAX)
def test_a_softmax_that_does_not_show_is_found(make):
    x = np.random.default_rng(0).normal(size=(8, 3, 4)).astype("float32")
    inputs = keras.Input((3, 4))
    teacher = keras.Model(inputs, make(inputs))
    student = keras.Model(inputs, keras.layers.Dense(5)(inputs))
    expected = kl(2.0)(np.log(predictions(teacher, x)), predictions(student, x)).mean()
    distiller = kd.Distiller(student, teacher, temperature=2.0)
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    logs = distiller.train_on_batch(x, np.zeros((8, 3), "int32"), return_dict=True)
    np.testing.assert_allclose(logs["soft_targets"], expected, rtol=1e-4)


def test_objectives_add_up(batch):
    x, y = batch
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    objectives = [
        kd.Objective(kd.losses.SoftTargets(4.0), weight=0.9),
        kd.Objective("mse", student="block2", teacher="block2", project=True, weight=fade, name="hint"),
    ]
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(16, "teacher"), objectives)
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), loss_weights=0.1)
    for step in range(3):
        logs = distiller.train_on_batch(x, y, return_dict=True)
        distiller.reset_metrics()
        total = logs["student_loss"] + 0.9 * logs["soft_targets"] + (1 - step / 4) * logs["hint"]
        np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)


def test_projections_train_and_stay_out_of_the_student(batch):
    x, y = batch
    student = convnet(4)
    size = student.count_params()
    distiller = kd.Distiller(
        student, convnet(16, "t"), [kd.Objective("mse", student="block2", teacher="block2", project=True)]
    )
    projection = distiller.objectives[0].projection
    before = weights_of(projection)
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(x, y, verbose=0)
    assert distance(before, weights_of(projection)) > 0
    assert student.count_params() == size
    assert len(distiller.trainable_weights) == len(student.trainable_weights) + 2


def test_without_a_compiled_loss_the_objectives_train(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets()])
    distiller.compile(keras.optimizers.Adam(1e-2), metrics=["accuracy"])
    logs = distiller.fit(x, y, epochs=3, verbose=0).history
    assert "student_loss" not in logs
    assert logs["loss"] == logs["soft_targets"]
    assert logs["loss"][-1] < logs["loss"][0]
    assert list(distiller.evaluate(x, y, return_dict=True, verbose=0)) == ["accuracy"]
    distiller.compile(keras.optimizers.Adam(1e-2))
    assert distiller.fit(x, verbose=0).history["loss"][0] > 0  # no labels at all


@pytest.mark.parametrize("make", [lambda: convnet(4, dropout=0.5), lambda: mlp(8, "s")])
def test_zero_weight_objectives_are_plain_training(make, batch):
    x, y = batch
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(3)
        student = make()
        model = student
        if distil:
            state = student.get_weights()
            objective = kd.Objective(kd.losses.SoftTargets(), weight=0.0)
            model = kd.Distiller(student, convnet(16, "t"), [objective])
            student.set_weights(state)
        keras.utils.set_random_seed(3)
        model.compile(keras.optimizers.Adam(1e-2), loss=cross_entropy())
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        results.append((weights_of(student), history["loss"]))
    (plain, plain_loss), (ours, our_loss) = results
    for a, b in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(plain_loss, our_loss, rtol=1e-6)


def test_call_evaluate_and_predict_are_the_student(batch):
    x, y = batch
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    distiller.fit(x, y, verbose=0)
    student.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    assert distiller.evaluate(x, y, verbose=0, return_dict=True) == student.evaluate(
        x, y, verbose=0, return_dict=True
    )
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), student.predict(x, verbose=0))
    np.testing.assert_array_equal(distiller(x), student(x))


def test_validation_logs_hold_no_training_terms(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    logs = distiller.fit(x, y, validation_data=(x, y), verbose=0).history
    assert {key for key in logs if key.startswith("val_")} == {"val_accuracy", "val_loss"}


def test_teacher_preprocess(batch):
    x, y = batch
    inputs = keras.Input((16, 16, 1))
    flat = keras.layers.Flatten()(inputs)
    teacher = keras.Model(inputs, keras.layers.Dense(10)(flat), name="large")
    with pytest.raises(ValueError, match=r"'large' cannot take the student's inputs.*teacher_preprocess"):
        kd.Distiller(mlp(8, "s"), teacher)

    def enlarge(images):
        return keras.ops.image.resize(images, (16, 16))

    distiller = kd.Distiller(mlp(8, "s"), teacher, teacher_preprocess=enlarge)
    assert distiller.teacher_preprocess is enlarge
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(x, y, verbose=0)
    distiller.teacher_preprocess = keras.layers.Resizing(16, 16)
    assert np.isfinite(distiller.train_on_batch(x, y, return_dict=True)["loss"])
    assert "resizing" not in str(distiller.get_config())


def test_subclassed_and_deferred_models(batch):
    x, y = batch

    class Net(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.hidden = keras.layers.Dense(units, "relu")
            self.head = keras.layers.Dense(10)

        def call(self, images):
            return self.head(self.hidden(keras.ops.reshape(images, (-1, 64))))

    teacher = Net(32)
    with pytest.raises(ValueError, match="has no weights yet"):
        kd.Distiller(Net(8), teacher)
    teacher(x)
    deferred = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(8, name="hidden")])
    deferred.add(keras.layers.Dense(10))
    for student in (Net(8), deferred):
        objectives = [
            kd.losses.SoftTargets(),
            kd.Objective("mse", student="hidden", teacher="hidden", project=True),
        ]
        distiller = kd.Distiller(student, teacher, objectives)
        distiller.compile("sgd", loss=cross_entropy())
        logs = distiller.fit(x, y, epochs=2, batch_size=16, verbose=0).history
        assert logs["mse_hidden"][1] < logs["mse_hidden"][0]


def test_several_inputs_and_outputs(batch):
    x, y = batch

    def two(units):
        left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
        both = keras.layers.Concatenate()([keras.layers.Flatten()(left), keras.layers.Flatten()(right)])
        hidden = keras.layers.Dense(units)(both)
        outputs = {"digit": keras.layers.Dense(10)(hidden), "size": keras.layers.Dense(1)(hidden)}
        return keras.Model({"left": left, "right": right}, outputs)

    objectives = [
        kd.Objective(
            kd.losses.SoftTargets(), student="output/digit", teacher="output/digit", name="digit_kd"
        ),
        kd.Objective("mse", student="output/size", teacher="output/size", name="size_kd"),
    ]
    distiller = kd.Distiller(two(4), two(16), objectives)
    distiller.compile(
        "sgd", loss={"digit": cross_entropy(), "size": "mse"}, loss_weights={"digit": 1, "size": 0.5}
    )
    data = {"left": x, "right": x}
    labels = {"digit": y, "size": np.ones((32, 1), "float32")}
    logs = distiller.fit(data, labels, verbose=0).history
    total = logs["student_loss"][0] + logs["digit_kd"][0] + logs["size_kd"][0]
    np.testing.assert_allclose(logs["loss"][0], total, rtol=1e-5)
    weights = {"digit": np.zeros(32, "float32"), "size": np.ones(32, "float32")}
    logs = distiller.fit(data, labels, sample_weight=weights, verbose=0).history
    assert logs["digit_kd"][0] == 0
    assert logs["size_kd"][0] > 0


def test_class_weight_weighs_the_objectives_too(batch):
    x, y = batch
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    logs = distiller.fit(x, y, class_weight=dict.fromkeys(range(10), 0.0), verbose=0).history
    assert logs["loss"] == [0.0]


def test_a_term_may_ignore_sample_weights(batch):
    x, y = batch
    weights = np.zeros(32, "float32")
    soft = kd.Objective(kd.losses.SoftTargets(), use_sample_weight=False)
    distiller = kd.Distiller(mlp(8, "s"), mlp(16, "t"), [soft])
    distiller.compile("sgd", loss=cross_entropy())
    logs = distiller.fit(x, y, sample_weight=weights, verbose=0).history
    assert logs["student_loss"] == [0.0]
    assert logs["loss"][0] > 0


@pytest.mark.slow
def test_round_trip_without_the_teacher(batch, tmp_path):
    x, y = batch
    objectives = [
        kd.Objective(kd.losses.SoftTargets(2.0), weight=0.5),
        kd.Objective("mse", student="block2", teacher="block2", project=True),
    ]
    teacher = convnet(32, "teacher")
    distiller = kd.Distiller(convnet(4), teacher, objectives)
    distiller.compile("adam", loss=cross_entropy(), metrics=["accuracy"])
    distiller.fit(x, y, shuffle=False, verbose=0)
    distiller.save(tmp_path / "d.keras")
    again = keras.saving.load_model(tmp_path / "d.keras", safe_mode=True)
    assert again.teacher is None
    assert again.compiled
    np.testing.assert_allclose(again.predict(x, verbose=0), distiller.predict(x, verbose=0), rtol=1e-6)
    with pytest.raises(ValueError, match="has no teacher"):
        again.fit(x, y, verbose=0)
    again.teacher = teacher
    for model in (distiller, again):
        keras.utils.set_random_seed(1)
        model.fit(x, y, shuffle=False, verbose=0)
    assert distance(weights_of(distiller), weights_of(again)) == 0


def test_the_blend_round_trips(tmp_path):
    distiller = kd.Distiller(mlp(4, "s"), mlp(8, "t"), temperature=3.0, alpha=0.2)
    again = kd.Distiller.from_config(distiller.get_config())
    assert (again.temperature, again.alpha) == (3.0, 0.2)
    assert again.objectives[0].loss.temperature == 3.0


def test_files_do_not_hold_the_teacher(batch, tmp_path):
    x, y = batch
    student, teacher = convnet(4), convnet(256, "teacher")
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy())
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "whole.keras"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    distiller.fit(x, y, callbacks=callbacks, verbose=0)
    distiller.save_weights(tmp_path / "d.weights.h5")
    student.save(tmp_path / "s.keras")
    teacher.save(tmp_path / "t.keras")
    sizes = {file.name: os.path.getsize(file) for file in tmp_path.glob("*.*")}
    assert sizes["whole.keras"] < 1.5 * sizes["s.keras"] + 20_000
    assert sizes["d.weights.h5"] < sizes["whole.keras"]
    assert sizes["t.keras"] > 3 * sizes["whole.keras"] / 4
    with zipfile.ZipFile(tmp_path / "whole.keras") as file:
        assert b'"teacher"' not in file.read("config.json").replace(b'"teacher": "output"', b"")
    assert teacher.count_params() not in [distiller.count_params(), student.count_params()]
    assert len(distiller.weights) < len(student.weights) + len(teacher.weights)


def test_the_teacher_is_left_as_it_was_found(batch):
    x, y = batch
    student, teacher = convnet(4), convnet(16, "teacher", dropout=0.5)
    teacher.compile("adam", loss="mse")
    before, trainable, attributes = weights_of(teacher), len(teacher.trainable_weights), set(vars(teacher))
    loss = teacher.loss
    tap = kd.Objective("mse", student="block2", teacher="block2", project=True)
    distiller = kd.Distiller(student, teacher, [tap, kd.losses.SoftTargets()])
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(x, y, verbose=0)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        distiller.fit(x, y, callbacks=[Stop()], verbose=0)
    assert distance(before, weights_of(teacher)) == 0
    assert teacher.trainable
    assert len(teacher.trainable_weights) == trainable
    assert set(vars(teacher)) == attributes
    assert teacher.loss is loss
    assert all("call" not in layer.__dict__ for layer in teacher.layers)
    assert not any(w is v for w in distiller.weights for v in teacher.weights)


def test_each_model_runs_once_whatever_is_tapped(batch):
    x, y = batch
    runs = {"student": [], "teacher": []}

    @keras.saving.register_keras_serializable("test")
    class Probe(keras.layers.Layer):
        def __init__(self, key):
            super().__init__(name="probe")
            self.key = key

        def call(self, inputs, training=None):
            runs[self.key].append(training)
            return inputs

    def probed(units, key):
        inputs = keras.Input((8, 8, 1))
        x = keras.layers.Dense(units, name="hidden")(Probe(key)(keras.layers.Flatten()(inputs)))
        return keras.Model(inputs, keras.layers.Dense(10)(x))

    tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(probed(4, "student"), probed(8, "teacher"), [kd.losses.SoftTargets(), tap])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)  # the first batch is looked at besides
    runs["student"].clear()
    runs["teacher"].clear()
    distiller.train_on_batch(x, y)
    assert runs == {"student": [True], "teacher": [False]}
    distiller.evaluate(x, y, verbose=0)
    distiller.predict(x, verbose=0)
    assert runs["teacher"] == [False]


@pytest.mark.parametrize(
    "compile_arguments",
    [
        {"jit_compile": True},
        {"run_eagerly": True},
        {"steps_per_execution": 2},
        {"optimizer": keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)},
    ],
    ids=["XLA", "eager", "two steps at once", "accumulated gradients"],
)
def test_ways_to_run_agree(batch, compile_arguments):
    x, y = batch
    results = []
    for arguments in ({}, compile_arguments):
        keras.utils.set_random_seed(1)
        student, teacher = mlp(8, "s"), mlp(16, "t")
        tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
        distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), tap])
        batch_size = 16 if "optimizer" not in arguments else 8
        distiller.compile(**{"optimizer": keras.optimizers.SGD(0.1), "loss": cross_entropy(), **arguments})
        distiller.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
        results.append(weights_of(student))
    assert distance(*results) < 1e-5


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(batch, policy):
    x, y = batch
    keras.config.set_dtype_policy(policy)
    try:
        student, teacher = convnet(4), convnet(16, "t")
    finally:
        keras.config.set_dtype_policy("float32")
    for other in (teacher, convnet(16, "float_teacher")):
        tap = kd.Objective("mse", student="block2", teacher="block2", project=True)
        distiller = kd.Distiller(student, other, [kd.losses.SoftTargets(), tap])
        distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
        scales = isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)
        assert scales == (policy == "mixed_float16")
        before = weights_of(student)
        logs = distiller.fit(x, y, verbose=0).history
        assert all(np.isfinite(values).all() for values in logs.values())
        assert distance(before, weights_of(student)) > 1e-4


def test_self_distillation_and_a_new_teacher(batch):
    x, y = batch
    model = mlp(8, "m")
    distiller = kd.Distiller(model, keras.models.clone_model(model))
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(x, y, verbose=0)
    second = mlp(32, "second")
    distiller.teacher = second
    assert distiller.teacher is second
    _, _, soft = hinton(model, second, x, y, 4.0, 0.1)
    np.testing.assert_allclose(distiller.fit(x, y, verbose=0).history["soft_targets"][0], soft, rtol=1e-5)


TEACHER_ERRORS = {
    "classes": (
        lambda: kd.Distiller(mlp(4, "s"), convnet(4, "t", classes=12)),
        "student has 10 classes and the teacher 12",
    ),
    "unknown student tap": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), [kd.Objective("mse", student="blok2")]),
        "No tap 'blok2' in model 'net'. Did you mean 'block2'",
    ),
    "unknown teacher tap": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), [kd.Objective("mse", teacher="hed")]),
        "in model 't'. Did you mean 'head'",
    ),
    "width": (
        lambda: kd.Distiller(
            convnet(4), convnet(8, "t"), [kd.Objective("mse", student="block2", teacher="block2")]
        ),
        "With project=True the student's signal gets the teacher's width",
    ),
    "rank": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), [kd.Objective("mse", student="block2")]),
        r"Expected signals of one shape",
    ),
    "attention of vectors": (
        lambda: kd.Distiller(
            convnet(4),
            convnet(8, "t"),
            [kd.Objective("attention_transfer", student="pool", teacher="block2")],
        ),
        "tap a layer before pooling",
    ),
    "kl of logits": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), ["kl_divergence"]),
        r"takes probabilities.*Use kd.losses.SoftTargets\(\)",
    ),
    "cross-entropy instance of logits": (
        lambda: kd.Distiller(
            convnet(4), convnet(8, "t"), [keras.losses.CategoricalCrossentropy(from_logits=True)]
        ),
        "takes probabilities",
    ),
    "kl under another name": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), [keras.losses.KLDivergence(name="mine")]),
        "takes probabilities",
    ),
    "sigmoid": (
        lambda: kd.Distiller(convnet(4, activation="sigmoid"), convnet(8, "t", activation="sigmoid")),
        "ends in a sigmoid",
    ),
    "one unit": (
        lambda: kd.Distiller(convnet(4, classes=1), convnet(8, "t", classes=1)),
        "two or more classes",
    ),
    "empty objectives": (lambda: kd.Distiller(convnet(4), convnet(8, "t"), []), "nothing to distil"),
    "names": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), ["mse", "mse"]),
        "'mse' is taken. Give each its own `name`",
    ),
    "alpha": (lambda: kd.Distiller(convnet(4), convnet(8, "t"), alpha=2), "from 0 to 1"),
    "temperature": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), temperature=0),
        "must be a positive number",
    ),
    "weight that decides in Python": (
        lambda: kd.Distiller(
            convnet(4),
            convnet(8, "t"),
            [kd.Objective("soft_targets", weight=lambda step: 1.0 if step < 10 else 0.0)],
        ),
        r"Use keras\.ops\.where",
    ),
    "weight of several numbers": (
        lambda: kd.Distiller(
            convnet(4),
            convnet(8, "t"),
            [kd.Objective("soft_targets", weight=lambda step: keras.ops.ones((2,)))],
        ),
        "must be one number",
    ),
    "teacher is the student": (
        lambda: (lambda model: kd.Distiller(model, model))(convnet(4)),
        "Distil from a copy",
    ),
    "temperature and objectives": (
        lambda: kd.Distiller(convnet(4), convnet(8, "t"), ["mse"], temperature=4.0),
        "`temperature` and `alpha` belong to the blend",
    ),
}


@pytest.mark.parametrize(("make", "message"), TEACHER_ERRORS.values(), ids=TEACHER_ERRORS)
def test_errors_come_when_the_distiller_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kd.Distiller("student"), "The student must be a keras.Model. Received: builtins.str"),
        (lambda: kd.Distiller(convnet(4), 3), "The teacher must be a keras.Model"),
        (lambda: kd.Distiller(convnet(4), convnet(8), "mse"), "must be a list"),
    ],
)
def test_wrong_types(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_projections_are_not_in_what_evaluate_says(batch):
    project = keras.layers.Conv2D(8, 1, kernel_regularizer=keras.regularizers.L2(10.0))
    objective = kd.Objective("mse", student="block2", teacher="block2", project=project)
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(8, "t"), [objective])
    distiller.compile("sgd", loss=cross_entropy())
    student.compile(loss=cross_entropy())
    assert distiller.evaluate(*batch, verbose=0) == pytest.approx(student.evaluate(*batch, verbose=0))


@pytest.mark.parametrize("name", ["student", "alpha", "temperature", "objectives"])
def test_what_is_trained_on_is_fixed(name):
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    with pytest.raises(AttributeError, match=f"`{name}` is fixed when a Distiller is made"):
        setattr(distiller, name, getattr(distiller, name))


def test_unknown_attributes_are_unknown():
    with pytest.raises(AttributeError, match="no attribute 'taecher'"):
        _ = kd.Distiller(convnet(4), convnet(8, "t")).taecher


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y + 5), r"holds the label 1\d, and the student has 10 classes, 0 to 9"),
        (lambda x, y: (x, y - 10), r"holds the label -\d+"),
        (lambda x, y: (np.where(x > 0.9, np.nan, x), y), "NaN or infinity, first in row 0"),
        (lambda x, y: (x[:0], y[:0]), "`x` is empty"),
        (lambda x, y: (tf.data.Dataset.from_tensor_slices((x, y)).take(0).batch(8), None), "no batch"),
        (lambda x, y: (x[:, :4], y), r"takes inputs of shape \(None, 8, 8, 1\), and the data has"),
    ],
)
def test_bad_data_is_refused_before_the_first_step(batch, change, message):
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match=message):
        distiller.fit(*change(*batch), verbose=0)
    assert int(distiller.optimizer.iterations) == 0


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras's own words for it
def test_a_data_set_without_a_batch_is_no_training(batch):
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    nothing = tf.data.Dataset.from_tensor_slices(batch).filter(lambda x, y: False).batch(8)
    with pytest.raises(ValueError, match="gave no batch"):
        distiller.fit(nothing, verbose=0)
    assert distiller.fit(*batch, epochs=0, verbose=0).history == {}


def test_savedmodel_export_is_of_the_student(batch, tmp_path):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(64, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(x, y, verbose=0)
    distiller.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(served.serve(x), distiller.predict(x, verbose=0), atol=1e-5)


def test_nan_in_weights_and_held_out_data_is_refused(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match="`sample_weight` holds NaN"):
        distiller.fit(x, y, sample_weight=np.full(32, np.nan), verbose=0)
    with pytest.raises(ValueError, match=r"`validation_data\[0\]` holds NaN"):
        distiller.fit(x, y, validation_data=(x * np.nan, y), verbose=0)


def test_a_cross_entropy_of_student_logits_may_read_a_softmax_teacher(batch):
    x, y = batch
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    distiller = kd.Distiller(convnet(4), convnet(8, "t", activation="softmax"), [loss])
    distiller.compile("sgd")
    assert distiller.fit(x, y, verbose=0).history["categorical_crossentropy"][0] > 0


def test_labels_that_the_loss_ignores_are_allowed(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    distiller.compile("sgd", loss=loss)
    assert np.isfinite(distiller.fit(x, np.where(y < 5, -1, y), verbose=0).history["loss"][0])
    with pytest.raises(ValueError, match="holds the label"):
        distiller.fit(x, y - 3, verbose=0)


def test_projections_of_a_subclassed_student_are_there_at_once(batch, tmp_path):
    x, y = batch

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = keras.layers.Dense(4), keras.layers.Dense(10)

        def call(self, images):
            return self.head(self.hidden(keras.ops.reshape(images, (-1, 64))))

    def made():
        student = Net()
        student(x)
        tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
        distiller = kd.Distiller(student, mlp(8, "t"), [tap])
        distiller.compile("sgd", loss=cross_entropy())
        return distiller

    first, second = made(), made()
    first.fit(x, y, verbose=0)
    first.save_weights(tmp_path / "d.weights.h5")
    second.load_weights(tmp_path / "d.weights.h5")
    assert (
        distance(weights_of(first.objectives[0].projection), weights_of(second.objectives[0].projection)) == 0
    )


def test_labels_that_are_missing_are_missed(batch):
    x, _ = batch
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match=r"the data has none\. Leave `loss` out"):
        distiller.fit(x, verbose=0)
    reads = kd.Objective("sparse_categorical_crossentropy", teacher="labels", name="labels")
    distiller = kd.Distiller(convnet(4, activation="softmax"), convnet(8, "t"), [reads])
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="the data has no labels"):
        distiller.fit(x, verbose=0)


def test_one_weight_set_per_output_needs_an_objective_that_says_which(batch):
    x, y = batch
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(4, name="hidden")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, {"a": keras.layers.Dense(10)(hidden), "b": keras.layers.Dense(10)(hidden)})
    tap = kd.Objective("mse", student="hidden", teacher="hidden")
    distiller = kd.Distiller(model, keras.models.clone_model(model), [tap])
    distiller.compile("sgd", loss={"a": cross_entropy(), "b": cross_entropy()})
    ones = np.ones(32, "float32")
    with pytest.raises(ValueError, match="Sample weights come per output"):
        distiller.fit(x, {"a": y, "b": y}, sample_weight={"a": ones, "b": ones}, verbose=0)


def test_there_may_be_nothing_to_evaluate(batch):
    distiller = kd.Distiller(convnet(4), convnet(8))
    distiller.compile("sgd")
    distiller.fit(batch[0], verbose=0)
    with pytest.raises(ValueError, match="neither `loss` nor `metrics`"):
        distiller.evaluate(*batch, verbose=0)

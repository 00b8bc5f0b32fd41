"""What reaches an objective: masks, weights, data, and the step."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy

LENGTHS = np.array([1, 2, 3, 4, 6, 6, 2, 5])


def tokens_in():
    random = np.random.default_rng(0)
    tokens = random.integers(1, 9, (8, 6))
    return tokens * (np.arange(6) < LENGTHS[:, None])  # 0 is padding


def tagger(width, *, mask_zero=True, activation=None, name="tagger"):
    """An embedding and a head for each token, without anything between tokens."""
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, width, mask_zero=mask_zero, name="embedding")(inputs)
    x = keras.layers.Dense(width, activation="tanh", name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(4, activation=activation, name="head")(x), name=name)


def logged(distiller, *data):
    """The first value of each objective, with weights that do not move."""
    distiller.compile(keras.optimizers.SGD(0.0))
    return {k: v[0] for k, v in distiller.fit(*data, batch_size=8, verbose=0).history.items()}


def valid_mean(values, x):
    mask = x > 0
    return ((values * mask).sum(1) / mask.sum(1)).mean()


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_padded_tokens_are_left_out_of_the_blend(activation):
    x, teacher, student = tokens_in(), tagger(16, activation=activation), tagger(4, activation=activation)
    value = logged(kd.Distiller(student, teacher, temperature=1.0, alpha=0), x)["soft_targets"]
    told, seen = (model.predict(x, verbose=0) for model in (teacher, student))
    if activation is None:
        told, seen = (np.exp(z) / np.exp(z).sum(-1, keepdims=True) for z in (told, seen))
    np.testing.assert_allclose(value, valid_mean((told * np.log(told / seen)).sum(-1), x), rtol=1e-4)


def test_padded_tokens_are_left_out_of_a_projected_feature():
    x, teacher, student = tokens_in(), tagger(16), tagger(4)
    objective = kd.Objective("mae", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), objective])
    value = logged(distiller, x)["mae_hidden"]
    taps = [keras.Model(m.input, m.get_layer("hidden").output) for m in (teacher, student)]
    told, seen = (tap.predict(x, verbose=0) for tap in taps)
    expected = valid_mean(np.abs(told - np.asarray(objective.projection(seen))).mean(-1), x)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("mask", ["input", "is_token"])
def test_a_mask_may_be_a_signal(mask):
    x, teacher = tokens_in(), tagger(16, mask_zero=False)
    student = tagger(4, mask_zero=False)
    is_token = keras.layers.Lambda(lambda t: t > 0, output_shape=(6,), name="is_token")(student.input)
    head = keras.layers.Lambda(lambda both: both[0], name="pick")([student.output, is_token])
    student = keras.Model(student.input, head)
    objective = kd.Objective(kd.losses.LogitsMSE(), mask=mask)
    value = logged(kd.Distiller(student, teacher, [objective]), x)["logits_mse"]
    difference = teacher.predict(x, verbose=0) - student.predict(x, verbose=0)
    np.testing.assert_allclose(value, valid_mean((difference**2).mean(-1), x), rtol=1e-5)


def test_a_mask_may_be_a_named_input():
    def model(width):
        base = tagger(width, mask_zero=False)
        padding = keras.Input((6,), dtype="bool", name="padding")
        kept = keras.layers.Multiply()([base.output, keras.ops.expand_dims(padding, -1)])
        return keras.Model({"tokens": base.input, "padding": padding}, kept)

    x = {"tokens": tokens_in(), "padding": tokens_in() > 0}
    teacher, student = model(16), model(4)
    objective = kd.Objective(kd.losses.LogitsMSE(), mask="input/padding")
    value = logged(kd.Distiller(student, teacher, [objective]), x)["logits_mse"]
    difference = teacher.predict(x, verbose=0) - student.predict(x, verbose=0)
    expected = valid_mean((difference**2).mean(-1), x["tokens"])
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"the data has \['input/"):
        logged(kd.Distiller(student, teacher, [kd.Objective("mse", mask="input/pading")]), x)


def test_a_loss_that_cannot_mask_refuses_padded_signals():
    class PerSample(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.mean((teacher - student) ** 2, axis=(1, 2))

    with pytest.raises(ValueError, match="'per_sample' gives one value per sample, so padded tokens"):
        kd.Distiller(tagger(4), tagger(16), [PerSample(name="per_sample")])


def test_an_explicit_mask_reaches_a_loss_of_ones_own():
    class PerToken(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.mean((teacher - student) ** 2, axis=-1)

    x, teacher, student = tokens_in(), tagger(16, mask_zero=False), tagger(4, mask_zero=False)
    objective = kd.Objective(PerToken(name="own"), mask="input")
    value = logged(kd.Distiller(student, teacher, [objective]), x)["own"]
    difference = teacher.predict(x, verbose=0) - student.predict(x, verbose=0)
    np.testing.assert_allclose(value, valid_mean((difference**2).mean(-1), x), rtol=1e-5)


def test_a_weight_for_each_token_leaves_tokens_out():
    x, teacher, student = tokens_in(), tagger(16, mask_zero=False), tagger(4, mask_zero=False)
    weights = (x > 0).astype("float32")
    y = np.zeros((8, 6), "int32")
    distiller = kd.Distiller(student, teacher, [kd.losses.LogitsMSE()])
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    history = distiller.fit(x, y, sample_weight=weights, batch_size=8, verbose=0).history
    difference = teacher.predict(x, verbose=0) - student.predict(x, verbose=0)
    expected = ((difference**2).mean(-1) * weights).mean()  # as Keras weighs a loss per token
    np.testing.assert_allclose(history["logits_mse"][0], expected, rtol=1e-5)


def test_a_projection_may_pool_padded_tokens():
    teacher = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, name="pooled")])
    objective = kd.Objective(
        "mse", student="hidden", teacher="pooled", project=keras.layers.GlobalAveragePooling1D()
    )
    distiller = kd.Distiller(tagger(4), teacher, [objective])
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    history = distiller.fit(tokens_in(), np.zeros((8, 6), "int32"), batch_size=8, verbose=0).history
    assert np.isfinite(history["mse_hidden"][0])


def test_a_function_per_token_is_masked():
    x, teacher, student = tokens_in(), tagger(16), tagger(4)

    def largest(teacher, student):
        return keras.ops.max(keras.ops.abs(teacher - student), axis=-1)

    value = logged(kd.Distiller(student, teacher, [largest]), x)["largest"]
    difference = np.abs(teacher.predict(x, verbose=0) - student.predict(x, verbose=0)).max(-1)
    np.testing.assert_allclose(value, valid_mean(difference, x), rtol=1e-5)


def test_weights_are_signals(batch):
    def kernels(teacher, student):
        (told, kernel), (seen, own) = teacher, student
        told, seen = keras.ops.matmul(told, kernel), keras.ops.matmul(seen, own)
        return keras.ops.mean((told - seen) ** 2, axis=-1)

    taps = ("pool", "head/kernel")
    teacher, student = convnet(16), convnet(4)
    distiller = kd.Distiller(student, teacher, [kd.Objective(kernels, student=taps, teacher=taps)])
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    before = [np.array(m.get_layer("head").kernel) for m in (teacher, student)]
    distiller.fit(*batch, verbose=0)
    after = [np.array(m.get_layer("head").kernel) for m in (teacher, student)]
    assert np.array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).max() > 0


def test_a_weight_that_does_not_exist_is_no_tap():
    with pytest.raises(ValueError, match="No tap 'head/kernal'"):
        kd.Distiller(convnet(4), convnet(16), [kd.Objective("mse", student="head/kernal", teacher="pool")])


def test_parts_of_the_labels_are_signals(batch):
    x, y = batch
    student = convnet(4)
    outputs = {"digit": student.output, "size": keras.layers.Dense(1, name="size_of")(student.output)}
    student = keras.Model(student.input, outputs)
    objective = kd.Objective("mae", student="output/size", teacher="labels/size")
    labels = {"digit": y, "size": np.ones((32, 1), "float32")}
    distiller = kd.Distiller(student, None, [objective])
    distiller.compile(keras.optimizers.SGD(0.0), loss={"digit": cross_entropy(), "size": "mse"})
    value = distiller.fit(x, labels, verbose=0).history["mae_output_size"][0]
    seen = np.asarray(student(x, training=True)["size"])
    np.testing.assert_allclose(value, np.abs(1 - seen).mean(), rtol=1e-5)


def test_an_index_that_comes_with_the_data(batch):
    x, y = batch

    class Indexed(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.cast(teacher[1], "float32") + 0 * keras.ops.sum(student, -1)

    def model(filters):
        image = keras.Input((8, 8, 1), name="image")
        index = keras.Input((), dtype="int32", name="index")
        return keras.Model({"image": image, "index": index}, convnet(filters)(image))

    objective = kd.Objective(Indexed(name="indexed"), teacher=("output", "input/index"))
    distiller = kd.Distiller(model(4), model(8), [objective])
    value = logged(distiller, {"image": x, "index": np.arange(32)})["indexed"]
    assert value == pytest.approx(31 / 2, abs=4)  # the first batch is of 8 rows, in random order
    assert y is not None


@pytest.mark.slow
@pytest.mark.parametrize("how", ["objective", "blend"])
def test_a_temperature_may_be_a_schedule(batch, how):
    x, _ = batch
    cool = keras.optimizers.schedules.PiecewiseConstantDecay([1], [8.0, 2.0])
    values = {}
    for name, temperature in {"schedule": cool, "hot": 8.0, "cold": 2.0}.items():
        keras.utils.set_random_seed(0)
        student, teacher = convnet(4), convnet(8)
        if how == "blend":
            distiller = kd.Distiller(student, teacher, temperature=temperature, alpha=0.0)
        else:
            distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(temperature)])
        distiller.compile(keras.optimizers.SGD(0.0))
        history = distiller.fit(x, batch_size=32, epochs=4, verbose=0, shuffle=False).history
        values[name] = history["soft_targets"]
    np.testing.assert_allclose(values["schedule"][:2], values["hot"][:2], rtol=1e-5)
    np.testing.assert_allclose(values["schedule"][2:], values["cold"][2:], rtol=1e-5)


def test_a_scheduled_temperature_is_saved(batch, tmp_path):
    cool = keras.optimizers.schedules.PolynomialDecay(8.0, 100, 1.0)
    distiller = kd.Distiller(convnet(4), convnet(8), temperature=cool)
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(*batch, verbose=0)
    distiller.save(tmp_path / "distiller.keras")
    again = keras.models.load_model(tmp_path / "distiller.keras")
    assert float(again.temperature(50)) == 4.5
    assert float(again.objectives[0].loss.temperature(50)) == 4.5


def test_a_schedule_needs_a_step():
    loss = kd.losses.SoftTargets(lambda step: 1.0 + step)
    with pytest.raises(ValueError, match="needs the training step"):
        loss(np.ones((2, 3)), np.ones((2, 3)))
    assert float(loss(np.eye(3), np.zeros((3, 3)), step=3)) > 0


def test_projections_train_and_normalise(batch):
    """Projections run as in training: BatchNorm uses the batch, and its statistics move."""
    project = keras.Sequential([keras.layers.Conv2D(16, 1), keras.layers.BatchNormalization()])
    objective = kd.Objective("mse", student="block2", teacher="block2", project=project)
    distiller = kd.Distiller(convnet(4), convnet(16), [objective])
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(*batch, verbose=0)
    assert np.abs(np.array(project.layers[-1].moving_mean)).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["concatenate", "average", "clip", "time"])
def test_a_sigmoid_that_is_not_the_last_operation_is_undone(how):
    """By hand: KL of the binary distributions, whatever stands between the sigmoid and the output."""

    def model(width):
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(width, activation="tanh")(inputs)
        if how == "time":
            tokens = keras.layers.RepeatVector(2)(hidden)
            last = keras.layers.Dense(3, activation="sigmoid")
            return keras.Model(inputs, keras.layers.TimeDistributed(last)(tokens))
        heads = [keras.layers.Dense(3, activation="sigmoid")(hidden) for _ in range(2)]
        last = {
            "concatenate": lambda: keras.layers.Concatenate()(heads),
            "average": lambda: keras.layers.Average()(heads),
            "clip": lambda: keras.ops.clip(heads[0], 1e-4, 0.9999),
        }[how]
        return keras.Model(inputs, last())

    x, teacher, student = np.random.default_rng(0).normal(size=(8, 4)), model(8), model(4)
    value = logged(kd.Distiller(student, teacher, [kd.losses.BinarySoftTargets(1.0)]), x)
    p, q = (m.predict(x, verbose=0).astype("float64") for m in (teacher, student))
    expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(-1).mean()
    np.testing.assert_allclose(value["binary_soft_targets"], expected, rtol=1e-4)
    with pytest.raises(ValueError, match="ends in a sigmoid"):
        kd.Distiller(student, teacher, [kd.losses.SoftTargets()])


def test_logits_that_are_lost_are_centred(batch):
    x, _ = batch
    teacher, student = convnet(8), convnet(4)
    softmax = keras.layers.Softmax()(teacher.output)
    lost = keras.Model(teacher.input, keras.layers.Average()([softmax, softmax]))
    value = logged(kd.Distiller(student, lost, [kd.losses.LogitsMSE()]), x)["logits_mse"]
    logits = teacher.predict(x, verbose=0)
    centred = logits - logits.mean(-1, keepdims=True)
    seen = np.asarray(student(x, training=True))
    assert value == pytest.approx(((seen - centred) ** 2).mean(), rel=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_a_loss_may_compute_in_another_precision(batch, dtype):
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    objectives = [kd.Objective(kd.losses.SoftTargets(dtype=dtype), weight=fade), kd.losses.LogitsMSE()]
    distiller = kd.Distiller(convnet(4), convnet(8), objectives)
    distiller.compile("sgd", loss=cross_entropy())
    assert np.isfinite(distiller.fit(*batch, verbose=0).history["loss"][0])


@pytest.mark.parametrize(
    "weight",
    [lambda step: 1 - step, lambda step: step < 2, lambda step: keras.ops.cast(step, "float64")],
    ids=["whole", "bool", "float64"],
)
def test_a_weight_may_be_any_number(batch, weight):
    distiller = kd.Distiller(convnet(4), convnet(8), [kd.Objective("soft_targets", weight=weight)])
    distiller.compile("sgd")
    assert np.isfinite(distiller.fit(batch[0], verbose=0).history["loss"][0])


def test_a_temperature_that_decides_in_python_is_refused_before_training():
    loss = kd.losses.SoftTargets(lambda step: 4.0 if step < 3 else 1.0)
    with pytest.raises(ValueError, match="decides in Python"):
        kd.Distiller(convnet(4), convnet(8), [loss])


def test_a_projection_to_the_width_of_the_labels(batch):
    objective = kd.Objective("mse", student="pool", teacher="labels", project=True)
    distiller = kd.Distiller(convnet(4), None, [objective])
    distiller.compile("sgd", loss="mse")
    labels = np.eye(10, dtype="float32")[batch[1]]
    assert np.isfinite(distiller.fit(batch[0], labels, verbose=0).history["mse_pool"][0])
    assert objective.projection(np.ones((2, 4))).shape == (2, 10)


def test_a_new_teacher_of_another_width_is_refused():
    objective = kd.Objective("mse", student="pool", teacher="pool", project=True)
    distiller = kd.Distiller(convnet(4), convnet(8), [objective])
    with pytest.raises(ValueError, match="mse_pool_projection"):
        distiller.teacher = convnet(16)


def test_a_layer_for_the_teachers_signal_does_not_drop_out(batch):
    objectives = [
        kd.Objective("mse", student="head", teacher="head", project_teacher=layer, name=layer.name)
        for layer in (keras.layers.Identity(name="same"), keras.layers.Dropout(0.5, name="dropped"))
    ]
    values = logged(kd.Distiller(convnet(4), convnet(8), objectives), batch[0])
    assert values["dropped"] == values["same"]


def encoder(width, name="encoder"):
    """A block of a transformer as users write it: Keras takes the mask off what its attention reads."""
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, width, mask_zero=True, name="embedding")(inputs)
    y = keras.layers.MultiHeadAttention(2, width // 2, name="attention")(x, x)
    x = keras.layers.LayerNormalization(name="first")(keras.layers.Add(name="add")([x, y]))
    y = keras.layers.MultiHeadAttention(2, width // 2, name="attention2")(x, x)
    x = keras.layers.LayerNormalization(name="hidden")(keras.layers.Add(name="last")([x, y]))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(4, name="head")(x), name=name)


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["graph", "eager"])
@pytest.mark.parametrize(
    ("loss", "taps"),
    [
        ("similarity_preserving", "embedding"),
        ("similarity_preserving", "add"),
        ("similarity_preserving", "first"),
        ("similarity_preserving", "hidden"),
        ("similarity_preserving", "attention"),
        ("self_attention_relations", ("attention/query", "attention/key", "attention/value")),
        ("attention_maps", ("attention2/query", "attention2/key")),
    ],
)
def test_the_masks_that_attention_takes_off_are_found(loss, taps, eager):
    x, teacher, student = tokens_in(), encoder(16), encoder(4)
    keras.Sequential([keras.Input((6,), dtype="int32"), student, keras.layers.Softmax()])  # calls it again
    found, named = (
        kd.Objective(loss, student=taps, teacher=taps, mask=mask, name=name)
        for mask, name in ((None, "found"), ("input", "named"))
    )
    distiller = kd.Distiller(student, teacher, [found, named])
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=eager)
    logs = distiller.fit(x, np.zeros(8, "int32"), batch_size=8, verbose=0).history
    np.testing.assert_allclose(logs["found"], logs["named"], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("tap", ["encoder/embedding", "encoder/hidden", "encoder/attention2/query"])
def test_the_masks_inside_a_nested_model_are_found(tap):
    def nested(width):
        inputs = keras.Input((6,), dtype="int32")
        return keras.Model(inputs, keras.layers.Dense(4)(encoder(width)(inputs)))

    objectives = [
        kd.Objective("similarity_preserving", student=tap, teacher=tap, mask=mask, name=name)
        for mask, name in ((None, "found"), ("input", "named"))
    ]
    distiller = kd.Distiller(nested(4), nested(16), objectives)
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    logs = distiller.fit(tokens_in(), np.zeros(8, "int32"), batch_size=8, verbose=0).history
    np.testing.assert_allclose(logs["found"], logs["named"], rtol=1e-5)


def test_a_sequence_of_unknown_length_keeps_its_mask_through_a_projection():
    """The data knows the length and the model does not: that is no reason to drop the mask."""

    def model(width):
        inputs = keras.Input((None,), dtype="int32")
        x = keras.layers.Embedding(9, width, name="embedding")(inputs)
        return keras.Model(inputs, keras.layers.Dense(4)(x))

    x, teacher, student = tokens_in(), model(16), model(4)
    project = keras.layers.Dense(16)
    objective = kd.Objective("mse", student="embedding", teacher="embedding", project=project, mask="input")
    distiller = kd.Distiller(student, teacher, [objective])
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy())
    value = distiller.fit(x, np.zeros((8, 6), "int32"), batch_size=8, verbose=0).history["mse_embedding"][0]
    told, seen = (np.asarray(m.get_layer("embedding")(x)) for m in (teacher, student))
    expected = valid_mean(((told - np.asarray(project(seen))) ** 2).mean(-1), x)
    np.testing.assert_allclose(value, expected, rtol=1e-5)

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd import projections


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def batch(index, width=3, seed=0):
    features = np.random.default_rng(seed).normal(size=(len(index), width)).astype("float32")
    return features, np.array(index)


def run(bank, inputs, mode="eager", training=True):
    inputs = tuple(map(tf.constant, inputs))
    if mode == "eager":
        outputs = bank(inputs, training=training)
    else:
        bank(tuple(keras.KerasTensor(x.shape, x.dtype.name) for x in inputs))
        call = tf.function(lambda x: bank(x, training=training), jit_compile=mode == "xla", autograph=False)
        outputs = call(inputs)
    return [np.asarray(x) for x in outputs]


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_rows_are_written_and_own_and_unwritten_rows_are_no_negatives(mode):
    bank = projections.MemoryBank(6)
    inputs = batch([4, 1])
    features, rows, negatives = run(bank, inputs, mode)
    np.testing.assert_allclose(features, unit(inputs[0]), rtol=1e-6)
    np.testing.assert_allclose(rows[[4, 1]], features)
    assert (rows[[0, 2, 3, 5]] == 0).all()
    assert negatives.tolist() == [[i == 1 for i in range(6)], [i == 4 for i in range(6)]]
    _, rows, negatives = run(bank, batch([0, 5], seed=1), mode)
    assert negatives.tolist() == [[i in (1, 4, 5) for i in range(6)], [i in (0, 1, 4) for i in range(6)]]
    np.testing.assert_allclose(rows[[4, 1]], features)
    np.testing.assert_allclose(rows, np.asarray(bank.rows)[:6])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "strange"),
    [
        ("eager", -1),
        ("graph", -6),
        ("xla", -6),
        ("eager", 6),
        ("xla", 6),
        ("graph", 1000),
        ("xla", 2**31 - 1),
    ],
)
def test_a_number_out_of_range_is_stored_nowhere_and_counted(mode, strange):
    bank = projections.MemoryBank(6)
    run(bank, batch([0, 3]), mode)
    before = np.asarray(bank.rows)[:6].copy()
    inputs = batch([strange, 2], seed=1)
    features, rows, negatives = run(bank, inputs, mode)
    changed = [i for i in range(6) if not np.array_equal(rows[i], before[i])]
    assert changed == [2]
    assert int(bank.ignored) == 1
    assert negatives[0].tolist() == [i in (0, 2, 3) for i in range(6)]
    np.testing.assert_allclose(features, unit(inputs[0]), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "form"), [("eager", "numbers"), ("xla", "column"), ("xla", "one-hot")])
def test_rows_of_the_same_label_are_no_negatives(mode, form):
    bank = projections.MemoryBank(4)
    labels = {
        "numbers": lambda y: np.array(y),
        "column": lambda y: np.array(y)[:, None],
        "one-hot": lambda y: np.eye(3, dtype="float32")[y],
    }[form]
    run(bank, (*batch([0, 1]), labels([2, 0])), mode)
    _, _, negatives = run(bank, (*batch([2, 3], seed=1), labels([2, 1])), mode)
    assert negatives.tolist() == [[False, True, False, True], [True, True, True, False]]


@pytest.mark.parametrize(
    "form", [np.array, lambda y: np.eye(3, dtype="float32")[y] * (np.array(y) >= 0)[:, None]]
)
def test_a_sample_without_a_label_shares_it_with_no_other(form):
    bank = projections.MemoryBank(4)
    run(bank, (*batch([0, 1]), form([2, -1])))
    _, _, negatives = run(bank, (*batch([2, 3], seed=1), form([2, -1])))
    assert negatives.tolist() == [[False, True, False, True], [True, True, True, False]]


def test_only_training_writes():
    bank = projections.MemoryBank(4)
    inputs = batch([0, 1])
    _, rows, negatives = run(bank, inputs, training=False)
    assert (rows == 0).all()
    assert not negatives.any()
    assert int(bank.ignored) == 0
    run(bank, inputs)
    _, rows, negatives = run(bank, batch([2, 9], seed=1), training=False)
    np.testing.assert_allclose(rows[:2], unit(inputs[0]), rtol=1e-6)
    assert negatives.tolist() == [[True, True, False, False]] * 2
    assert int(bank.ignored) == 0


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_momentum_moves_rows_that_were_written(momentum):
    bank = projections.MemoryBank(3, momentum=momentum)
    old, index = batch([2, 0])
    run(bank, (old, index))
    new = batch([2, 1], seed=1)[0]
    _, rows, _ = run(bank, (new, np.array([2, 1])))
    moved = unit(momentum * unit(old[0]) + (1 - momentum) * unit(new[0]))
    np.testing.assert_allclose(rows[2], moved, rtol=1e-5)
    np.testing.assert_allclose(rows[1], unit(new[1]), rtol=1e-6)


def test_a_number_twice_in_a_batch_keeps_one_of_the_two():
    bank = projections.MemoryBank(3)
    features, rows, _ = run(bank, batch([1, 1]))
    assert any(np.allclose(rows[1], feature) for feature in features)


def test_nothing_is_finite_only_by_luck():
    bank = projections.MemoryBank(3)
    zeros = np.zeros((2, 3), "float32")
    for _ in range(2):
        features, rows, _ = run(bank, (zeros, np.array([0, 1])))
        assert np.isfinite(features).all()
        assert np.isfinite(rows).all()


def test_no_gradient_reaches_the_teacher_and_nothing_is_trained():
    bank = projections.MemoryBank(3)
    features, index = map(tf.constant, batch([0, 1]))
    with tf.GradientTape() as tape:
        tape.watch(features)
        out, rows, _ = bank((features, index), training=True)
        value = tf.reduce_sum(out) + tf.reduce_sum(rows)
    assert tape.gradient(value, features) is None
    assert bank.trainable_weights == []


def test_half_precision_features_and_an_index_of_any_kind():
    features = np.array([[3.0, 4.0], [0.0, 2.0]], "float16")
    for index in (np.array([0, 1], "int64"), np.array([[0], [1]], "int32"), np.array([0.0, 1.0], "float32")):
        out, rows, _ = run(projections.MemoryBank(2), (features, index))
        assert out.dtype == rows.dtype == np.float32
        np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 1.0]], rtol=1e-6)


def test_the_batch_may_be_unknown():
    bank = projections.MemoryBank(5)
    specs = (tf.TensorSpec((None, 3)), tf.TensorSpec((None,), "int64"), tf.TensorSpec((None,), "int64"))
    bank(tuple(keras.KerasTensor(s.shape, s.dtype.name) for s in specs))
    call = tf.function(lambda *x: bank(x, training=True)).get_concrete_function(*specs)
    features, index = batch([0, 1, 2, 3])
    _, rows, negatives = call(tf.constant(features), tf.constant(index), tf.constant([0, 0, 1, 1], "int64"))
    assert rows.shape == (5, 3)
    assert np.asarray(negatives)[0].tolist() == [False, False, True, True, False]


def test_replicas_write_what_the_first_one_saw():
    cpu = tf.config.list_logical_devices("CPU")[0].name
    strategy = tf.distribute.MirroredStrategy([cpu])
    with strategy.scope():
        bank = projections.MemoryBank(3)
        bank.build(((None, 3), (None,)))
    features, index = map(tf.constant, batch([0, 2]))
    strategy.run(tf.function(lambda: bank((features, index), training=True)))
    assert np.asarray(bank.written).tolist() == [1, 0, 1, 0]


def test_a_file_holds_the_memory(tmp_path):
    features, index = keras.Input((3,)), keras.Input((), dtype="int32")
    bank = projections.MemoryBank(4, momentum=0.25, name="bank")
    model = keras.Model([features, index], bank((features, index))[0])
    run(bank, batch([3, 1]))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").get_layer("bank")
    assert again.get_config() == bank.get_config()
    np.testing.assert_array_equal(again.rows, bank.rows)
    np.testing.assert_array_equal(again.written, bank.written)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 3)], "is called on"),
        ([(2, 3), (2,), (2,), (2,)], "is called on"),
        ([(2, 4, 4, 3), (2,)], "after pooling"),
        ([(2, 3), (2, 2)], "one index per sample"),
        ([(2, 3), (2,), (2, 2, 2)], "one-hot"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ValueError, match=message):
        projections.MemoryBank(4)(tuple(tf.ones(shape) for shape in shapes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": 1}, "at least 2"),
        ({"samples": 10.5}, "integer"),
        ({"samples": 4, "momentum": 1.0}, "below 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        projections.MemoryBank(**arguments)

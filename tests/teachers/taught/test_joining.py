"""Data is joined by the key of each sample, and what differs is refused by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.joining import join
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import Store
from tests.teachers.taught.conftest import CLASSES, Told, X, Y, classifier


def slices(*parts):
    return tf.data.Dataset.from_tensor_slices(parts)


TEACHER = classifier()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joining") / "cache"
    kd.precompute(TEACHER, (X, Y), folder, dtype="float32", signals=["output", "features"], verbose=False)
    return Store(folder)


PIPELINES = {
    "shuffled": lambda data: data.shuffle(40).batch(7),
    "filtered": lambda data: data.filter(lambda x, y: y > 1).batch(7),
    "repeated": lambda data: data.batch(30).repeat(2),
    "skipped": lambda data: data.skip(11).batch(7, drop_remainder=True),
    "weighted": lambda data: data.map(lambda x, y: (x, y, 0.5)).batch(7),
    "without labels": lambda data: data.map(lambda x, y: x).batch(7),
}


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_what_is_joined_is_what_the_teacher_answers(store, pipeline):
    data = pipeline(slices(X, Y))
    batches = list(join(store, data, ["output", "features"], None, None))
    assert batches
    for batch in batches:
        taught = batch[0]
        np.testing.assert_allclose(taught.signals["output"], TEACHER(taught.inputs), atol=1e-6)
        np.testing.assert_allclose(taught.signals["features"], TEACHER.layers[0](taught.inputs), atol=1e-6)
        assert isinstance(taught, kd.Taught)


def test_shapes_and_sizes_are_known(store):
    joined = join(store, slices(X, Y).batch(7), ["output"], None, None)
    assert joined.element_spec[0].signals == {"output": tf.TensorSpec((None, CLASSES))}
    assert len(joined) == 6


CHANGED = {
    "one pixel": (X + (np.arange(40) == 3)[:, None, None, None] * np.eye(6)[..., None] * 1e-3, 1, 3),
    "all": (X[:, ::-1], 40, 0),
    "a new sample": (np.concatenate([X[:5], X[:1] + 1]), 1, 5),
}


@pytest.mark.parametrize(("x", "count", "first"), CHANGED.values(), ids=CHANGED)
def test_changed_inputs_are_refused(store, x, count, first):
    samples = "1 sample" if count == 1 else f"{count} samples"
    message = (
        rf"holds no signals of {samples} of {len(x)} in the batch, the first at position {first}, with key "
        r"[0-9a-f]{16}. Its inputs are not those that were taught"
    )
    data = tf.data.Dataset.from_tensors((x.astype("float32"),))
    with pytest.raises(ValueError, match=message):
        join(store, data, ["output"], None, None)


@pytest.mark.slow
def test_a_later_batch_is_refused_in_training(store):
    x = X.copy()
    x[30] += 1
    data = join(store, slices(x, Y).batch(10), ["output"], None, None)
    distiller = kd.Distiller(classifier(name="student"))
    distiller.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="1 sample of 10 in the batch, the first at position 30"
    ):
        distiller.fit(data, verbose=0)


def test_keys_of_a_user_find_and_the_content_is_checked(teacher, cache):
    data = slices({"image": X, "id": np.arange(40) * 10}, Y)
    named = {"key": "id", "teacher_preprocess": lambda x: x["image"], "verbose": False}
    kd.precompute(teacher, data.batch(8), cache, dtype="float32", **named)
    taught, _ = next(iter(kd.load_taught(cache, data.shuffle(40).batch(40), key="id")))
    np.testing.assert_allclose(taught.signals["output"], teacher(taught.inputs["image"]), atol=1e-6)
    others = slices({"image": X, "id": np.roll(np.arange(40), 1) * 10}, Y)
    with pytest.raises(ValueError, match=r"40 samples of 40 .* position 0, differ from what the teacher saw"):
        kd.load_taught(cache, others.batch(40), key="id")
    new = slices({"image": X, "id": np.arange(40) * 10 + 1}, Y)
    with pytest.raises(
        ValueError, match=r"with key 1. The key is the part id; samples that are new are added"
    ):
        kd.load_taught(cache, new.batch(40), key="id")


def test_by_position_another_order_is_refused(teacher, cache):
    kd.precompute(teacher, (X, Y), cache, key="index", verbose=False)
    with pytest.raises(ValueError, match="the first at position 2, differ from what the teacher saw"):
        kd.load_taught(cache, (np.concatenate([X[:2], X[2:][::-1]]), Y), key="index", batch_size=40)


def test_tokens_without_padding(tmp_path):
    """Each batch is padded as its inputs are, and what the padding holds is not stored."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(tokens)
    logits = keras.layers.Dense(6)(keras.layers.LSTM(3, return_sequences=True)(embedded))
    teacher = keras.Model(tokens, logits)
    lengths = np.random.default_rng(0).integers(1, 9, 20)
    texts = tf.data.Dataset.from_generator(
        lambda: (np.full(n, n, "int32") for n in lengths), output_signature=tf.TensorSpec([None], tf.int32)
    )
    cache = tmp_path / "texts"
    options = {"dtype": "float32", "top_k": 6, "verbose": False}
    kd.precompute(teacher, texts.padded_batch(4), cache, **options)
    assert len(Ledger(cache).array(0, "0")) == sum(set(lengths.tolist()))
    for (taught,) in kd.load_taught(cache, texts.shuffle(20).padded_batch(7)):
        expected = teacher(taught.inputs)
        assert taught.signals["output"].shape == expected.shape
        kept = np.asarray(taught.inputs) > 0
        np.testing.assert_allclose(
            np.asarray(taught.signals["output"])[kept], np.asarray(expected)[kept], atol=1e-5
        )
        assert not np.asarray(taught.signals["output"])[~kept].any()


def test_signals_of_a_teacher_that_is_no_model(cache):
    told = Told(lambda x: {"output": x.mean((1, 2, 3)), "ids": np.arange(len(x))})
    data = kd.precompute(
        told, X, cache, signals=["output", "ids"], dtype="float32", shuffle=False, verbose=False
    )
    (first,) = next(iter(data))
    np.testing.assert_allclose(first.signals["output"], X[:32].mean((1, 2, 3)), rtol=1e-6)
    assert first.signals["ids"].dtype == tf.int64

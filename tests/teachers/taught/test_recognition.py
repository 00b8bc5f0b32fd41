"""A teacher without a fingerprint is asked again for what is stored, and told from another by its answers."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_kd as kd
from keras_kd.teachers.taught.recognition import differences
from keras_kd.teachers.taught.records import StoredSignal
from tests.teachers.taught.conftest import X, Y

FLAT = X.reshape(40, 36)
KERNEL = np.random.default_rng(3).normal(size=(36, 5)).astype("float32")


@given(st.integers(0, 10_000), st.sampled_from([None, 1, 3, 7]), st.sampled_from([None, "softmax"]))
@settings(max_examples=40, deadline=None)
def test_what_comes_back_is_recognized_and_another_answer_is_not(seed, top_k, activation):
    random = np.random.default_rng(seed)
    values = random.normal(0, 3, (6, 7)).astype("float32")
    if activation:
        values = np.exp(values) / np.exp(values).sum(-1, keepdims=True)
    for dtype in ("float16", "float32"):
        signal = StoredSignal("output", (7,), dtype, "float32", activation, top_k)
        stored = signal.decode(signal.encode(values))
        noise = 1 + 1e-6 * random.normal(size=values.shape)
        assert not differences(signal, stored, values * noise).any()
        other = values.copy()
        row, ranks = seed % 6, values[seed % 6].argsort()
        changed = ranks[[0, -1][seed % 2]]  # the least likely class, or the likeliest
        other[row, changed] = 0.3 + values[row].max()
        gaps = differences(signal, stored, other)
        assert gaps[row] > 0.29
        assert np.count_nonzero(gaps) == 1


def test_other_shapes_integers_padding_and_suppressed_classes():
    tokens = StoredSignal("output", (None, 2), "float16", "float32", length_of=0)
    stored = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [0.0, 0.0]]])
    again = stored + np.array([[[0, 0], [0, 0]], [[0, 0], [5, 5]]])  # in the padding
    assert not differences(tokens, stored, again).any()
    assert differences(tokens, stored, stored[:, :1]).tolist() == [np.inf, np.inf]
    ids = StoredSignal("ids", (), "int64", "int64")
    assert differences(ids, np.array([1, 2]), np.array([1, 5])).tolist() == [0, 3]
    dense = StoredSignal("output", (2,), "float16", "float32")
    suppressed = np.array([[-np.inf, 1.0], [2.0, 1.0]])
    assert not differences(dense, suppressed, suppressed).any()
    assert differences(dense, suppressed, np.ones((2, 2))).tolist() == [np.inf, 1.0]
    assert not differences(dense, suppressed, suppressed * [1, 1.005], least=1e-2).any()


class Calls:
    """A plain function that counts what it is asked."""

    def __init__(self, kernel=KERNEL):
        self.kernel, self.rows = kernel, []

    def __call__(self, x):
        self.rows.append(len(x))
        return x @ self.kernel


WAYS = {
    "whole": {},
    "in parts": pytest.param({"part": (0, 1)}, marks=pytest.mark.slow),
    "top k": {"top_k": 2},
}


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
def test_a_plain_function_is_recognized_by_its_answers(cache, options):
    options = {**options, "shard_size": 16, "batch_size": 8, "verbose": False}
    first = Calls()
    kd.precompute(first, (FLAT, Y), cache, **options)
    assert sum(first.rows) == 8 + 40  # the first batch tells how signals are stored
    again = Calls(KERNEL * (1 + 1e-7))
    kd.precompute(again, (FLAT, Y), cache, **options)
    assert sum(again.rows) == 8 + 8
    message = (
        r"another teacher, or .* its 'output' of sample \d of the data is off by \d.* of 8 samples differ"
    )
    with pytest.raises(FileExistsError, match=message):
        kd.precompute(Calls(1.5 * KERNEL), (FLAT, Y), cache, **options)


def test_a_cache_that_was_begun_is_not_continued_by_another_function(cache):
    def stops(x):
        if 8 * len(calls) >= 24:
            raise KeyboardInterrupt
        calls.append(x)
        return x @ KERNEL

    calls = []
    with pytest.raises(KeyboardInterrupt):
        kd.precompute(stops, FLAT, cache, batch_size=8, verbose=False)
    with pytest.raises(FileExistsError, match=r"sample 7 of the data is off by 19\.7"):
        kd.precompute(lambda x: x @ -KERNEL, FLAT, cache, batch_size=8, verbose=False)
    taught = kd.precompute(lambda x: x @ KERNEL, FLAT, cache, batch_size=8, verbose=False)
    for (batch,) in taught:
        np.testing.assert_allclose(batch.signals["output"], batch.inputs @ KERNEL, atol=1e-2)


def test_a_function_within_a_model_and_one_that_says_what_it_is(cache, tmp_path):
    within = kd.as_teacher(lambda x: x @ KERNEL, inputs=(36,), host=True, name="f")
    kd.precompute(within, FLAT, cache, verbose=False)
    other = kd.as_teacher(lambda x: x @ -KERNEL, inputs=(36,), host=True, name="f")
    with pytest.raises(FileExistsError, match="is off by"):
        kd.precompute(other, FLAT, cache, verbose=False)
    with pytest.raises(ValueError, match=r"`teacher` has no fingerprint.*kd.precompute with the same argume"):
        kd.load_taught(cache, FLAT, teacher=within)
    named = Calls()
    named.fingerprint = "version 1"
    kd.precompute(named, FLAT, tmp_path / "named", verbose=False)
    assert kd.load_taught(tmp_path / "named", FLAT, teacher=named)
    assert isinstance(within, keras.Model)
    asked = sum(named.rows)
    kd.precompute(named, FLAT, tmp_path / "named", verbose=False)
    assert sum(named.rows) == asked + 32  # the first batch alone
    named.fingerprint = "version 2"
    with pytest.raises(FileExistsError, match="another teacher: its fingerprint differs"):
        kd.precompute(named, FLAT, tmp_path / "named", verbose=False)

"""What was written is read at random, by key, from any number of shards."""

import dataclasses

import numpy as np
import pytest

from keras_kd.teachers.taught.answering import mask_name
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.writer import ShardWriter
from tests.teachers.taught.test_manifest import MADE

SIGNALS = (
    StoredSignal("output", (3,), "float32", "float32"),
    StoredSignal("t", (None, 2), "float32", "float32"),
)
KEYS = np.random.default_rng(0).integers(0, 2**63, 20).astype(np.uint64) * np.uint64(2)
OUTPUT = np.random.default_rng(1).random((2, 20, 3)).astype("float32")
TOKENS = np.random.default_rng(2).random((2, 20, 4, 2)).astype("float32")
LENGTHS = np.arange(20) % 5


@pytest.fixture
def store(tmp_path):
    dataclasses.replace(MADE, signals=SIGNALS).save(tmp_path)
    writer = ShardWriter(Ledger(tmp_path), SIGNALS, 2, rows=6)
    mask = np.arange(4) < LENGTHS[:, None]
    for at in (slice(0, 7), slice(7, 9), slice(9, 20)):
        answers = [
            {"output": OUTPUT[view, at], "t": TOKENS[view, at], mask_name("t"): mask[at]} for view in range(2)
        ]
        writer.add(KEYS[at], np.stack([KEYS[at], KEYS[at] + 1], 1), answers)
    writer.flush()
    return Store(tmp_path)


def test_found_in_any_order(store):
    assert len(store) == 20
    order = np.random.default_rng(3).permutation(20)
    places = store.find(KEYS[order])
    for view in range(2):
        np.testing.assert_array_equal(store.read("output", places, view), OUTPUT[view, order])
        assert (store.digests(places, view) == KEYS[order] + np.uint64(view)).all()
        padded = store.read("t", places, view, length=6)
        assert padded.shape == (20, 6, 2)
        for row, sample in enumerate(order):
            np.testing.assert_array_equal(
                padded[row, : LENGTHS[sample]], TOKENS[view, sample, : LENGTHS[sample]]
            )
            assert not padded[row, LENGTHS[sample] :].any()
    assert store.read("t", places[LENGTHS[order] == 2], 0).shape[1] == 2
    with pytest.raises(ValueError, match="Sample 3 of the batch has 2 tokens, and the teacher's 't' has 3"):
        store.read("t", store.find(KEYS[:4]), 0, length=2)


def test_missing_keys(store):
    found = store.find(np.array([KEYS[3] + np.uint64(1), KEYS[3], 0, 2**64 - 1], np.uint64))
    assert found.tolist() == [-1, 3, -1, -1]
    assert store.read("output", np.zeros(0, np.int64), 0).shape == (0, 3)


def test_without_any_shard(tmp_path):
    MADE.save(tmp_path)
    empty = Store(tmp_path)
    assert len(empty) == 0
    assert empty.find(KEYS).tolist() == [-1] * 20


def test_damage_is_found_when_it_is_opened(store):
    path = store.folder / "00001.rows.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"00001.rows.npy was changed or damaged"):
        Store(store.folder)
    Store(store.folder, verify=False)

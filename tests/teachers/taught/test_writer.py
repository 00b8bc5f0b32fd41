"""Rows become shards of a size, and an answer that cannot be stored names its row."""

import numpy as np
import pytest

from keras_kd.teachers.taught.answering import mask_name
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.writer import AnswerError, ShardWriter, default_rows

OUTPUT = StoredSignal("output", (3,), "float16", "float32")
PROBABILITIES = StoredSignal("output", (3,), "float16", "float32", "softmax")
TOKENS = StoredSignal("output", (None, 2), "float16", "float32")


def write(folder, signal, values, mask=None, **options):
    writer = ShardWriter(Ledger(folder), [signal], 1, **options)
    keys = np.arange(len(values), dtype=np.uint64)
    answer = {"output": values} | ({} if mask is None else {mask_name("output"): mask})
    writer.add(keys, keys[:, None], [answer])
    return writer


def test_shards_are_written_when_they_are_full(tmp_path):
    writer = ShardWriter(Ledger(tmp_path), [OUTPUT], 1, rows=5)
    for start in range(0, 12, 3):
        keys = np.arange(start, start + 3, dtype=np.uint64)
        writer.add(keys, keys[:, None], [{"output": np.full((3, 3), start)}])
    assert Ledger(tmp_path).finished() == {0: 6, 1: 6}
    writer.flush()
    assert len(Ledger(tmp_path).finished()) == 2
    write(tmp_path, OUTPUT, np.zeros((2, 3))).flush()  # goes on
    assert Ledger(tmp_path).finished() == {0: 6, 1: 6, 2: 2}


def test_one_shard_takes_all_rows_and_may_have_none(tmp_path):
    writer = write(tmp_path, OUTPUT, np.zeros((20_000, 3)), number=7)
    assert Ledger(tmp_path).finished() == {}
    writer.flush()
    write(tmp_path, TOKENS, np.zeros((0, 4, 2)), number=9).flush(even_empty=True)
    assert Ledger(tmp_path).finished() == {7: 20_000, 9: 0}
    Ledger(tmp_path).check(9)


def test_how_many_rows_a_shard_has_by_default():
    ids, wide = np.zeros((2, 2048)), StoredSignal("output", (None, 32_000), "float16", "float32", top_k=50)
    assert default_rows([OUTPUT], 1, ids) == 2**14
    assert default_rows([wide], 1, ids) == -(-(2**27) // (8 + 12 + 2048 * 204))
    assert default_rows([wide], 2, ids) == -(-(2**27) // (16 + 24 + 2 * 2048 * 204))


def test_padding_is_left_out(tmp_path):
    values = np.arange(24, dtype="float32").reshape(3, 4, 2)
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]], bool)
    write(tmp_path, TOKENS, values, mask).flush()
    ledger = Ledger(tmp_path)
    rows = ledger.array(0, "rows")["0"][:, 0]
    assert rows["start"].tolist() == [0, 2, 2]
    assert rows["length"].tolist() == [2, 0, 3]  # what lies between tokens stays
    expected = np.concatenate([values[0, :2], values[2, :3]])
    np.testing.assert_array_equal(ledger.array(0, "0")["values"], expected)


def with_value(value, row=1, shape=(3, 3)):
    values = np.zeros(shape, "float32")
    values[row] = value
    return values


ERRORS = {
    "NaN": (OUTPUT, with_value(np.nan), None, 1, "'output' is NaN or infinite"),
    "infinite": (OUTPUT, with_value(np.inf, 2), None, 2, "NaN or infinite"),
    "too large": (
        OUTPUT,
        with_value(1e5),
        None,
        1,
        "is 1e\\+05, more than float16 holds. Pass dtype='float32'",
    ),
    "a large token": (TOKENS, with_value(1e5, 2, (3, 4, 2)), None, 2, "more than float16 holds"),
    "no probabilities": (PROBABILITIES, with_value(1 / 3, slice(0, 2)), None, 2, "held probabilities so far"),
    "another shape": (OUTPUT, np.zeros((3, 4)), None, 0, r"shape \(4,\) here and \(3,\) in the first batch"),
    "a mask of others": (TOKENS, np.zeros((3, 4, 2)), np.ones((3, 5)), 0, r"mask has the shape \(3, 5\)"),
}


@pytest.mark.parametrize(("signal", "values", "mask", "row", "message"), ERRORS.values(), ids=ERRORS)
def test_answers_that_cannot_be_stored(tmp_path, signal, values, mask, row, message):
    with pytest.raises(AnswerError, match=message) as caught:
        write(tmp_path, signal, values, mask)
    assert caught.value.row == row

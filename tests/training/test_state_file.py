"""The file of kd.FullState: what it can hold, and what it refuses to read."""

import numpy as np
import pytest

from keras_kd.training.state_file import is_storable, prepare_path, read_state, write_state


def test_plain_values_and_arrays_make_the_round_trip(tmp_path):
    values = {"a": [1, 2.5, None, "x", True, float("inf")], "b": {"c": np.arange(3)}, "d": np.float32(2)}
    path = tmp_path / "deep" / "state"
    write_state(path, values)
    found = read_state(path)
    assert found["a"] == values["a"]
    np.testing.assert_array_equal(found["b"]["c"], np.arange(3))
    assert found["d"].dtype == np.float32
    assert [file.name for file in path.parent.iterdir()] == ["state"]
    assert not is_storable({"f": print})
    values = {"by": {1: (2, "x"), (3, 4): {5, 6}}}
    write_state(path, values)
    assert read_state(path) == values
    assert not is_storable(np.array([None]))


def save_array(path):
    with path.open("wb") as file:
        np.save(file, np.ones(3))


OTHER_FILES = {
    "rubbish": lambda path: path.write_bytes(b"not an archive"),
    "another archive": lambda path: np.savez(path, a=np.ones(3)),
    "cut off": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(40)),
    "without some keys": lambda path: write_state(path, {"epoch": 1}),
    "a list": lambda path: write_state(path, [1]),
    "an array": save_array,
    "pickled": lambda path: np.savez(path, json=np.array([{}], dtype=object)),
}


@pytest.mark.parametrize("write", OTHER_FILES.values(), ids=OTHER_FILES)
def test_files_of_another_kind_are_refused_and_kept(write, tmp_path):
    path = tmp_path / "state.npz"
    write(path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"is not a checkpoint written by kd\.FullState, or it is damaged\. Delete it"
    ):
        read_state(path, ["epoch", "batch"])
    assert path.read_bytes() == before


def test_the_folder_is_created_and_nothing_else(tmp_path):
    prepare_path(tmp_path / "a" / "b" / "state.npz")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    with pytest.raises(IsADirectoryError, match="is a folder"):
        prepare_path(tmp_path / "a")

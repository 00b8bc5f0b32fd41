"""Zip archives: whatever is damaged is found, by flipping their bytes one by one."""

import io
import zipfile

import numpy as np
import pytest

from keras_kd.archives import DamagedArchive, check_archive, read_arrays

ARRAYS = {"x": np.arange(12.0).reshape(4, 3), "labels": np.array([1, 2], "uint8")}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_refused_or_changes_nothing(save, tmp_path):
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    content, refused = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = read_arrays(path)
        except DamagedArchive:
            refused += 1
        else:
            assert found.keys() == ARRAYS.keys(), place
            assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS), place
    assert refused > len(content) / 2


def archive(path, files):
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files:
            zipped.writestr(name, content)
    return path


def npy(array, change=lambda header: header):
    file = io.BytesIO()
    np.save(file, array)
    return change(file.getvalue())


OVERFLOW = f"({2**40}, {2**40})".encode()
HEADERS = {
    "no header": b"text",
    "cut off": npy(np.ones(9))[:-1],
    "empty": b"",
    "shape that overflows": npy(np.ones(1), lambda h: h.replace(b"(1,)", OVERFLOW)),
    "more than memory": npy(np.ones(1), lambda h: h.replace(b"(1,)", f"({2**50},)".encode())),
    "negative shape": npy(np.ones(1), lambda h: h.replace(b"(1,)", b"(-1,)")),
    "unknown type": npy(np.ones(1), lambda h: h.replace(b"<f8", b"<q9")),
    "no dictionary": npy(np.ones(1), lambda h: h.replace(b"{'descr'", b"['descr'")),
    "objects": npy(np.ones(1), lambda h: h.replace(b"<f8", b"|O")),
    "unknown version": npy(np.ones(1), lambda h: h[:6] + b"\x09" + h[7:]),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_headers_that_make_no_sense_are_refused(content, tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", content)])
    with pytest.raises(DamagedArchive) as caught:
        read_arrays(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("second", ["x.npy", "x"])
def test_two_arrays_of_a_name_are_refused(second, tmp_path):
    with pytest.warns() if second == "x.npy" else pytest.MonkeyPatch.context():  # zipfile warns of it
        path = archive(tmp_path / "a.npz", [("x.npy", npy(np.ones(1))), (second, npy(np.zeros(1)))])
    with pytest.raises(DamagedArchive, match=r"more than once|two arrays of the same name"):
        read_arrays(path)


def test_what_is_read_only_in_part_is_checked_whole(tmp_path):
    path = archive(tmp_path / "a.zip", [("long", bytes(10_000))])
    content = bytearray(path.read_bytes())
    content[9_000] = 1
    path.write_bytes(content)
    with pytest.raises(DamagedArchive, match="'long' in it was changed after it was written"):
        check_archive(path)


@pytest.mark.slow
def test_more_files_than_the_record_at_the_end_can_count(tmp_path):
    check_archive(archive(tmp_path / "a.zip", [(str(number), b"") for number in range(2**16 + 1)]))


def test_missing_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")

"""Files that are written whole or not at all, and what is known before they are."""

import pytest

from keras_kd.files import check_writable, write_atomically


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def fail():
        with write_atomically(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
    with write_atomically(path) as part:
        part.write_text("new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path / "a.md", suffixes=(".html", ".md"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("a.txt", {"suffixes": (".html", ".md", ".json")}, ValueError, r"end in \.html, \.md or \.json"),
        ("a.txt", {"suffixes": (".tflite",)}, ValueError, r"end in \.tflite"),
        ("none/a.txt", {}, FileNotFoundError, "does not exist"),
        ("folder", {}, IsADirectoryError, "is a folder"),
        ("there.txt", {"overwrite": False}, FileExistsError, "overwrite=True"),
    ],
)
def test_refused_before_the_work(tmp_path, name, given, error, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.txt").write_text("kept")
    with pytest.raises(error, match=message):
        check_writable(tmp_path / name, **given)
    assert (tmp_path / "there.txt").read_text() == "kept"

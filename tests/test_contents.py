"""What files and folders hold, as a digest."""

import hashlib

import pytest

from keras_kd.contents import content_digest, file_digest


def test_a_file_by_its_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"all of it")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"all of it").hexdigest()
    assert content_digest(tmp_path / "a") == file_digest(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        file_digest(tmp_path / "b")


def test_a_folder_by_the_names_and_contents_of_all_files_in_it(tmp_path):
    def made(name, files):
        for inside, text in files.items():
            (tmp_path / name / inside).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / inside).write_text(text)
        return content_digest(tmp_path / name)

    whole = made("one", {"a": "1", "b/c": "2"})
    assert made("other order", {"b/c": "2", "a": "1"}) == whole
    others = [{"a": "1"}, {"a": "1", "b/c": "3"}, {"a": "1", "b/d": "2"}, {"a": "1", "b/c": "2", "d": ""}]
    assert len({whole, *(made(f"other {i}", files) for i, files in enumerate(others))}) == 5

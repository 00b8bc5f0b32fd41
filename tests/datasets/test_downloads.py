"""Preparing datasets of tensorflow-datasets."""

import logging

import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import downloader

from keras_kd.datasets.downloads import prepare_by_download


def test_a_dataset_is_prepared(data_dir, capsys):
    builder, lines = tfds.builder("tiny_pictures"), []
    prepare_by_download(builder, lines.append)
    assert lines == ["Preparing tiny_pictures/1.0.0 by downloading it: takes a while, only this time"]
    assert builder.data_path.is_relative_to(data_dir)
    assert builder.data_path.exists()
    assert capsys.readouterr().out == ""


def test_without_a_network_there_is_one_error_and_soon(data_dir, caplog, monkeypatch):
    monkeypatch.setattr(downloader, "MAX_RETRIES", 7)
    with pytest.raises(
        OSError, match=r"^tiny_offline/1.0.0 could not be .* \(no connection to 127.0.0.1\). It ne"
    ):
        prepare_by_download(tfds.builder("tiny_offline"), lambda line: None)
    assert [record for record in caplog.records if record.name.startswith("urllib3")] == []
    assert downloader.MAX_RETRIES == 7
    logging.getLogger("urllib3.connectionpool").warning("of somebody else")
    assert "of somebody else" in caplog.text

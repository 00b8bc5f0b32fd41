"""Arguments of export that do not go together, or a path that cannot be written: refused before any work."""

import sys

import pytest

import keras_kd as kd
from keras_kd.deployment.arguments import check_integer, check_quantization, select_batch_size
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.quantizations import INT8
from keras_kd.deployment.tflite import export
from tests.deployment import small


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantization": "int9"}, r"Unknown quantization 'int9'.*Did you mean 'int8'\?"),
        ({"quantization": "x"}, r"Unknown quantization 'x'; expected one of"),
        ({"quantization": "int8"}, "needs calibration=: a few hundred samples"),
        ({"quantization": "int16x8"}, "needs calibration=: a few hundred samples"),
        ({"io": "int8"}, r"io='int8' does not work with quantization=None; expected one of \('float32',\)"),
        ({"io": "int8", "quantization": "int16x8", "calibration": 0}, r"one of \('float32', 'int16'\)"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1; received 0"),
        ({"batch_size": True}, "received True"),
        *(
            (
                {"sparse": True, "quantization": kind},
                rf"sparse=True works with .*'float16'.*; received '{kind}'",
            )
            for kind in ("dynamic", "int8", "int16x8")
        ),
    ],
)
def test_options_that_do_not_fit(options, message, dense, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(dense, tmp_path / "m.tflite", **options)
    assert list(tmp_path.iterdir()) == []


def test_the_row_of_a_quantization_is_returned(dense):
    assert check_quantization(dense, "int8", "uint8", sparse=False, calibrated=True) is INT8


def test_paths_that_cannot_be_written(dense, tmp_path):
    with pytest.raises(ValueError, match=r"must end in .tflite. Received: .*m\.tfl'"):
        export(dense, tmp_path / "m.tfl")
    with pytest.raises(FileNotFoundError, match=r"folder .*no' does not exist; create it first"):
        export(dense, tmp_path / "no" / "m.tflite")
    (tmp_path / "old.tflite").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="exists; pass overwrite=True to replace it"):
        export(dense, tmp_path / "old.tflite")
    assert (tmp_path / "old.tflite").read_bytes() == b"old"
    export(dense, tmp_path / "old.tflite", overwrite=True)
    assert LiteModel(tmp_path / "old.tflite").inputs[0].shape == (1, 4)
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export(dense, tmp_path / "folder.tflite", overwrite=True)
    with pytest.raises(OSError, match="old"):
        export(dense, tmp_path / "old.tflite" / "m.tflite")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is a folder that nobody can write to")
def test_read_only_folder(dense):
    with pytest.raises(OSError, match=r"m\.tflite"):
        export(dense, "/proc/m.tflite")


def test_recurrent_layers_fix_the_batch_at_one():
    recurrent = small.nested_gru()
    note = "the batch is fixed at 1 because of the recurrent layer 'deep_gru'"
    assert select_batch_size(recurrent, None, None) == (1, [note])
    assert select_batch_size(recurrent, 4, None) == (4, [])
    assert select_batch_size(small.unrolled(), None, None) == (None, [])


def test_a_batch_that_the_model_fixes_stays_and_is_noted(dense):
    for wanted in (None, 1):
        assert select_batch_size(dense, wanted, 4) == (
            4,
            ["the batch is fixed at 4 by the inputs of the model"],
        )
    assert select_batch_size(dense, 4, 4) == (4, [])
    with pytest.raises(ValueError, match="batch_size=3 does not fit 'dense', whose inputs fix it at 4"):
        select_batch_size(dense, 3, 4)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_integers_are_checked(value, dense_file):
    with pytest.raises(ValueError, match=f"threads must be an integer of at least 1; received {value!r}"):
        check_integer("threads", value, 1)
    with pytest.raises(ValueError, match="threads must be an integer of at least 1"):
        kd.LiteModel(dense_file, threads=value)

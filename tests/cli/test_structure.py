"""`keras-kd factorize` and `keras-kd sensitivity`."""

import json

import keras
import pytest

from keras_kd.cli.structure import parse_amount, parse_amounts, parse_layers
from tests.cli.conftest import run


def test_factorize(files, printed, tmp_path):
    words = ["factorize", files / "teacher.keras", "--out", tmp_path / "small.keras"]
    assert run(*words, "--rank", "0.25") == 0
    out, err = printed()
    assert out.splitlines()[0].split() == ["layer", "by", "rank", "parameters", "multiply-adds", "error", "%"]
    assert err.endswith(f"Model: {tmp_path / 'small.keras'}\n")
    small = keras.models.load_model(tmp_path / "small.keras")
    assert "stage2" in [layer.name for layer in small.layers]
    assert run(*words) == 1
    assert "--overwrite" in printed()[1]
    more = ["--data", files / "data.npz", "--layers", "stage2=2", "--skip", "logits", "--overwrite", "--json"]
    with pytest.warns(UserWarning, match="BatchNorm statistics of 'norm1'"):  # it was never trained
        assert run(*words, *more) == 0
    figures = json.loads(printed()[0])
    assert figures["weighted"]
    assert [row["layer"] for row in figures["layers"] if not row["reason"]] == ["stage2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rank", "half"], "Received: 'half'"),
        (["--rank", "inf"], "`--rank` is a whole number from 1"),
        (["--rank", "0"], "Received: 0"),
        (["--rank", "8.0"], "Did you mean 8?"),
        (["--energy", "90"], "Did you mean 0.9?"),
        (["--energy", "0.9", "--rank", "2"], "both say how much to keep"),
        (["--layers", "a=1", "--layers", "b"], "either each layer a rank, or none"),
        (["--layers", "a=2.5"], "`--layers a` is a whole number"),
        (["--data", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_wrong_options_are_answered_before_tensorflow_loads(
    words, said, files, printed, tmp_path, monkeypatch
):
    monkeypatch.setattr("keras_kd.cli.structure.load_library", lambda modules: pytest.fail("loaded"))
    assert run("factorize", files / "teacher.keras", "--out", tmp_path / "small.keras", *words) == 1
    assert said in " ".join(printed()[1].split())
    assert not list(tmp_path.iterdir())


def test_the_file_is_one_of_keras(files, printed, tmp_path):
    assert run("factorize", files / "teacher.keras", "--out", tmp_path / "small.h5") == 1
    assert ".keras" in printed()[1]


def test_options_are_parsed():
    assert [parse_amount(text, None) for text in ("8", "0.25", "1.0", None)] == [8, 0.25, 1.0, None]
    assert isinstance(parse_amount("8", None), int)
    assert parse_layers(["a", "b*"]) == ["a", "b*"]
    assert parse_layers(["a=4", "b*=0.5"]) == {"a": 4, "b*": 0.5}
    assert parse_layers(None) is None
    assert parse_amounts("8, 0.5,1") == [8, 0.5, 1]
    assert parse_amounts(None) is None


def test_sensitivity(files, printed, tmp_path):
    page = tmp_path / "page.html"
    words = ["sensitivity", files / "student.keras", "--data", files / "data.npz", "--recalibrate"]
    assert run(*words, "--by", "sparsity", "--amounts", "0.5,0.9", "--out", page, "--skip", "logits") == 0
    out, err = printed()
    assert out.splitlines()[0].split() == ["layer", "0.5", "0.9"]
    assert "on 20 samples, recalibrated" in out
    assert "data: 20 rows for validation, set aside from x_train" in err
    assert err.endswith(f"Written: {page}\n")
    assert "--shade" in page.read_text()
    assert run(*words, "--samples", "15", "--amounts", "0.5", "--json", "--out", page) == 1
    assert "--overwrite" in printed()[1]
    assert run(*words, "--samples", "15", "--amounts", "0.5", "--json") == 0
    figures = json.loads(printed()[0])
    assert (figures["by"], figures["samples"], figures["metric"]) == ("channels", 15, "accuracy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "chanels"], "chanels"),
        (["--amounts", "0.5,half"], "--amounts takes numbers"),
        (["--out", "page.md"], ".html or .json"),
        (["--samples", "0"], "greater than or equal to 1"),
    ],
)
def test_wrong_options_of_sensitivity_are_answered_before_tensorflow_loads(
    words, said, files, printed, monkeypatch
):
    monkeypatch.setattr("keras_kd.cli.structure.load_library", lambda modules: pytest.fail("loaded"))
    assert run("sensitivity", files / "student.keras", "--data", files / "data.npz", *words) in (1, 2)
    assert said in " ".join(printed()[1].split())

"""`keras-kd export`, `verify` and `benchmark`."""

import json

from tests.cli.conftest import run


def test_export_verify_benchmark(files, printed, tmp_path):
    target = tmp_path / "int8.tflite"
    words = ["export", files / "student.keras", "--out", target, "--quantization", "int8"]
    assert run(*words, "--data", files / "data.npz", "--json") == 0
    assert json.loads(printed()[0])["quantization"] == "int8"
    assert run("verify", files / "student.keras", target, "--data", files / "data.npz", "--json") == 0
    assert json.loads(printed()[0])["samples"] == 50
    words_of_verify = ["verify", files / "student.keras", target, "--data", files / "data.npz"]
    assert run(*words_of_verify, "--metric", "sparse_top_k_categorical_accuracy") == 0
    assert "sparse_top_k_categorical_accuracy of output_0: " in printed()[0]
    assert run(*words_of_verify, "--metric", "sparse_topk_categorical_accuracy") == 1
    assert "Did you mean 'sparse_top_k_categorical_accuracy'?" in " ".join(printed()[1].split())
    assert run("benchmark", target) == 0
    assert "ms" in printed()[0]
    assert run(*words, "--data", files / "data.npz") == 1
    assert printed()[1].startswith("Error: ")
    assert run(*words, "--data", files / "data.npz", "--overwrite") == 0
    assert run("export", files / "student.keras", "--out", tmp_path / "sparse.tflite", "--sparse") == 0
    assert "sparse" in printed()[0]
    assert run(*words, "--data", files / "data.npz", "--overwrite", "--sparse") == 1
    assert "sparse" in printed()[1]

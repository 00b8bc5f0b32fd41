"""Programs that run a file: the Python one runs as it stands and answers what the file answers."""

import re
import subprocess
import sys

import flatbuffers
import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from keras_kd.reports.snippets import make_snippets

X = np.random.default_rng(0).uniform(0, 16, (64, 4, 4, 1)).astype("float32")


def image_model(outputs=1):
    image = keras.Input((4, 4, 1), name="image")
    flat = keras.layers.Flatten()(image)
    heads = [keras.layers.Dense(3, name=f"scores{i}")(flat) for i in range(outputs)]
    return keras.Model(image, heads[0] if outputs == 1 else heads)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("float32", {}),
        ("free", {"batch_size": None}),
        ("int8", {"quantization": "int8", "calibration": X}),
        ("int8 io's $1", {"quantization": "int8", "calibration": X, "io": "int8"}),
        ("uint8", {"quantization": "int8", "calibration": X, "io": "uint8"}),
        ("int16", {"quantization": "int16x8", "calibration": X, "io": "int16"}),
    ],
)
def test_the_python_program_answers_what_the_file_answers(name, options, tmp_path, monkeypatch, capsys):
    path = tmp_path / f"{name}.tflite"
    export(image_model(), path, **options)
    program = make_snippets(path)["Python"]
    monkeypatch.chdir(tmp_path)
    # In place of the sample of zeros, one that tells something.
    program = program.replace("np.zeros((1, 4, 4, 1), 'float32')", "X[:1]")
    namespace = {"X": X}
    exec(program, namespace)
    answers = namespace["outputs"]["scores0"]
    step = LiteModel(path).outputs[0].scale
    np.testing.assert_allclose(answers, LiteModel(path).predict(X[:1]), atol=1.01 * step + 1e-6)
    assert np.ptp(answers) > 1
    assert "scores0" in capsys.readouterr().out


def test_the_python_program_runs_as_it_stands(tmp_path):
    path = tmp_path / "int8.tflite"
    export(image_model(2), path, quantization="int8", calibration=X)
    script = tmp_path / "run.py"
    script.write_text(make_snippets(path)["Python"])
    done = subprocess.run([sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^scores\d", done.stdout, re.M) == ["scores0", "scores1"]


def test_a_file_without_a_signature(tmp_path, monkeypatch):
    path = tmp_path / "old.tflite"
    content = bytearray(export(image_model(), tmp_path / "new.tflite").path.read_bytes())
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    model.signatureDefs = model.metadata = None
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    snippets = make_snippets(path)
    assert list(snippets) == ["Python"]
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(snippets["Python"], namespace)
    assert [values.shape for values in namespace["outputs"].values()] == [(1, 3)]


def test_the_range_of_the_inputs_is_told(tmp_path):
    export(image_model(), tmp_path / "int8.tflite", quantization="int8", calibration=X)
    export(image_model(), tmp_path / "float32.tflite")
    snippets = make_snippets(tmp_path / "int8.tflite")
    for program in snippets.values():
        assert re.search(r"4 x 4 x 1, from 0\S* to 1\S*, what lies outside is cut off", program)
    assert "on the scale of the training data" in make_snippets(tmp_path / "float32.tflite")["Python"]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            {},
            [
                "fun run(input: FloatArray): FloatArray {",
                'inputs.getValue("image").writeFloat(input)',
                'model.run(inputs, outputs, "serving_default")',
                'return outputs.getValue("scores0").readFloat()',
            ],
        ),
        (
            {"quantization": "int8", "calibration": X, "io": "int8"},
            [
                "import kotlin.math.roundToInt",
                'inputs.getValue("image").writeInt8(ByteArray(16) {',
                "((input[it] / ",
                'return outputs.getValue("scores0").readInt8().map { (it ',
            ],
        ),
        ({"batch_size": None}, None),
        ({"quantization": "int16x8", "calibration": X, "io": "int16"}, None),
    ],
)
def test_the_kotlin_program_passes_the_types_of_the_file(options, lines, tmp_path):
    path = tmp_path / "a $b.tflite"
    export(image_model(), path, **options)
    program = make_snippets(path).get("Kotlin")
    if lines is None:
        assert program is None
        return
    assert all(line in program for line in lines)
    assert r'context.assets, "a \$b.tflite"' in program
    assert program.count("{") == program.count("}")


def test_several_outputs_are_returned_by_name(tmp_path):
    export(image_model(2), tmp_path / "two.tflite")
    program = make_snippets(tmp_path / "two.tflite")["Kotlin"]
    assert "fun run(input: FloatArray): Map<String, FloatArray> {" in program
    assert 'private val outputs = listOf("scores0", "scores1")' in program
    assert '    "scores1" to outputs.getValue("scores1").readFloat(),' in program


def test_names_cannot_break_out_of_a_comment_or_a_string(tmp_path, monkeypatch):
    path = tmp_path / "a'\"\nprint(1).tflite"
    export(image_model(), path)
    monkeypatch.chdir(tmp_path)
    snippets = make_snippets(path)
    exec(snippets["Python"], {})
    assert "\nprint(1)" not in snippets["Python"] + snippets["Kotlin"]

"""The interface of a file: its order, names and structures are the model's."""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from keras_kd.deployment import interface
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from tests.deployment.foreign import rewritten

layers = keras.layers
SIZES = {"zebra": 2, "ant": 3, "mole": 4}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """Three inputs and outputs that change places if sorted by name, and the model's file."""
    inputs = [keras.Input((size,), name=name) for name, size in SIZES.items()]
    x = layers.Concatenate()(inputs)
    model = keras.Model(inputs, [layers.Dense(size, name=f"{name}s")(x) for name, size in SIZES.items()])
    return model, export(model, tmp_path_factory.mktemp("several") / "m.tflite")


def arrays(rows=5):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(rows, size)).astype("float32") for size in SIZES.values()]


def test_the_file_has_the_order_and_the_names_of_the_model(several):
    model, exported = several
    interpreter = Interpreter(model_path=str(exported.path))
    interpreter.allocate_tensors()
    listed, returned = interpreter.get_input_details(), interpreter.get_output_details()
    assert [(detail["name"], detail["shape"].tolist()) for detail in listed] == [
        (name, [1, size]) for name, size in SIZES.items()
    ]
    assert [detail["shape"].tolist() for detail in returned] == [[1, size] for size in SIZES.values()]
    x = arrays(1)
    for detail, array in zip(listed, x, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    for detail, wanted in zip(returned, model(x), strict=True):
        np.testing.assert_allclose(interpreter.get_tensor(detail["index"]), wanted, atol=1e-6)
    named = interpreter.get_signature_runner("serving_default")(**dict(zip(SIZES, x, strict=True)))
    for name, wanted in zip(model.output_names, model(x), strict=True):
        np.testing.assert_allclose(named[name], wanted, atol=1e-6)


def test_what_is_known_of_a_file_is_in_its_order(several):
    _, exported = several
    lite = LiteModel(exported.path)
    assert lite.inputs == exported.inputs
    assert [(t.index, t.name, t.shape) for t in exported.inputs] == [
        (0, "zebra", (1, 2)),
        (1, "ant", (1, 3)),
        (2, "mole", (1, 4)),
    ]
    assert [(t.index, t.name) for t in exported.outputs] == [(0, "zebras"), (1, "ants"), (2, "moles")]
    assert "input 1       ant (1, 3) float32" in str(exported)
    assert json.loads(exported.to_json())["outputs"][2]["index"] == 2


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda x: dict(zip(SIZES, x, strict=True)),
        lambda x: {f"input_{i}": x[i] for i in (2, 0, 1)},
    ],
    ids=["list", "tuple", "names", "numbers"],
)
def test_files_and_models_take_the_same_forms(form, several):
    model, exported = several
    x = arrays()
    outputs = LiteModel(exported.path).predict(form(x))
    assert isinstance(outputs, list)
    for output, wanted in zip(outputs, model(x), strict=True):
        np.testing.assert_allclose(output, wanted, atol=1e-6)
    data = form(x)
    assert verify(model, exported.path, (data, None) if isinstance(data, tuple) else data).max_error < 1e-5


def nested(x):
    return {"b": [layers.Dense(3)(x), layers.Dense(2)(x)], "a": {"c": layers.Dense(4)(x)}}


@pytest.mark.parametrize(
    "outputs",
    [nested, lambda x: (x, layers.Dense(2)(x)), lambda x: [x + i for i in range(12)], lambda x: {"only": x}],
    ids=["nested", "tuple", "twelve", "one_key"],
)
def test_outputs_have_the_structure_that_keras_returns(outputs, tmp_path):
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, outputs(inputs))
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    received = LiteModel(export(model, tmp_path / "m.tflite").path).predict(x)
    wanted = model(x)
    keras.tree.assert_same_structure(*map(keras.tree.lists_to_tuples, (received, wanted)))
    for got, want in zip(keras.tree.flatten(received), keras.tree.flatten(wanted), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_one_tensor_may_be_input_and_output_twice(tmp_path):
    inputs = keras.Input((4,), name="same")
    hidden = layers.Dense(2, name="hidden")(inputs)
    exported = export(keras.Model(inputs, [hidden, inputs, hidden]), tmp_path / "m.tflite")
    assert [tensor.shape for tensor in exported.outputs] == [(1, 2), (1, 4), (1, 2)]
    x = np.ones((2, 4), "float32")
    first, second, third = LiteModel(exported.path).predict(x)
    np.testing.assert_array_equal(second, x)
    np.testing.assert_array_equal(first, third)


@pytest.mark.parametrize("name", ["class", "self", "1", "x.y", "Straße"])
def test_names_that_python_or_tensorflow_would_not_take(name, tmp_path):
    inputs = keras.Input((2,), name=name)
    exported = export(keras.Model(inputs, {name: inputs + 1}), tmp_path / "m.tflite")
    assert exported.inputs[0].name == {"x.y": "x_y", "Straße": "Stra_e"}.get(name, name)
    np.testing.assert_array_equal(LiteModel(exported.path).predict({name: np.ones((1, 2))})[name], [[2, 2]])


@pytest.mark.parametrize("name", ["größe", "two words", "日本", "a:b", 'a"b', "-x"])
def test_names_of_layers_that_tensorflow_takes_in_no_graph(name, tmp_path):
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name=name)], name=f"inner {name}")
    hidden = inner(inputs)
    model = keras.Model(
        inputs, [layers.Dense(2, name=name)(hidden), layers.Dense(3)(hidden)], name="my modél"
    )
    exported = export(model, tmp_path / "m.tflite")
    assert [tensor.name for tensor in exported.outputs] == [name, "output_1"]
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    checked = verify(model, exported.path, x)
    assert [output.name for output in checked.outputs] == [name, "output_1"]
    assert checked.max_error < 1e-5
    assert model.layers[2].name == name


def test_nested_inputs_and_keys_that_a_file_cannot_keep(tmp_path):
    left, right = keras.Input((2,), name="my side"), keras.Input((3,), name="r")
    model = keras.Model({"my side": left, "é": [right]}, layers.Concatenate()([left, right]))
    lite = LiteModel(export(model, tmp_path / "m.tflite").path)
    x = {"my side": np.ones((1, 2), "float32"), "é": [np.zeros((1, 3), "float32")]}
    np.testing.assert_array_equal(lite.predict(x), [[1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(lite.predict({"my side": x["my side"], "r": x["é"][0]}), [[1, 1, 0, 0, 0]])


# Files without these metadata: of the converter alone, as other programs and older versions wrote them.


@pytest.fixture
def foreign(several, tmp_path):
    """A file of the same model as the converter makes it, with these names of inputs and outputs."""

    def made(inputs, outputs):
        model, exported = several
        return model, rewritten(exported.path, tmp_path / "foreign.tflite", inputs, outputs, order=[1, 2, 0])

    return made


def test_files_that_number_inputs_and_outputs_take_and_return_lists(foreign):
    model, path = foreign(*([f"{stem}_{i}" for i in range(3)] for stem in ("input", "output")))
    x = arrays()
    lite = LiteModel(path)
    assert [tensor.name for tensor in lite.inputs] == ["input_1", "input_2", "input_0"]
    for output, wanted in zip(lite.predict(x), model(x), strict=True):
        np.testing.assert_allclose(output, wanted, atol=1e-6)
    assert list(lite.predict_by_name(x)) == ["output_0", "output_1", "output_2"]
    checked = verify(model, path, dict(zip(SIZES, x, strict=True)))
    assert checked.max_error < 1e-5
    assert [output.name for output in checked.outputs] == ["zebras", "ants", "moles"]


def test_files_that_name_inputs_and_outputs_take_and_return_dicts(foreign):
    model, path = foreign(SIZES, ["p", "q", "r"])
    x = arrays()
    lite = LiteModel(path)
    outputs = lite.predict(dict(zip(SIZES, x, strict=True)))
    for name, wanted in zip("pqr", model(x), strict=True):
        np.testing.assert_allclose(outputs[name], wanted, atol=1e-6)
    with pytest.raises(TypeError, match=r"go by name: pass a dict with the keys"):
        lite.predict(x)


def test_damaged_metadata_are_an_error(several, tmp_path):
    _, exported = several
    content = exported.path.read_bytes()
    for old, new in (
        (b'"zebra":"zebra"', b'"zebra":"zeb_a"'),
        (b'{"inputs"', b'{"in_uts"'),
        (b'["zebra",', b'["zeb_a",'),
        (b'{"inputs"', b'|"inputs"'),
    ):
        assert content.count(old) == 1
        (tmp_path / "m.tflite").write_bytes(content.replace(old, new))
        with pytest.raises(ValueError, match=r"m\.tflite' is damaged: its metadata 'keras_kd' is wrong: "):
            LiteModel(tmp_path / "m.tflite")


def test_files_with_weights_behind_the_flatbuffer_stay_as_they_are(several, monkeypatch):
    content = several[1].path.read_bytes()
    read = interface.flatbuffer_utils.convert_bytearray_to_object

    def with_offset(content):
        model = read(content)
        model.buffers[-1].offset = 1024
        return model

    monkeypatch.setattr(interface.flatbuffer_utils, "convert_bytearray_to_object", with_offset)
    assert interface.write_interface(content, Interface("x", "y")) is content


# Arrays of a user against the names.

DETAILS = (TensorDetails("left", (None, 4), "float32"), TensorDetails("right", (None, 4), "float32"))
X = np.ones((2, 4), "float32")
ONE = (TensorDetails("input_0", (None, 4), "float32"),)


@pytest.mark.parametrize("x", [np.ones((2, 4)), [np.ones((2, 4))], {"input_0": np.ones((2, 4), int)}])
def test_input_in_every_form(x):
    found = Interface("input_0").arrays(x, ONE)
    assert list(found) == ["input_0"]
    assert (found["input_0"].shape, found["input_0"].dtype) == ((2, 4), "float32")


def test_several_inputs_that_do_not_fit():
    x = np.ones((2, 4), "float32")
    named, listed = Interface({"left": "left", "right": "right"}), Interface(["left", "right"])
    assert sorted(named.arrays({"left": x, "right": x}, DETAILS)) == ["left", "right"]
    with pytest.raises(ValueError, match=r"same number of rows; received \{'left': 2, 'right': 1\}"):
        named.arrays({"left": x, "right": x[:1]}, DETAILS)
    with pytest.raises(TypeError, match=r"go by name: pass a dict with the keys \['left', 'right'\]"):
        named.arrays([x, x], DETAILS)
    with pytest.raises(
        TypeError, match=r"arrays for 2 inputs .* received one ndarray\. .* a tuple is read as"
    ):
        named.arrays(x, DETAILS)
    with pytest.raises(ValueError, match=r"Unknown name 'lefd'; .*Did you mean 'left'\?"):
        named.arrays({"lefd": x, "right": x}, DETAILS)
    with pytest.raises(ValueError, match=r"Missing input 'right'; .* received \['input_0'\]"):
        listed.arrays({"input_0": x}, DETAILS)
    with pytest.raises(ValueError, match=r"Expected 2 arrays for .*; received 3"):
        listed.arrays([x, x, x], DETAILS)
    with pytest.raises(ValueError, match="given twice: as 'left' and 'input_0'"):
        listed.arrays({"left": x, "input_0": x, "right": x}, DETAILS)


def test_data_that_holds_more_than_the_inputs():
    x = np.ones((2, 4), "float32")
    interface = Interface(["left", "right"])
    assert list(interface.arrays({"left": x, "teacher": x, "input_1": x}, DETAILS)) == ["left", "right"]
    with pytest.raises(ValueError, match="Unknown name 'teacher'"):
        interface.arrays({"left": x, "teacher": x}, DETAILS)


@pytest.mark.parametrize("inputs", [["a", "b"], {"x": "a", "y": "b"}])
def test_parts_of_data_that_the_model_is_said_to_take(inputs):
    keys = ["b", "a"] if isinstance(inputs, list) else {"x": "b", "y": "a"}
    interface = Interface(inputs, keys=keys)
    data = {"a": X, "b": -X, "c": X * 2}
    assert interface.takes_part(data)
    matched = interface.matched(data)
    assert matched["a"] is data["b"]
    assert matched["b"] is data["a"]
    assert not interface.takes_part({"a": X})
    assert not interface.takes_part(X)
    with pytest.raises(ValueError, match=r"'z'; expected one of \['a', 'b', 'b', 'a'\]"):
        interface.matched({"z": X})


def test_positions_that_the_model_is_said_to_take():
    assert Interface("a", keys=1).matched((X, -X))["a"][0, 0] == -X[0, 0]
    assert Interface("a", keys=1).matched(X)["a"] is X  # alone


def test_all_names_of_keras_together_are_meant_where_they_clash_with_those_of_the_file():
    # tf_keras numbers inputs from 1.
    interface = Interface(["left", "right"], (), {"right": "left", "third": "right"})
    x, y = np.ones((2, 4), "float32"), np.zeros((2, 4), "float32")
    assert interface.arrays({"right": x, "third": y}, DETAILS)["left"] is x
    assert interface.arrays({"left": y, "right": x}, DETAILS)["right"] is x

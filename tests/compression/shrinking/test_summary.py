"""What a shrunk model is said to have lost."""

import json

import keras

import keras_kd as kd
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.planning import plan_shrinking
from keras_kd.compression.shrinking.summary import summarize


def summary_of(model, *arguments, **more):
    return summarize(plan_shrinking(model, Arguments(*arguments, **more)))


def test_figures_are_those_of_the_model_that_is_made():
    teacher = kd.models.digits_teacher()
    found, small = summary_of(teacher, 0.3, "macs"), kd.shrink(teacher, 0.3, budget="macs")
    assert found.parameters == (teacher.count_params(), small.count_params())
    assert found.macs == (kd.cost(teacher).macs, kd.cost(small).macs)
    filters = {layer.name: layer.filters for layer in small.layers if hasattr(layer, "filters")}
    assert {path: group.after for group in found.groups for path in group.made_by} == filters


def test_dropped_blocks_count():
    teacher = kd.models.digits_teacher()
    found = summary_of(teacher, 1.0, depth=0, drop="even")
    small = kd.shrink(teacher, 1.0, depth=0, drop="even")
    assert found.parameters == (teacher.count_params(), small.count_params())
    assert found.parameters[1] < found.parameters[0]
    assert found.blocks == (1, 0)


def test_it_is_said_how_many_blocks_are_kept_even_if_all_are():
    printed = str(summary_of(kd.models.digits_teacher(), 0.5, depth=0.5, drop="even"))
    assert "residual blocks: 1 before, 1 after" in printed
    assert "residual" not in str(summary_of(kd.models.digits_teacher(), 0.5))


def test_it_prints_and_converts(capsys):
    student = kd.models.digits_student()
    kd.shrink(student, 0.5, scope="layer", verbose=True)
    printed = capsys.readouterr().out
    assert "conv3             24      12    50%" in printed
    assert "parameters: 5,122 before, " in printed
    assert "kept whole: logits: is an output of the model" in printed
    assert json.loads(summary_of(student, 0.5, scope="layer").to_json())["groups"][0] == {
        "made_by": ["conv1"],
        "before": 8,
        "after": 4,
    }


def test_multiply_adds_that_depend_on_the_inputs_are_not_made_up():
    inputs = keras.Input((None, 3))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(16, 3, name="conv")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    assert summary_of(model, 0.5).macs is None
    assert "multiply-adds: they depend on the sizes of the inputs; give input_shape=" in str(
        summary_of(model, 0.5)
    )
    given = summary_of(model, 0.5, input_shape=(20, 3))
    assert given.macs == tuple(kd.cost(m, input_shape=(20, 3)).macs for m in (model, kd.shrink(model, 0.5)))

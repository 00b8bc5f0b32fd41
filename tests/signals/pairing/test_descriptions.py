import pytest

from keras_kd.signals.pairing.descriptions import describe_fraction, describe_stages, format_columns
from keras_kd.signals.pairing.stages import stages_of
from tests.signals.pairing.networks import mlp, resnet, transformer


def test_fractions_of_the_input():
    assert [describe_fraction(key) for key in (0, 1, 2.5, -1, None)] == [
        "1/1",
        "1/2",
        "1/5.66",
        "2/1",
        "an unknown fraction",
    ]


@pytest.mark.slow
def test_what_models_have_in_words():
    stages = {"teacher": stages_of(resnet(1)), "student": stages_of(transformer(2))}
    assert describe_stages(stages) == (
        "the teacher has maps at 1/1, 1/2, 1/4 of its input and vectors after 1 block, "
        "the student has sequences of length 6 after 4 blocks"
    )
    assert describe_stages({"student": stages_of(mlp((8, 8)))}) == "the student has vectors after 2 blocks"
    assert describe_stages(stages, ["vectors"]) == (
        "the teacher has vectors after 1 block, the student has none of these before its output"
    )


def test_columns_are_as_wide_as_their_widest_cell():
    assert format_columns([("a", "b", "why"), ("long", "c", "")]) == "a       b    why\nlong    c    "

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.signals.pairing.stages import stages_of
from tests.signals.pairing.networks import Net, mlp, resnet, transformer


def plain(size, *steps):
    """A stack of convolutions and poolings without shortcuts."""
    x = inputs = keras.Input((size, size, 1))
    for number, step in enumerate(steps):
        pools = step == "pool"
        layer = (
            layers.MaxPooling2D() if pools else layers.Conv2D(4, step, activation="relu", name=f"c{number}")
        )
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def test_maps_are_grouped_by_how_often_they_were_halved():
    found = stages_of(resnet(2))["maps"]
    assert [stage.key for stage in found] == [0, 1, 2]
    assert [[end.tap for end in stage.ends] for stage in found] == [
        [f"s{number}b1_out", f"s{number}b2_out"] for number in (1, 2, 3)
    ]
    assert all(stage.closed for stage in found)


def test_sizes_that_shrink_without_strides_are_one_stage():
    found = stages_of(plain(28, 5, 5, "pool", 3))["maps"]
    assert [stage.key for stage in found] == [0, 1]
    assert [[end.tap for end in stage.ends] for stage in found] == [["c0", "c1"], ["c3"]]


def test_tokens_are_grouped_by_their_number_and_vectors_are_one_stage():
    (tokens,) = stages_of(transformer(2))["tokens"]
    assert (tokens.key, [end.tap for end in tokens.ends][-2:]) == (6, ["attended2", "block2"])
    (vectors,) = stages_of(mlp((8, 8)))["vectors"]
    assert [end.tap for end in vectors.ends] == ["dense1", "dense2"]


def test_a_model_whose_shapes_only_the_data_tells_has_to_be_wrapped():
    model = Net(1, name="net")
    model(np.zeros((1, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match=r"'net' are not known.*keras\.Model\(inputs, model\(inputs\)\)"):
        stages_of(model)

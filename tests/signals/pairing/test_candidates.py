import keras
from keras import layers

from keras_kd.signals.pairing.candidates import find_candidates, kind_of
from keras_kd.signals.pairing.endings import Ending
from tests.signals.pairing.networks import resnet


def test_gates_of_pooled_maps_and_copies_are_no_candidates():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    gate = layers.Conv2D(4, 1, activation="relu", name="gate")(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.Dropout(0.5, name="drop")(layers.ZeroPadding2D(name="pad")(x))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    maps = [candidate for candidate in find_candidates(model) if kind_of(candidate.shape) == "maps"]
    assert [candidate.tap for candidate in maps] == ["conv", "gated"]
    assert [candidate.ending for candidate in maps] == [Ending.ACTIVATION, Ending.OTHER]


def test_the_activation_after_a_merge_layer_ends_the_block_and_branches_are_not_on_all_paths():
    found = {candidate.tap: candidate for candidate in find_candidates(resnet(2))}
    assert "s1b1_add" not in found
    assert found["s1b1_out"].ending == Ending.BLOCK
    assert [found[tap].on_all_paths for tap in ("stem", "s1b1_out", "s1b1_relu1")] == [True, True, False]
    assert [found[tap].resumed for tap in ("s1b1_out", "s1b2_out")] == [True, False]
    assert "logits" not in found
    depths = [candidate.depth for candidate in found.values()]
    assert depths == sorted(depths)
    assert 0 < depths[0] < depths[-1] <= 1


def test_every_call_of_a_shared_layer_is_a_candidate():
    inputs = keras.Input((8,))
    shared = layers.Dense(8, "relu", name="shared")
    model = keras.Model(inputs, layers.Dense(2)(shared(shared(inputs))))
    assert [candidate.tap for candidate in find_candidates(model)] == ["shared:0", "shared:1"]

"""The planned memory is the arena that LiteRT allocates."""

import keras
import pytest
from keras import layers

from keras_kd.compression.costs.memory import memory_of
from keras_kd.compression.costs.shaped import shaped
from tests.compression.costs.arena import arena_of
from tests.compression.costs.larger import LARGER
from tests.graphs.topologies import TOPOLOGIES, residual

# LiteRT computes masks, and has memory for the results of loops only when these have run.
LEFT_OUT = "masked", "several_tensors"
SMALL = {name: make for name, make in TOPOLOGIES.items() if name not in LEFT_OUT}
FAST = "residual", "gate", "nested", "segmenter"


def cases(makers):
    return [
        pytest.param(make, id=name, marks=[] if name in FAST else [pytest.mark.slow])
        for name, make in makers.items()
    ]


@pytest.mark.parametrize("make", cases(SMALL | LARGER))
def test_the_peak_is_the_arena_of_litert(make):
    model = make()
    assert memory_of(shaped(model)).peak == pytest.approx(arena_of(model), rel=0.1)


# Where their second or third stage ends. Those that follow have the same blocks, of smaller maps, and take
# the converter nine tenths of its time.
APPLICATIONS = {
    "EfficientNetB0": "block3b_add",
    "ConvNeXtTiny": "convnext_tiny_stage_1_block_2_identity",
    "DenseNet121": "pool3_pool",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "last"), APPLICATIONS.items())
def test_applications_need_exactly_the_arena_of_litert(name, last):
    whole = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=10)
    model = keras.Model(whole.input, whole.get_layer(last).output)
    assert memory_of(shaped(model)).peak == arena_of(model)


def test_each_call_needs_what_is_alive():
    found = memory_of(shaped(residual()))
    alive = {call.path: size for call, size in found.calls.items()}
    image, feature = 8 * 8 * 3 * 4, 8 * 8 * 4 * 4
    assert alive["stem"] == image + feature
    assert alive["conv"] == alive["add"] == image + 2 * feature
    assert alive["pool"] == image + feature + 4 * 4


def test_memory_grows_with_the_batch():
    model = residual()
    assert memory_of(shaped(model, batch_size=3)).peak == 3 * memory_of(shaped(model)).peak


def padded(amount, **kwargs):
    inputs = keras.Input((8, 8, 4))
    x = layers.ZeroPadding2D(amount)(inputs)
    return keras.Model(inputs, layers.Conv2D(4, 3, **kwargs)(x))


@pytest.mark.parametrize(
    ("model", "merged"),
    [
        (padded(1), True),
        (padded(((0, 1), (0, 1)), strides=2), True),
        (padded(1, strides=2), False),
        (padded(2), False),
        (padded(1, padding="same"), False),
    ],
)
def test_padding_as_same_does_needs_no_memory(model, merged):
    found = memory_of(shaped(model)).peak
    assert found == arena_of(model)
    sizes = [
        4 * symbol.shape[1] * symbol.shape[2] * 4 for symbol in (model.inputs[0], model.layers[1].output)
    ]
    out = 4 * keras.ops.prod(model.output.shape[1:])
    assert found == sizes[0] + (0 if merged else sizes[1]) + out

"""Operations along other axes than that of the channels."""

import keras
import pytest
from keras import layers, ops

from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.models import conv, headed, image_model
from tests.compression.shrinking.oracle import assert_like_the_oracle

GROUPS = {
    "u_net": [
        (8, "stem", "", "deep down joined"),
        (4, "deep", "", "joined"),
        (12, "down", "", "up"),
        (6, "up", "", "joined"),
        (5, "joined", "", "head"),
    ],
    "one_dimension": [
        (8, "conv", "separable", "separable"),
        (6, "separable", "depthwise", "up"),
        (5, "up", "", "head"),
    ],
    # Of the stem, 6 of 8 channels meet the softmax and stay.
    "softmaxed": [(2, "stem", "", "attended"), (5, "after", "", "head")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_channels_pass_along(name):
    assert groups_in(name) == GROUPS[name]


@pytest.mark.parametrize(
    "reduce",
    [
        lambda x: ops.mean(x, axis=-1, keepdims=True),
        lambda x: ops.max(x, axis=(2, 3), keepdims=True),
        lambda x: ops.sum(x, axis=3)[..., None],
        lambda x: ops.logsumexp(x, axis=-1, keepdims=True),
    ],
)
def test_what_is_computed_over_channels_keeps_them(reduce):
    found = kept_in(image_model(lambda x: conv(4, "after")(reduce(x)))())
    assert found["stem"].endswith("it computes with all channels")


def test_pooling_along_the_axis_of_the_channels_keeps_them():
    model = sequence_model(
        lambda x: layers.MaxPooling1D(2, name="pooled")(
            layers.Permute((2, 1))(layers.Dense(8, name="dense")(x))
        )
    )
    assert kept_in(model)["pooled"] == "its channels lie along height or width"


def test_a_mask_of_a_softmax_is_kept():
    def body(x):
        steps = layers.Dense(4, name="mask")(x) > 0
        return layers.Dense(3, name="after")(layers.Softmax(axis=1, name="soft")(x, mask=steps))

    assert kept_in(sequence_model(body))["mask"] == "is read by 'soft': they are a mask"


WINDOWS = {
    "pooled": layers.MaxPooling2D(2, name="window"),
    "bigger": layers.UpSampling2D(2, name="window"),
    "padded": layers.ZeroPadding2D(1, name="window"),
    "cropped": layers.Cropping2D(1, name="window"),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_an_image_made_by_reshape_may_become_larger_or_smaller(name):
    inputs = keras.Input((5,))
    image = layers.Reshape((4, 4, 6), name="image")(layers.Dense(96, name="code")(inputs))
    x = layers.Flatten(name="flat")(WINDOWS[name](image))
    model = headed(inputs, layers.Dense(3, name="hidden")(x))
    assert groups_in(model)[0] == (6, "code", "", "hidden")
    assert_like_the_oracle(model)

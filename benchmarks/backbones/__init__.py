"""Backbones of KerasHub with random weights, small enough for images of 64 x 64 and 32 words."""

import keras_hub


def vit():
    return keras_hub.models.ViTBackbone(
        image_shape=(64, 64, 3), patch_size=8, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768
    )


def bert():
    return keras_hub.models.BertBackbone(
        vocabulary_size=30522, num_layers=4, num_heads=8, hidden_dim=512, intermediate_dim=2048
    )


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[2, 2, 2, 2],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(64, 64, 3),
    )


def mobilenet():
    """MobileNetV3-Small: the smaller configurations of the tests of KerasHub take 0.04 ms."""
    squeezed = [0.25] * 3
    return keras_hub.models.MobileNetBackbone(
        stackwise_num_blocks=[2, 3, 2, 3],
        stackwise_expansion=[[72, 88], [96, 240, 240], [120, 144], [288, 576, 576]],
        stackwise_num_filters=[[24] * 2, [40] * 3, [48] * 2, [96] * 3],
        stackwise_kernel_size=[[3] * 2, [5] * 3, [5] * 2, [5] * 3],
        stackwise_num_strides=[[2, 1], [2, 1, 1], [1, 1], [2, 1, 1]],
        stackwise_se_ratio=[[None] * 2, squeezed, squeezed[:2], squeezed],
        stackwise_activation=[["relu"] * 2, *(["hard_swish"] * n for n in (3, 2, 3))],
        stackwise_padding=[[1] * 2, [2] * 3, [2] * 2, [2] * 3],
        output_num_filters=1024,
        depthwise_filters=16,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=576,
        squeeze_and_excite=0.5,
        image_shape=(64, 64, 3),
        input_num_filters=16,
        input_activation="hard_swish",
        output_activation="hard_swish",
    )


def efficientnet():
    return keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 4,
        stackwise_depth_coefficients=[1.0] * 4,
        stackwise_squeeze_and_excite_ratios=[0.25] * 4,
        stackwise_kernel_sizes=[3, 3, 5, 3],
        stackwise_num_repeats=[1, 2, 2, 3],
        stackwise_input_filters=[32, 16, 24, 40],
        stackwise_output_filters=[16, 24, 40, 80],
        stackwise_expansion_ratios=[1, 6, 6, 6],
        stackwise_strides=[1, 2, 2, 2],
        stackwise_block_types=["v1"] * 4,
        image_shape=(64, 64, 3),
    )


BACKBONES = {
    "KerasHub ViT": vit,
    "KerasHub BERT": bert,
    "KerasHub MobileNet": mobilenet,
    "KerasHub ResNet": resnet,
    "KerasHub EfficientNet": efficientnet,
}

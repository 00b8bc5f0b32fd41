"""A vision transformer of KerasHub gets a distillation token, and learns with few images.

Run: python examples/tasks/kerashub_token.py [--short] [--seeds N] [--out FOLDER]

As in distillation_token.py (Touvron et al. 2021, arXiv 2012.12877): 5,000 images of Fashion-MNIST and a
convolutional teacher. The backbone is keras_hub's ViTBackbone, whose weights are random here; one of
`from_preset` takes the token as well. It stands behind the class token, and has a head of its own.
"""

import functools

import keras
from distillation_token import compare, transformer
from keras import layers, ops
from parts.rows import Row, main


@keras.saving.register_keras_serializable("tasks")
class SecondToken(layers.Layer):
    """A learned token behind the first of a sequence `(batch, n, width)`."""

    def build(self, shape):
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer=normal, name="token")

    def call(self, x):
        token = ops.zeros_like(x[:, :1]) + self.token
        return ops.concatenate([x[:, :1], token, x[:, 1:]], axis=1)


def with_distillation_token(backbone, classes):
    """A model with the outputs `class` and `distillation`, which shares the weights of a ViTBackbone."""
    x = backbone.get_layer("vit_patching_and_embedding")(backbone.input)
    x = backbone.get_layer("vit_encoder")(SecondToken(name="tokens")(x))
    outputs = {
        key: layers.Dense(classes, name=key)(x[:, i]) for i, key in enumerate(("class", "distillation"))
    }
    return keras.Model(backbone.input, outputs, name="kerashub_vit")


def student(shape, short):
    if short:  # runs without keras_hub
        return transformer(shape, short)
    try:
        from keras_hub.models import ViTBackbone
    except ImportError:
        raise SystemExit("The backbone is KerasHub's: pip install keras-hub. --short runs without.") from None
    size = {"patch_size": shape[0] // 4, "num_layers": 3, "num_heads": 4, "hidden_dim": 48, "mlp_dim": 96}
    return with_distillation_token(ViTBackbone(shape, **size), 10)


trial = functools.partial(compare, make=student)
ROWS = [Row("KerasHub token", "Fashion-MNIST, 5,000 images", "accuracy, %", trial)]

if __name__ == "__main__":
    main(ROWS, __doc__)

"""What data has to fit: the shapes of a model's inputs and outputs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras

from keras_kd import keras_internals
from keras_kd.tensors import Shape


def fits(shape: Shape, wanted: Shape) -> bool:
    """Whether a shape is the one that is wanted, in which `None` stands for any size."""
    return len(shape) == len(wanted) and all(
        size in (None, given) for given, size in zip(shape, wanted, strict=True)
    )


@dataclass(frozen=True)
class ModelShape:
    """The shapes of one sample of a model's inputs and outputs, by name.

    Args:
        inputs: The shape of each input, without the batch axis. `None` stands for a free size.
        outputs: The shape of each output, likewise.

    Examples:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((8, 8, 1), name="image"), keras.layers.Flatten()])
        >>> ModelShape.of(model)
        ModelShape(inputs={'image': (8, 8, 1)}, outputs={'flatten': (64,)})
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]

    @classmethod
    def of(cls, model: keras.Model) -> "ModelShape":
        """The shapes of a Keras model; one that is not built has none."""
        function = keras_internals.functional_of(model) if keras_internals.runs_as_wired(model) else None
        if function is None:
            return cls({}, {})
        structure = keras_internals.output_structure(function)
        # `fit` takes labels by the keys of a dict, which Keras flattens in their order.
        names = sorted(structure) if isinstance(structure, dict) else function.output_names
        inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in function.inputs}
        outputs = {n: tuple(tensor.shape[1:]) for n, tensor in zip(names, function.outputs, strict=True)}
        return cls(inputs, outputs)

    def only_input(self, what: str) -> Shape:
        """The shape of the only input.

        Args:
            what: What is to be read, for the error.

        Raises:
            ValueError: There is another number of inputs.
        """
        if len(self.inputs) != 1:
            found = f"it has {', '.join(self.inputs)}" if self.inputs else "it is not built"
            raise ValueError(f"{what} are for a model with one input, whose shape is known: {found}.")
        return next(iter(self.inputs.values()))

    def image(self, size: tuple[int, int] | None) -> tuple[int, int, int]:
        """The height, width and channels of the images that the model takes.

        Args:
            size: Height and width where the model leaves them free.

        Raises:
            ValueError: It takes no images, or of another size, or the size is unknown.
        """
        shape = self.only_input("Images")
        if len(shape) != 3 or shape[2] not in (1, 3, 4):
            raise ValueError(
                f"The model takes inputs of shape {shape}; images are (height, width, channels), "
                "with 1, 3 or 4 channels."
            )
        channels = int(shape[2])
        sizes = size or shape[:2]
        if None in sizes:
            raise ValueError(
                f"The model takes images of any size, {shape}: say which, as in image_size=(224, 224)."
            )
        if any(free not in (None, given) for free, given in zip(shape, sizes, strict=False)):
            raise ValueError(f"The model takes images of shape {shape}. Received: image_size={sizes}.")
        height, width = (int(given or 0) for given in sizes)
        return height, width, channels

    def columns(self) -> int | None:
        """How many numbers a sample of the only input consists of; `None` if that is free.

        Raises:
            ValueError: There is another number of inputs.
        """
        shape = self.only_input("Tables")
        return None if None in shape else math.prod(size or 0 for size in shape)

"""How sparse a model is: its zeros, their structure, its distinct values, and its size after gzip."""

import gzip
import io
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_kd.compression.kernels import Kernel, kernels_of
from keras_kd.compression.pruning.structure import find_structure
from keras_kd.results import Result


@dataclass(frozen=True)
class KernelSparsity(Result):
    """The zeros and the distinct values of one kernel.

    Args:
        layer: path of the layer.
        weight: name of the weight there.
        shape: its shape.
        size: the number of its elements.
        zeros: how many of them are zero.
        distinct: how many different values they have.
        structure: the patterns that the zeros follow, such as `"2:4"` or `"1x4"`; empty if there are none.
        gzip_bytes: the size of its float32 values after gzip.
    """

    layer: str
    weight: str
    shape: tuple[int, ...]
    size: int
    zeros: int
    distinct: int
    structure: tuple[str, ...]
    gzip_bytes: int

    @property
    def fraction(self) -> float:
        """The fraction of zeros, in [0, 1]."""
        return self.zeros / self.size


@dataclass(frozen=True)
class Sparsity(Result):
    """The zeros of a model; returned by `sparsity`, printed as a table.

    Args:
        kernels: those that `kd.Prune` and `kd.Cluster` can change, in the order of the layers.
        parameters: elements of all weights of the model, including biases and statistics.
        gzip_bytes: the size of all of them in float32 after gzip: about that of a float32 `.tflite`
            file.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> found = kd.sparsity(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        >>> found.zeros, found.size, found.parameters
        (0, 8, 10)
    """

    kernels: tuple[KernelSparsity, ...]
    parameters: int
    gzip_bytes: int

    @property
    def size(self) -> int:
        """The number of elements of the kernels."""
        return sum(kernel.size for kernel in self.kernels)

    @property
    def zeros(self) -> int:
        """The number of zeros in the kernels."""
        return sum(kernel.zeros for kernel in self.kernels)

    @property
    def fraction(self) -> float:
        """The fraction of zeros in the kernels, in [0, 1]."""
        return self.zeros / self.size

    @property
    def bytes(self) -> int:
        """The size of all parameters in float32, in bytes."""
        return 4 * self.parameters

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dictionaries, lists, numbers and strings."""
        kernels = [{**kernel.to_dict(), "fraction": kernel.fraction} for kernel in self.kernels]
        totals = {"size": self.size, "zeros": self.zeros, "fraction": self.fraction, "bytes": self.bytes}
        return {**super().to_dict(), **totals, "kernels": kernels}

    def __str__(self) -> str:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for i, title in enumerate(
            ("kernel", "shape", "zeros", "of", "%", "distinct", "structure", "gzip KiB")
        ):
            table.add_column(title, justify="left" if i in (0, 1, 6) else "right", no_wrap=True)
        for kernel in self.kernels:
            shape, structure = "x".join(map(str, kernel.shape)), ", ".join(kernel.structure)
            name = f"{kernel.layer}/{kernel.weight}"
            figures = *_figures(kernel), f"{kernel.distinct:,}", structure
            table.add_row(Text(name), shape, *figures, f"{kernel.gzip_bytes / 1024:,.1f}")
        table.add_section()
        table.add_row("all kernels", "", *_figures(self), "", "", "")
        file = io.StringIO()
        Console(file=file, width=1000, color_system=None, force_jupyter=False, legacy_windows=False).print(
            table
        )
        lines = [line.rstrip() for line in file.getvalue().splitlines()]
        size = f"{self.bytes / 1024:,.1f} KiB in float32, {self.gzip_bytes / 1024:,.1f} KiB after gzip"
        return "\n".join([*lines, f"all {self.parameters:,} parameters: {size}"])


def _figures(counted: KernelSparsity | Sparsity) -> tuple[str, str, str]:
    return f"{counted.zeros:,}", f"{counted.size:,}", f"{100 * counted.fraction:.2f}"


def sparsity(model: keras.Model) -> Sparsity:
    """Count the zeros of a model, per kernel and in total, and find the patterns that they follow.

    Args:
        model: A built model. For a `Distiller`, the student.

    Returns:
        The figures; `print` shows a table.

    Raises:
        TypeError: Not a Keras model.
        ValueError: The model has no weights, or no kernels that can be pruned.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")])
        >>> model.layers[0].set_weights([np.array([[1, 2], [0, 0], [3, 4], [0, 0]]), np.zeros(2)])
        >>> found = kd.sparsity(model)
        >>> found.fraction, found.kernels[0].structure
        (0.5, ('1:2', '1x2'))
    """
    student = getattr(model, "student", model)
    model = student if isinstance(student, keras.Model) else model
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Expected a keras.Model; received {type(model).__name__}. Files: keras.models.load_model. "
            "For tf_keras models: kd.tfmot.from_tf_keras."
        )
    kernels = kernels_of(model)
    if not kernels:
        raise ValueError(f"{model.name!r} has no kernels that can be pruned.")
    weights = [weight.numpy() for weight in model.weights]
    return Sparsity(
        kernels=tuple(map(_count_zeros, kernels)),
        parameters=sum(weight.size for weight in weights),
        gzip_bytes=sum(map(_gzip_bytes, weights)),
    )


def _count_zeros(kernel: Kernel) -> KernelSparsity:
    value = kernel.value()
    return KernelSparsity(
        layer=kernel.layer,
        weight=kernel.name,
        shape=tuple(value.shape),
        size=value.size,
        zeros=int((value == 0).sum()),
        distinct=len(np.unique(value)),
        structure=() if kernel.inputs is None else find_structure(kernel.matrix(value != 0), kernel.run),
        gzip_bytes=_gzip_bytes(value),
    )


def _gzip_bytes(value: np.ndarray) -> int:
    return len(gzip.compress(np.ascontiguousarray(value, "float32").tobytes(), mtime=0))

"""The Keras model that a file was made from, as the file tells it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, fields
from importlib import metadata
from pathlib import Path

from keras_kd.deployment.metadata import damaged, read_metadata
from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.legacy import KerasModel
from keras_kd.results import Result

MADE_FROM = "made_from"  # the key in the metadata of a file
_MAY_BE_NONE = ("quantization", "batch_size", "keras_kd")


@dataclass(frozen=True)
class Origin(Result):
    """The Keras model that `export` made a file from.

    Args:
        model: its name.
        parameters: the number of its parameters.
        layers: the digest of its layers, whatever they are called.
        weights: the digest of the values of its weights.
        quantization: what was asked for: `None`, `"float16"`, `"dynamic"`, `"int8"` or `"int16x8"`.
        batch_size: how many samples the file takes per call, or `None` if any number.
        keras: the version of the model's Keras or tf_keras.
        keras_kd: the version of keras_kd, or `None` for one that was not installed.

    Examples:
        >>> import keras, tempfile
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="tiny")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     origin = kd.LiteModel(kd.export(model, f"{folder}/m.tflite").path).made_from
        >>> origin.model, origin.parameters, origin.quantization
        ('tiny', 10, None)
    """

    model: str
    parameters: int
    layers: str
    weights: str
    quantization: str | None
    batch_size: int | None
    keras: str
    keras_kd: str | None

    @classmethod
    def of(cls, model: KerasModel, quantization: str | None, batch_size: int | None) -> Origin:
        """The origin of a file that is made from a model in this way."""
        version = None
        with contextlib.suppress(metadata.PackageNotFoundError):
            version = metadata.version("keras-kd")
        return cls(
            model=model.name,
            parameters=int(model.count_params()),
            quantization=quantization,
            batch_size=batch_size,
            keras_kd=version,
            **Fingerprint.of(model)._asdict(),
        )

    def is_of(self, model: Fingerprint) -> bool:
        """Whether it is the model with that fingerprint."""
        # Another Keras may describe the same layers in other words.
        return self.weights == model.weights and (self.layers == model.layers or self.keras != model.keras)

    def beside(self, name: str, model: Fingerprint) -> str:
        """What it is if it is another model than this one; empty if it is this one.

        Args:
            name: the name of this model.
            model: its fingerprint.
        """
        if self.is_of(model):
            return ""
        if self.had_other_weights(name, model):
            return f"made from {name!r} with other weights: export it again"
        if self.model == name:  # models made from one another, such as a smaller one, have one name
            return f"made from another model of the name {name!r}, which has other layers"
        how = ", which has the same layers and other weights" if self.layers == model.layers else ""
        return f"made from another model, {self.model!r}{how}"

    def had_other_weights(self, name: str, model: Fingerprint) -> bool:
        """Whether it is this model, before it was trained further or the like."""
        return self.model == name and self.layers == model.layers and self.weights != model.weights


def read_origin(path: Path) -> Origin | None:
    """Read which model a file was made from; `None` if it does not tell.

    Raises:
        ValueError: if what it tells is damaged.
    """
    told = (read_metadata(path) or {}).get(MADE_FROM)
    if told is None:
        return None
    try:
        origin = Origin(**{field.name: told[field.name] for field in fields(Origin)})
        _check(origin)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error
    return origin


def _check(origin: Origin) -> None:
    for name, value in asdict(origin).items():
        kind: type = int if name in ("parameters", "batch_size") else str
        if not isinstance(value, kind) and not (value is None and name in _MAY_BE_NONE):
            raise ValueError(f"{name} is {value!r}")

"""What the converter process is asked, and what it answers: typed here, sent as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from keras_kd.deployment import quantizations
from keras_kd.deployment.interface import Interface
from keras_kd.deployment.origin import Origin
from keras_kd.deployment.quantizations import Quantization

COMPARED = 16  # samples on which a file is compared with Keras


@dataclass(frozen=True)
class Request:
    """One conversion: a SavedModel is converted to a `.tflite` file, which is then run.

    Args:
        folder: Where `saved_model` and `samples` are read, and `file` and `outputs` written.
        quantization: How the file stores weights and computes.
        io: Type of its float inputs and outputs.
        batch_size: The fixed batch size, or `None` for a dynamic one.
        sparse: Whether to leave zeros out of weights.
        allow_flex: Whether operators that TensorFlow Lite lacks are accepted.
        has_ranges: Whether the model is quantization aware, so that it needs no calibration.
        compared: The number of samples that the file is run on.
        interface: The names of its inputs and outputs; `None` leaves them to the converter.
        made_from: What the file says of the model, with those names.
    """

    folder: Path
    quantization: Quantization
    io: str = "float32"
    batch_size: int | None = None
    sparse: bool = False
    allow_flex: bool = False
    has_ranges: bool = False
    compared: int = COMPARED
    interface: Interface | None = None
    made_from: Origin | None = None

    @property
    def saved_model(self) -> Path:
        """The model to convert."""
        return self.folder / "saved_model"

    @property
    def samples(self) -> Path:
        """The inputs to calibrate with and to run, an `.npz` by name."""
        return self.folder / "samples.npz"

    @property
    def file(self) -> Path:
        """The `.tflite` file to write."""
        return self.folder / "model.tflite"

    @property
    def outputs(self) -> Path:
        """The file's outputs for the first samples, an `.npz` by name."""
        return self.folder / "outputs.npz"

    def to_json(self) -> str:
        """The request as one line of JSON."""
        plain = {
            "folder": str(self.folder),
            "quantization": self.quantization.name,
            "interface": self.interface and vars(self.interface),
            "made_from": self.made_from and vars(self.made_from),
        }
        return json.dumps(vars(self) | plain)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The request in a line of JSON."""
        fields = json.loads(text)
        return cls(
            **fields
            | {
                "folder": Path(fields["folder"]),
                "quantization": quantizations.get(fields["quantization"]),
                "interface": fields["interface"] and Interface(**fields["interface"]),
                "made_from": fields["made_from"] and Origin(**fields["made_from"]),
            }
        )


@dataclass(frozen=True)
class Converted:
    """The file was written.

    Args:
        ran: Whether it was run; files that need the Flex delegate cannot be.
    """

    ran: bool


@dataclass(frozen=True)
class Failure:
    """There is no usable file.

    Args:
        stage: What failed: `"convert"`, the conversion; `"crash"`, the conversion, which ended the process;
            `"run"`, the first run of the file.
        reason: The error in one line.
    """

    stage: Literal["convert", "crash", "run"]
    reason: str


Answer: TypeAlias = Converted | Failure


def answer_to_json(answer: Answer) -> str:
    """The answer as one line of JSON."""
    return json.dumps(vars(answer))


def answer_from_json(text: str) -> Answer:
    """The answer in a line of JSON."""
    fields = json.loads(text)
    return Failure(**fields) if "stage" in fields else Converted(**fields)

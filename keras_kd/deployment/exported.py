"""What is known about a file that `export` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_kd.deployment.ranges import InputRange
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.results import Result


@dataclass(frozen=True)
class Exported(Result):
    """A file that `export` wrote.

    Args:
        path: where it is.
        bytes: its size.
        gzip_bytes: its size after gzip, which is what a download costs.
        quantization: `None`, `"float16"`, `"dynamic"`, `"int8"` or `"int16x8"`.
        inputs: its inputs in the order of the file (name, shape, dtype, scale, zero point, index).
        outputs: its outputs, likewise.
        operators: how often each operator occurs.
        needs_flex: whether it needs the Flex delegate, which Python cannot run.
        float_tensors: tensors that stayed in float although integers were requested.
        max_error: largest |file - Keras| over `compared` samples, which are calibration samples if there are
            any; `None` if it could not be run.
        compared: the number of samples compared.
        batch_size: how many samples it takes per call, or `None` if any number.
        notes: anything else worth knowing.
        calibration: the smallest and largest value of each input in the calibration samples: in integer
            files, inputs beyond this range are cut off. Empty without samples.

    Examples:
        >>> import keras, tempfile
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = kd.export(model, f"{folder}/m.tflite", quantization="float16")
        >>> exported.quantization, exported.float_tensors, exported.needs_flex
        ('float16', (), False)
    """

    path: Path
    bytes: int
    gzip_bytes: int
    quantization: str | None
    inputs: tuple[TensorDetails, ...]
    outputs: tuple[TensorDetails, ...]
    operators: dict[str, int]
    needs_flex: bool
    float_tensors: tuple[str, ...]
    max_error: float | None
    compared: int
    batch_size: int | None
    notes: tuple[str, ...]
    calibration: tuple[InputRange, ...] = ()

    def __str__(self) -> str:
        operators = ", ".join(f"{name} {count}" for name, count in self.operators.items())
        kind = "calibration samples" if self.calibration else "random inputs"
        error = "not run" if self.max_error is None else f"{self.max_error:.3g} on {self.compared} {kind}"
        rows = [
            ("file", str(self.path)),
            ("quantization", self.quantization or "none (float32)"),
            ("size", f"{self.bytes:,} bytes, {self.gzip_bytes:,} after gzip"),
            ("batch", "free" if self.batch_size is None else f"fixed at {self.batch_size}"),
            *((f"input {tensor.index}", str(tensor)) for tensor in self.inputs),
            *((f"output {tensor.index}", str(tensor)) for tensor in self.outputs),
            *(("calibration", str(range_of_input)) for range_of_input in self.calibration),
            ("operators", operators),
            ("max |error|", error),
        ]
        if self.float_tensors:
            shown = ", ".join(self.float_tensors[:3]) + (", ..." if len(self.float_tensors) > 3 else "")
            rows.append(("left in float", f"{len(self.float_tensors)} tensors: {shown}"))
        rows += [("note", note) for note in self.notes]
        return "\n".join(f"{label:<14}{text}" for label, text in rows)

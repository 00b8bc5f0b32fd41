"""The files of the main job: the distilled student in every quantization, each verified."""

from dataclasses import dataclass
from pathlib import Path

import keras

from keras_kd.datasets import Data
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.findings import Figures
from keras_kd.jobs.runs import Run

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class StudentFiles:
    """Exports a student and verifies the files, or loads what the run already contains."""

    run: Run
    data: Data
    student: keras.Model
    progress: Progress

    def exported(self, quantization: str) -> Path:
        """The file with that quantization, exported again if it was lost or damaged."""
        path = self._path(quantization)
        description = f"{path.name}.json"

        def export_and_describe() -> Figures:
            exported = export(
                self.student,
                path,
                quantization=None if quantization == "float32" else quantization,
                calibration=self.data.calibration if quantization.startswith("int") else None,
                overwrite=True,  # an attempt may have been interrupted before the file was described
            )
            self.progress.say(f"{path.name}: {exported.bytes / 1024:.1f} KiB")
            return exported.to_dict()

        described = self.run.figures(description, export_and_describe) if path.exists() else None
        if described is None or described["bytes"] != path.stat().st_size:
            self.run.keep(description, export_and_describe())
            self.run.path(f"{path.name}.verified.json").unlink(missing_ok=True)
        return path

    def verified(self, quantization: str) -> Figures:
        """How that file compares with the Keras student on the test split."""
        path = self._path(quantization)
        return self.run.figures(
            f"{path.name}.verified.json", lambda: verify(self.student, path, self.data.test).to_dict()
        )

    def _path(self, quantization: str) -> Path:
        return self.run.path(f"student-{quantization}.tflite")

"""The files of the main job: the better student in several quantizations, each verified."""

from dataclasses import dataclass
from pathlib import Path

import keras

from keras_kd.datasets import Data
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.findings import Figures
from keras_kd.jobs.runs import Run


@dataclass(frozen=True)
class StudentFiles:
    """Exports a student and verifies the files, or loads what the run already contains.

    Args:
        run: Where the files are.
        data: For calibration and verification.
        student: The student.
        source: The result of the run that holds the student.
        progress: Where to report progress.
    """

    run: Run
    data: Data
    student: keras.Model
    source: str
    progress: Progress

    def exported(self, quantization: str) -> Path:
        """The file with that quantization, exported again if it was lost or made from another student."""
        path = self._path(quantization)
        description, source = f"{path.name}.json", self.run.digest(self.source)

        def export_and_describe() -> Figures:
            self.progress.note(f"exporting {path.name}")
            exported = export(
                self.student,
                path,
                quantization=None if quantization == "float32" else quantization,
                calibration=self.data.calibration if quantization.startswith("int") else None,
            )
            self.run.record(path.name)
            self.progress.say(f"{path.name}: {exported.bytes / 1024:.1f} KiB")
            return exported.to_dict() | {"made_from": source}

        whole = self.run.has(path.name) and self.run.has(description)
        if not whole or self.run.figures(description, dict, keys=()).get("made_from") != source:
            for stale in (path.name, description, f"{path.name}.verified.json"):
                self.run.discard(stale)
            self.run.keep(description, export_and_describe())
        return path

    def notes(self, quantization: str) -> list[str]:
        """What `export` said of that file about numbers that were not quantized."""
        description = self.run.figures(f"{self._path(quantization).name}.json", dict, keys=("notes",))
        return [note for note in description["notes"] if "nothing was quantized" in note]

    def verified(self, quantization: str) -> Figures:
        """How that file compares with the Keras student on the test split."""
        path = self._path(quantization)

        def verify_and_describe() -> Figures:
            self.progress.note(f"verifying {path.name}")
            return verify(self.student, path, self.data.test).to_dict()

        return self.run.figures(
            f"{path.name}.verified.json",
            verify_and_describe,
            keys=("agreement", "max_error"),
        )

    def _path(self, quantization: str) -> Path:
        return self.run.path(f"student-{quantization}.tflite")

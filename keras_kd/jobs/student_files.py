"""The files of the main job: the better student in several quantizations, each verified."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_kd.datasets import Data
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.jobs.experiment import QUANTIZATIONS, Progress
from keras_kd.jobs.findings import Figures
from keras_kd.jobs.runs import Run


def set_aside_others(run: Run, wanted: Collection[str], progress: Progress) -> None:
    """Rename the files that an earlier call made in this folder, and that are not made any more.

    Args:
        run: Where they are.
        wanted: The quantizations of the files that are made.
        progress: Where to say so.
    """
    for name in (_file_name(quantization) for quantization in QUANTIZATIONS if quantization not in wanted):
        if run.wrote(name):
            progress.say(f"{name} is of an earlier call: it is now {run.set_aside(name)}")
            for described in _descriptions(name):
                run.set_aside(described)


def _file_name(quantization: str) -> str:
    return f"student-{quantization}.tflite"


def _descriptions(name: str) -> tuple[str, str]:
    """What the run says of a file: what it was made from, and how it compares with Keras."""
    return f"{name}.json", f"{name}.verified.json"


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
        (description, _), source = _descriptions(path.name), self.run.digest(self.source)

        def export_and_describe() -> Figures:
            self.progress.note(f"exporting {path.name}")
            exported = export(
                self.student,
                path,
                quantization=quantization,
                calibration=self.data.calibration if quantization.startswith("int") else None,
            )
            self.run.record(path.name)
            self.progress.say(f"{path.name}: {exported.bytes / 1024:.1f} KiB")
            return exported.to_dict() | {"made_from": source}

        whole = self.run.has(path.name) and self.run.has(description)
        if not whole or self.run.figures(description, dict, keys=()).get("made_from") != source:
            for stale in (path.name, *_descriptions(path.name)):
                self.run.discard(stale)
            self.run.keep(description, export_and_describe())
        return path

    def notes(self, quantization: str) -> list[str]:
        """What `export` said of that file about numbers that were not quantized."""
        description, _ = _descriptions(_file_name(quantization))
        described = self.run.figures(description, dict, keys=("notes",))
        return [note for note in described["notes"] if "nothing was quantized" in note]

    def verified(self, quantization: str) -> Figures:
        """How that file compares with the Keras student on the test split."""
        path = self._path(quantization)

        def verify_and_describe() -> Figures:
            self.progress.note(f"verifying {path.name}")
            return verify(self.student, path, self.data.test).to_dict()

        return self.run.figures(
            _descriptions(path.name)[1],
            verify_and_describe,
            keys=("agreement", "max_error"),
        )

    def _path(self, quantization: str) -> Path:
        return self.run.path(_file_name(quantization))

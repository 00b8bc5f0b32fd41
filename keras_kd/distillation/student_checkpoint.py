"""A callback that saves the student alone, without anything used only in training."""

from pathlib import Path
from typing import Any

import keras

from keras_kd.files import write_atomically
from keras_kd.keras_internals import HookedCheckpoint


class StudentCheckpoint(HookedCheckpoint):
    """Save the student of a Distiller during training, as `keras.callbacks.ModelCheckpoint` saves a model.

    It takes the same arguments. The file contains neither the teacher nor projections nor the Distiller's
    optimizer. It loads with `keras.models.load_model`, does not need keras_kd and is written atomically. To
    resume training after an interruption, use `kd.FullState`.

    Examples:
        >>> import keras_kd as kd
        >>> best = kd.StudentCheckpoint("best.keras", monitor="val_loss", save_best_only=True)
    """

    def save_model(self, epoch: int, batch: int | None, logs: dict[str, Any] | None) -> None:
        """Write the student; Keras calls this when a file is due."""
        distiller = self.model
        if not hasattr(distiller, "student"):
            raise TypeError(
                "kd.StudentCheckpoint saves the student of a kd.Distiller. For other models use "
                f"keras.callbacks.ModelCheckpoint. Received: {type(distiller).__name__}."
            )
        self.set_model(_AtomicWriter(distiller.student))
        try:
            super().save_model(epoch, batch, logs)
        finally:
            self.set_model(distiller)


class _AtomicWriter:
    """Saves a model to a temporary file, which then replaces any earlier file."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def save(self, path: str, overwrite: bool) -> None:
        with write_atomically(Path(path)) as part:
            self._model.save(part)

    def save_weights(self, path: str, overwrite: bool) -> None:
        with write_atomically(Path(path)) as part:
            self._model.save_weights(part)

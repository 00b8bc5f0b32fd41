"""A callback that saves the student, and nothing of its training."""

from pathlib import Path
from typing import Any

import keras

from keras_kd.files import write_atomically


class StudentCheckpoint(keras.callbacks.ModelCheckpoint):
    """Save the student of a Distiller during training, as `keras.callbacks.ModelCheckpoint` saves a model.

    It takes the same arguments. The file holds neither the teacher nor projections nor the Distiller's
    optimizer. It loads with `keras.models.load_model` and does not need keras_kd. It is written whole or
    not at all. To continue training after an interruption, use `kd.FullState`.

    Examples:
        >>> import keras_kd as kd
        >>> best = kd.StudentCheckpoint("best.keras", monitor="val_loss", save_best_only=True)
    """

    def _save_model(self, epoch: int, batch: int | None, logs: Any) -> None:
        distiller = self.model
        if not hasattr(distiller, "student"):
            raise TypeError(
                "kd.StudentCheckpoint saves the student of a kd.Distiller. For other models use "
                f"keras.callbacks.ModelCheckpoint. Received: {type(distiller).__name__}."
            )
        self.set_model(_Written(distiller.student))
        try:
            super()._save_model(epoch, batch, logs)
        finally:
            self.set_model(distiller)


class _Written:
    """Saves a model to a file beside, which then takes the place of an older one."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def save(self, path: str, overwrite: bool) -> None:
        with write_atomically(Path(path)) as part:
            self._model.save(part)

    def save_weights(self, path: str, overwrite: bool) -> None:
        with write_atomically(Path(path)) as part:
            self._model.save_weights(part)

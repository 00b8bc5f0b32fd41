"""A teacher that runs outside TensorFlow: asked once for each training sample, into the folder of the run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_kd.datasets import Data
from keras_kd.datasets.data import scaled
from keras_kd.distillation.distiller import Distiller
from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.runs import Run
from keras_kd.legacy import all_layers_of
from keras_kd.messages import number_of
from keras_kd.teachers.hosted import Hosted
from keras_kd.teachers.taught.joining import Join
from keras_kd.teachers.taught.precompute import precompute
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import Store

FOLDER = "taught"


def taught_batches(trainee: keras.Model, data: Data, run: Run, progress: Progress) -> tf.data.Dataset | None:
    """Training batches with the signals of a teacher that each step would wait for.

    The teacher is asked once for each sample, and taken out of the Distiller. Samples that the folder of the
    run holds signals of are not asked for again, so a job that was interrupted goes on.

    Args:
        trainee: A model, or a Distiller with a teacher.
        data: The data; its training split is taught.
        run: Whose folder holds the signals, under `"taught"`.
        progress: Where to report progress.

    Returns:
        `None` for a model, and for a teacher that runs within TensorFlow.

    Raises:
        ValueError: An answer is NaN; a file in the folder is damaged.
        OSError: Signals cannot be written.
    """
    if not isinstance(trainee, Distiller) or trainee.teacher is None or not _runs_on_host(trainee.teacher):
        return None
    taps = [tap for objective in trainee.objectives for tap in objective.teacher_taps]
    taps, folder = list(dict.fromkeys(taps)), run.path(FOLDER)
    _teach(trainee.teacher, taps, data, folder, progress)
    trainee.teacher = None
    # As `load_taught` does, without a look at the first batch, which would change the order of the others.
    return Join(Store(folder, verify=False), taps, None, None).dataset(data.train)


def _runs_on_host(teacher: keras.Model) -> bool:
    return any(isinstance(layer, Hosted) for layer in all_layers_of(teacher))


def _teach(teacher: keras.Model, taps: Sequence[str], data: Data, folder: Path, progress: Progress) -> None:
    x = data.arrays["train"].x
    batches = scaled(tf.data.Dataset.from_tensor_slices(x).batch(data.batch_size), data.pixels)

    def noted() -> Iterator[np.ndarray]:
        asked = 0
        for batch in batches.as_numpy_iterator():
            if asked > data.batch_size:  # the first two are looked at before
                progress.note(f"asking the teacher: {asked:,} of {len(x):,} samples")
            asked += len(batch)
            yield batch

    before = Ledger(folder).finished()
    # In the precision of the answers: a student is to learn the same as if it had waited for them.
    precompute(teacher, noted, folder, signals=taps, dtype="float32", shuffle=False, verbose=False)
    if Ledger(folder).finished() != before:
        progress.say(f"the teacher answered once to each of {number_of(len(x), 'training sample')}")

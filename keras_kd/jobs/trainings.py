"""The training runs of the main job, each a stage of a run.

A student trained alone and the same student distilled share the seed, the initial weights, the optimizer and
the number of steps, so that the only difference is the teacher.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TypeVar

import keras
import tensorflow as tf

from keras_kd.datasets import Data
from keras_kd.jobs.augmentation import augmented
from keras_kd.jobs.epoch_progress import EpochProgress
from keras_kd.jobs.experiment import Experiment, Progress
from keras_kd.jobs.histories import is_finite, monitored, summary, validation_curves
from keras_kd.jobs.objectives import make_distiller
from keras_kd.jobs.recalibration import Renewal, StatisticsInTraining
from keras_kd.jobs.runs import Run
from keras_kd.jobs.scoring import Scores, score
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.teaching import taught_batches
from keras_kd.jobs.training_files import FILES_OF_TEACHER, NAMES, TEACHER, Files, Kind, files_of_student
from keras_kd.signals.tracing import output_activations
from keras_kd.training.variables import make_variables

T = TypeVar("T")


@dataclass(frozen=True)
class Trained:
    """A student that was trained.

    Args:
        kind: Whether it was trained `"alone"` or `"distilled"`.
        seed: The seed.
        file: Where it is in the run.
        validation: How right it is about each validation sample.
        test: The same of the test samples.
    """

    kind: Kind
    seed: int
    file: str
    validation: Scores
    test: Scores


@dataclass(frozen=True)
class Trainings:
    """Trains the models of an experiment, or loads those that the run already contains."""

    run: Run
    experiment: Experiment
    tasks: Sequence[Task]
    progress: Progress

    def teacher(self) -> keras.Model:
        """The teacher, trained first if the experiment says so."""

        def train() -> keras.Model:
            keras.utils.set_random_seed(0)
            model = self.experiment.teacher()
            epochs = range(self.experiment.hyperparameters.teacher_epochs)
            self._fit(model, model, self.experiment.data, epochs, TEACHER, FILES_OF_TEACHER)
            return model

        if not self.experiment.keep_teacher:
            return self.experiment.teacher()
        make = train if self.experiment.train_teacher else self.experiment.teacher
        return self.run.model(FILES_OF_TEACHER.model, make)

    def student(self, kind: Kind, teacher: keras.Model, seed: int) -> Trained:
        """A student, trained alone or with the teacher, and how right it is."""
        last = len(self.experiment.hyperparameters.phases) - 1
        model, data = self._student(kind, teacher, seed, last), self.experiment.data
        return Trained(
            kind,
            seed,
            files_of_student(kind, seed, last).model,
            score(model, self.tasks, data, "validation"),
            score(model, self.tasks, data, "test"),
        )

    def load(self, trained: Trained) -> keras.Model:
        """The model of a student."""
        return self.run.model(trained.file, _was_made)

    def curves(self, students: Sequence[Trained]) -> dict[str, dict[str, list[float]]]:
        """The validation curves of the teacher, if it was trained, and of students.

        The training losses of the models are not comparable.
        """
        phases = range(len(self.experiment.hyperparameters.phases))
        files = {
            NAMES[s.kind]: [files_of_student(s.kind, s.seed, phase) for phase in phases] for s in students
        }
        if self.experiment.train_teacher:
            files = {TEACHER: [FILES_OF_TEACHER], **files}
        return {
            name: validation_curves([self.run.figures(file.history, dict, keys=()) for file in each])
            for name, each in files.items()
        }

    def histories(self, kind: Kind) -> list[dict[str, list[float]]]:
        """What was recorded of the last training of the students of a kind, by seed."""
        last = len(self.experiment.hyperparameters.phases) - 1
        files = [files_of_student(kind, seed, last).history for seed in range(self.experiment.seeds)]
        return [self.run.figures(file, dict, keys=()) for file in files]

    def renewals(self) -> dict[str, Renewal]:
        """The models whose BatchNorm statistics lagged behind their last training, and what became of it."""
        last = len(self.experiment.hyperparameters.phases) - 1
        seeds = range(self.experiment.seeds)
        files = {TEACHER: FILES_OF_TEACHER}
        for seed, kind in itertools.product(seeds, NAMES):
            name = NAMES[kind] + (f" (seed {seed})" if len(seeds) > 1 else "")
            files[name] = files_of_student(kind, seed, last)
        keys = [field.name for field in fields(Renewal)]
        return {
            name: Renewal(**self.run.figures(file.statistics, dict, keys=keys))
            for name, file in files.items()
            if self.run.has(file.statistics)
        }

    def _student(self, kind: Kind, teacher: keras.Model, seed: int, phase: int) -> keras.Model:
        files = files_of_student(kind, seed, phase)

        def train() -> keras.Model:
            keras.utils.set_random_seed(seed + 1000 * phase)
            student = self._student(kind, teacher, seed, phase - 1) if phase else self.experiment.student()
            trainee = student if kind == "alone" else self._distiller(student, teacher)
            data = self._training_data(kind == "distilled", seed)
            # The data has the same order as in the other training run.
            keras.utils.set_random_seed(seed + 1000 * phase)
            title = f"{NAMES[kind]}, seed {seed}" + (f", continued ({phase})" if phase else "")
            epochs = self.experiment.hyperparameters.phases[phase]
            self._fit(trainee, student, data, epochs, title, files)
            return student

        return self.run.model(files.model, train)

    def _distiller(self, student: keras.Model, teacher: keras.Model) -> keras.Model:
        # Inputs whose label was removed have weight zero, but still have soft targets.
        use_sample_weight = self.experiment.labels is None
        hyperparameters = self.experiment.hyperparameters
        return make_distiller(
            student, teacher, self.tasks, hyperparameters, use_sample_weight=use_sample_weight
        )

    def _training_data(self, distilled: bool, seed: int) -> Data:
        data, labels = self.experiment.data, self.experiment.labels
        if labels is None:
            return data
        return data.partly_labelled(labels, seed) if distilled else data.labelled_only(labels, seed)

    def _fit(
        self, trainee: keras.Model, model: keras.Model, data: Data, epochs: range, title: str, files: Files
    ) -> None:
        """Train `trainee`, which is `model` or a `Distiller` of it, and save the history."""
        statistics = StatisticsInTraining(model)
        self._compile(trainee, model, len(epochs) * int(data.train.cardinality()))
        augment = self._augment(files)
        batches = self._batches(trainee, data, augment)
        if trainee is model:  # Keras would trace its step twice; a Distiller sees to it itself
            make_variables(model, batches.element_spec)
        fitted = trainee.fit(
            batches,
            validation_data=data.validation,
            epochs=len(epochs),
            callbacks=self._callbacks(title, epochs),
            verbose=0,
            shuffle=False,
        )
        values = {key: list(map(float, values)) for key, values in fitted.history.items()}
        if not is_finite(values):
            raise ValueError(
                f"The training of the {title} diverged: its loss is not a number any more. Choose a smaller "
                "learning_rate=, and check that the inputs are scaled."
            )
        self.run.keep(files.history, values)
        keeps_best = self.experiment.hyperparameters.early_stopping is not None
        self.progress.say(f"{title}: {summary(values, keeps_best, epochs.start)}")
        self._renew(statistics, model, augmented(data.train, augment, data.input_shape), title, files)

    def _renew(
        self,
        statistics: StatisticsInTraining,
        model: keras.Model,
        batches: tf.data.Dataset,
        title: str,
        files: Files,
    ) -> None:
        """Renew BatchNorm statistics that lag behind, and note what that did."""
        task, data = self.tasks[0], self.experiment.data
        renewal = statistics.renew(batches, lambda: score(model, [task], data, "validation")[task.tap])
        if renewal is not None:
            self.run.keep(files.statistics, asdict(renewal))
            chose_epoch = self.experiment.hyperparameters.early_stopping is not None
            self.progress.say(f"{title}: {renewal.describe(task, chose_epoch=chose_epoch)}")

    def _compile(self, trainee: keras.Model, model: keras.Model, steps: int) -> None:
        rate = keras.optimizers.schedules.CosineDecay(self.experiment.hyperparameters.learning_rate, steps)
        ends = output_activations(model, [task.tap for task in self.tasks])
        weight = 1.0 if trainee is model else self.experiment.hyperparameters.alpha
        trainee.compile(
            keras.optimizers.Adam(rate),
            loss=_of_outputs({task.name: task.hard_loss(ends[task.tap]) for task in self.tasks}),
            loss_weights=_of_outputs({task.name: weight for task in self.tasks}),
            # Rows whose label was removed must not count.
            weighted_metrics=_of_outputs({task.name: task.metrics(ends[task.tap]) for task in self.tasks}),
        )

    def _augment(self, files: Files) -> tuple[str, ...]:
        """How the images change that a model is trained on."""
        experiment = self.experiment
        return experiment.teacher_augment if files is FILES_OF_TEACHER else experiment.hyperparameters.augment

    def _batches(self, trainee: keras.Model, data: Data, augment: Sequence[str]) -> tf.data.Dataset:
        """Training batches; views that change are not worth storing, so they are answered in each step."""
        taught = None if augment else taught_batches(trainee, data, self.run, self.progress)
        return augmented(data.train, augment, data.input_shape) if taught is None else taught

    def _callbacks(self, title: str, epochs: range) -> list[keras.callbacks.Callback]:
        note = self.progress.note
        found: list[keras.callbacks.Callback] = [EpochProgress(title, len(epochs), note, before=epochs.start)]
        patience = self.experiment.hyperparameters.early_stopping
        if patience is not None:
            has_accuracy = len(self.tasks) == 1 and self.tasks[0].measure == "accuracy"
            monitor, more = monitored({"val_accuracy": []} if has_accuracy else {})
            stopping = keras.callbacks.EarlyStopping(
                monitor, mode="max" if more else "min", patience=patience, restore_best_weights=True
            )
            found.append(stopping)
        if self.experiment.tensorboard is not None:
            folder = self.experiment.tensorboard / title.replace(", ", "-").replace(" ", "-")
            found.append(keras.callbacks.TensorBoard(str(folder), write_graph=False))
        return found


def _of_outputs(values: Mapping[str | None, T]) -> T | dict[str, T]:
    """The value of the only output, or those of several by their names."""
    if list(values) == [None]:
        return values[None]
    return {str(name): value for name, value in values.items()}


def _was_made() -> keras.Model:
    raise AssertionError("a student is made before it is loaded")

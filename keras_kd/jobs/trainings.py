"""The training runs of the main job, each a stage of a run.

A student trained alone and the same student distilled share the seed, the initial weights, the optimizer and
the number of steps, so that the only difference is the teacher.
"""

from dataclasses import dataclass
from typing import NamedTuple

import keras

from keras_kd.datasets import Data
from keras_kd.distillation.distiller import Distiller
from keras_kd.jobs.epoch_progress import EpochProgress
from keras_kd.jobs.experiment import Experiment, Progress
from keras_kd.jobs.findings import ALONE, DISTILLED, TEACHER
from keras_kd.jobs.runs import Run
from keras_kd.signals.tracing import output_activation


class Files(NamedTuple):
    """The results of one training run: the model, its curves, and its accuracy on the test split."""

    model: str
    history: str
    test: str


def files_of_student(kind: str, seed: int) -> Files:
    """Where the results of a student are; `kind` is `"alone"` or `"distilled"`."""
    stem = f"seed{seed}/{kind}"
    return Files(f"{stem}.keras", f"{stem}.history.json", f"{stem}.test.json")


FILES_OF_TEACHER = Files("teacher.keras", "teacher.history.json", "teacher.test.json")


@dataclass(frozen=True)
class Trainings:
    """Trains the models of an experiment, or loads those that the run already contains."""

    run: Run
    experiment: Experiment
    progress: Progress

    def teacher(self) -> keras.Model:
        """The teacher, trained first if the experiment says so."""

        def train() -> keras.Model:
            keras.utils.set_random_seed(0)
            model = self.experiment.teacher()
            epochs = self.experiment.hyperparameters.teacher_epochs
            self._fit(model, model, self.experiment.data, epochs, TEACHER, FILES_OF_TEACHER.history)
            return model

        make = train if self.experiment.train_teacher else self.experiment.teacher
        return self.run.model(FILES_OF_TEACHER.model, make)

    def students(self, teacher: keras.Model, seed: int) -> tuple[keras.Model, keras.Model]:
        """The student trained alone, and the same student distilled."""
        return self._student(None, seed), self._student(teacher, seed)

    def accuracies(self, kind: str) -> list[float]:
        """The test accuracy of one kind of student for each seed; the students must be trained already."""
        files = [files_of_student(kind, seed) for seed in range(self.experiment.seeds)]
        return [self.run.figures(file.test, dict, ["accuracy"])["accuracy"] for file in files]

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """The validation curves of the first seed; the training losses of the models are not comparable."""
        files = {ALONE: files_of_student("alone", 0), DISTILLED: files_of_student("distilled", 0)}
        if self.experiment.train_teacher:
            files = {TEACHER: FILES_OF_TEACHER, **files}
        keys = ("val_accuracy", "val_loss")
        histories = {name: self.run.figures(file.history, dict, keys=()) for name, file in files.items()}
        return {
            name: {key: history[key] for key in keys if key in history} for name, history in histories.items()
        }

    def _student(self, teacher: keras.Model | None, seed: int) -> keras.Model:
        kind, name = ("alone", ALONE) if teacher is None else ("distilled", DISTILLED)
        files = files_of_student(kind, seed)

        def train() -> keras.Model:
            keras.utils.set_random_seed(seed)
            student = self.experiment.student()
            trainee = student if teacher is None else self._distiller(student, teacher)
            data = self._training_data(teacher is not None, seed)
            epochs = self.experiment.hyperparameters.student_epochs
            keras.utils.set_random_seed(seed)  # the data has the same order as in the other training run
            self._fit(trainee, student, data, epochs, f"{name}, seed {seed}", files.history)
            self.run.discard(files.test)  # of a student that was lost
            return student

        model = self.run.model(files.model, train)
        self.run.figures(files.test, lambda: {"accuracy": _accuracy(model, self.experiment.data)})
        return model

    def _distiller(self, student: keras.Model, teacher: keras.Model) -> Distiller:
        hyperparameters = self.experiment.hyperparameters
        distiller = Distiller(
            student, teacher, temperature=hyperparameters.temperature, alpha=hyperparameters.alpha
        )
        # Inputs whose label was removed have weight zero, but still have soft targets.
        distiller.objectives[0].use_sample_weight = self.experiment.labels is None
        return distiller

    def _training_data(self, distilled: bool, seed: int) -> Data:
        data, labels = self.experiment.data, self.experiment.labels
        if labels is None:
            return data
        return data.partly_labelled(labels, seed) if distilled else data.labelled_only(labels, seed)

    def _fit(
        self, trainee: keras.Model, model: keras.Model, data: Data, epochs: int, title: str, history: str
    ) -> None:
        """Train `trainee`, which is `model` or a `Distiller` of it, and save the history."""
        steps = epochs * int(data.train.cardinality())
        rate = keras.optimizers.schedules.CosineDecay(self.experiment.hyperparameters.learning_rate, steps)
        from_logits = output_activation(model) is None
        trainee.compile(
            keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
            weighted_metrics=["accuracy"],  # rows whose label was removed must not count
        )
        fitted = trainee.fit(
            data.train,
            validation_data=data.validation,
            epochs=epochs,
            callbacks=[EpochProgress(title, epochs, self.progress.note)],
            verbose=0,
            shuffle=False,
        )
        values = {key: list(map(float, values)) for key, values in fitted.history.items()}
        self.run.keep(history, values)
        accuracy = f"validation accuracy {100 * values['val_accuracy'][-1]:.1f} %"
        self.progress.say(f"{title}: {epochs} epoch{'s' * (epochs != 1)}, {accuracy}")


def _accuracy(model: keras.Model, data: Data) -> float:
    split = data.arrays["test"]
    return float((model.predict(split.x, batch_size=256, verbose=0).argmax(-1) == split.y).mean())

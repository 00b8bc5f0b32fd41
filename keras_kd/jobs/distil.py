"""The main job: a teacher, a student trained alone and distilled, five files, one report.

Both trainings of the student share the seed, the first weights, the optimizer and the number of
steps, so that what differs is the teacher.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras

from keras_kd.datasets import Data
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.distillation.distiller import Distiller
from keras_kd.jobs.findings import ALONE, DISTILLED, TEACHER, agreements, few_labels, gaps, sizes, verdict
from keras_kd.jobs.runs import Run
from keras_kd.reports import Report
from keras_kd.reports.comparison import compare
from keras_kd.signals.tracing import output_activation

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Recipe:
    """How the main job trains.

    Args:
        teacher_epochs: Epochs of the teacher.
        student_epochs: Epochs of each student.
        learning_rate: Of Adam at the start; it falls to zero along a cosine.
        temperature: Of the soft targets.
        alpha: Weight of the hard loss; the soft targets weigh `1 - alpha`.
    """

    teacher_epochs: int
    student_epochs: int
    learning_rate: float = 2e-3
    temperature: float = 4.0
    alpha: float = 0.1


@dataclass(frozen=True)
class Progress:
    """Where the job tells how it gets on: lines to keep, and notes that the next one replaces."""

    say: Callable[[str], None] = lambda text: None
    note: Callable[[str], None] = lambda text: None


def distil(
    run: Run,
    data: Data,
    teacher: Callable[[], keras.Model],
    student: Callable[[], keras.Model],
    recipe: Recipe,
    *,
    train_teacher: bool = False,
    labels: int | None = None,
    seeds: int = 1,
    progress: Progress | None = None,
    command: str | None = None,
) -> Report:
    """Do the main job in a run's folder, or what is left of it.

    Args:
        run: Where models, files and the report go.
        data: The data set.
        teacher: Makes the teacher: trained, or to be trained first (`train_teacher`).
        student: Makes the student; called after the seed was set.
        recipe: How to train.
        train_teacher: Whether the teacher is trained, on all labels.
        labels: The student sees the labels of this many inputs only. Alone it trains on these; distilled, on
            the same labels and on the teacher's soft targets for every training input.
        seeds: How many times the student is trained both ways. Files are made of the first.
        progress: Where to tell how it goes.
        command: What was typed, for the report.

    Returns:
        The report, which the folder holds as `report.html`, `.md` and `.json`.

    Raises:
        ValueError: Models that do not fit the data or one another.
    """
    progress = progress or Progress()
    if run.has("report.json"):
        report = Report.load(run.path("report.json"))
        for suffix in ("html", "md"):
            if not run.has(f"report.{suffix}"):
                report.save(run.path(f"report.{suffix}"))
        progress.say(f"{run.folder} is finished: nothing was left to do.")
        return report
    check(data, teacher(), student(), recipe, labels)
    job = _Job(run, data, recipe, labels, progress)
    taught = job.trained_teacher(teacher) if train_teacher else run.model("teacher.keras", teacher)
    trained = [job.students(student, taught, seed) for seed in range(seeds)]
    alone, distilled = trained[0]
    files = {quantization: job.file(distilled, quantization) for quantization in QUANTIZATIONS}
    verified = {quantization: job.verified(distilled, quantization) for quantization in QUANTIZATIONS}
    accuracies = [job.accuracies(kind, seeds) for kind in ("alone", "distilled")]
    report = compare(
        data.test,
        baseline=TEACHER,
        models={TEACHER: taught, ALONE: alone, DISTILLED: distilled, **files},
        sources=dict.fromkeys(files, DISTILLED),
        seeds=dict(zip((ALONE, DISTILLED), accuracies, strict=True)) if seeds > 1 else None,
        curves=job.curves(train_teacher),
        title=f"{data.name}: teacher, student, and five files",
        data_name=f"{data.name}, test split",
        command=command,
        progress=progress.note,
        not_measured=gaps(seeds),
    )
    facts = [verdict(accuracies[1], accuracies[0], len(data.arrays["test"].x))]
    if labels is not None:
        facts.append(few_labels(labels, data, train_teacher))
    report = replace(report, facts=[*facts, *sizes(report), agreements(verified)])
    for suffix in ("html", "md", "json"):  # the last one marks the run as finished
        report.save(run.path(f"report.{suffix}"), overwrite=True)
    return report


@dataclass(frozen=True)
class _Job:
    run: Run
    data: Data
    recipe: Recipe
    labels: int | None
    progress: Progress

    def trained_teacher(self, make: Callable[[], keras.Model]) -> keras.Model:
        def train() -> keras.Model:
            keras.utils.set_random_seed(0)
            model = make()
            self._fit(model, model, self.data, self.recipe.teacher_epochs, TEACHER, "teacher.history.json")
            return model

        return self.run.model("teacher.keras", train)

    def students(
        self, make: Callable[[], keras.Model], teacher: keras.Model, seed: int
    ) -> tuple[keras.Model, keras.Model]:
        alone = self._student(make, None, seed)
        return alone, self._student(make, teacher, seed)

    def _student(
        self, make: Callable[[], keras.Model], teacher: keras.Model | None, seed: int
    ) -> keras.Model:
        kind = "alone" if teacher is None else "distilled"

        def train() -> keras.Model:
            keras.utils.set_random_seed(seed)
            student = make()
            trainee = student if teacher is None else self._distiller(student, teacher)
            title = f"{ALONE if teacher is None else DISTILLED}, seed {seed}"
            keras.utils.set_random_seed(seed)  # the order of the data is that of the other training
            self._fit(
                trainee,
                student,
                self._training_data(teacher is not None, seed),
                self.recipe.student_epochs,
                title,
                f"seed{seed}/{kind}.history.json",
            )
            return student

        model = self.run.model(f"seed{seed}/{kind}.keras", train)
        self.run.figures(f"seed{seed}/{kind}.test.json", lambda: {"accuracy": _accuracy(model, self.data)})
        return model

    def _distiller(self, student: keras.Model, teacher: keras.Model) -> Distiller:
        distiller = Distiller(student, teacher, temperature=self.recipe.temperature, alpha=self.recipe.alpha)
        # Inputs whose label was taken away have weight zero, and still carry soft targets.
        distiller.objectives[0].use_sample_weight = self.labels is None
        return distiller

    def _training_data(self, distilled: bool, seed: int) -> Data:
        if self.labels is None:
            return self.data
        if distilled:
            return self.data.partly_labelled(self.labels, seed)
        return self.data.labelled_only(self.labels, seed)

    def _fit(
        self, trainee: keras.Model, model: keras.Model, data: Data, epochs: int, title: str, history: str
    ) -> None:
        steps = epochs * int(data.train.cardinality())
        rate = keras.optimizers.schedules.CosineDecay(self.recipe.learning_rate, steps)
        from_logits = output_activation(model) is None
        trainee.compile(
            keras.optimizers.Adam(rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits),
            weighted_metrics=["accuracy"],  # rows whose label was taken away must not count
        )

        def tell(epoch: int, logs: Mapping[str, float]) -> None:
            accuracy = f"validation accuracy {100 * logs['val_accuracy']:.1f} %"
            self.progress.note(f"{title}: epoch {epoch + 1} of {epochs}, {accuracy}")

        callback = keras.callbacks.LambdaCallback(on_epoch_end=tell)
        self.progress.note(f"{title}: epoch 1 of {epochs}")
        told = trainee.fit(
            data.train,
            validation_data=data.validation,
            epochs=epochs,
            callbacks=[callback],
            verbose=0,
            shuffle=False,
        ).history
        self.run.keep(history, {key: list(map(float, values)) for key, values in told.items()})
        self.progress.say(
            f"{title}: {epochs} epochs, validation accuracy {100 * told['val_accuracy'][-1]:.1f} %"
        )

    def file(self, model: keras.Model, quantization: str) -> Any:
        path = self.run.path(f"student-{quantization}.tflite")

        def make() -> dict[str, Any]:
            self.progress.note(f"exporting {path.name}")
            exported = export(
                model,
                path,
                quantization=None if quantization == "float32" else quantization,
                calibration=self.data.calibration if quantization.startswith("int") else None,
                overwrite=True,  # of an attempt that was interrupted before it was described
            )
            self.progress.say(f"{path.name}: {exported.bytes / 1024:.1f} KiB")
            return exported.to_dict()

        told = self.run.figures(f"{path.name}.json", make) if path.exists() else None
        if told is None or told["bytes"] != path.stat().st_size:  # the file was lost or damaged
            self.run.keep(f"{path.name}.json", make())
            self.run.path(f"{path.name}.verified.json").unlink(missing_ok=True)
        return path

    def verified(self, model: keras.Model, quantization: str) -> dict[str, Any]:
        path = self.run.path(f"student-{quantization}.tflite")
        return self.run.figures(
            f"{path.name}.verified.json", lambda: verify(model, path, self.data.test).to_dict()
        )

    def accuracies(self, kind: str, seeds: int) -> list[float]:
        return [self.run.figures(f"seed{seed}/{kind}.test.json", dict)["accuracy"] for seed in range(seeds)]

    def curves(self, with_teacher: bool) -> dict[str, dict[str, list[float]]]:
        files = {ALONE: "seed0/alone.history.json", DISTILLED: "seed0/distilled.history.json"}
        if with_teacher:
            files = {TEACHER: "teacher.history.json", **files}
        # The training losses are of different kinds, so only what is comparable is drawn.
        keys = ("val_accuracy", "val_loss")
        histories = {name: self.run.figures(file, dict) for name, file in files.items()}
        return {name: {key: told[key] for key in keys if key in told} for name, told in histories.items()}


def check(data: Data, teacher: keras.Model, student: keras.Model, recipe: Recipe, labels: int | None) -> None:
    """Raise a `ValueError` for what would fail later, after hours of training perhaps."""
    check_models(teacher, student, data)
    if not 0 < recipe.learning_rate < math.inf:
        raise ValueError(f"The learning rate must be positive and finite. Received: {recipe.learning_rate}.")
    Distiller(student, teacher, temperature=recipe.temperature, alpha=recipe.alpha)
    if labels is not None:
        data.labelled_only(labels)


def check_models(teacher: keras.Model, student: keras.Model, data: Data) -> None:
    """Raise a `ValueError` unless the models fit the data and one another."""
    for role, model in (("teacher", teacher), ("student", student)):
        if any(len(getattr(model, ends, None) or []) != 1 for ends in ("inputs", "outputs")):
            raise ValueError(f"The {role} must be a built model with one input and one output.")
        shape, classes = tuple(model.inputs[0].shape[1:]), model.outputs[0].shape[-1]
        if any(a not in (None, b) for a, b in zip(shape, data.input_shape, strict=False)) or len(
            shape
        ) != len(data.input_shape):
            raise ValueError(
                f"The {role} takes inputs of shape {shape}, and the data has {data.input_shape}."
            )
        if len(model.outputs[0].shape) != 2 or classes < data.classes:
            raise ValueError(
                f"The {role} must give one score per class, (batch, {data.classes}). "
                f"Its output has the shape {tuple(model.outputs[0].shape)}."
            )
    if teacher.outputs[0].shape[-1] != student.outputs[0].shape[-1]:
        raise ValueError(
            f"The teacher has {teacher.outputs[0].shape[-1]} classes and the student "
            f"{student.outputs[0].shape[-1]}: they must be the same ones."
        )


def _accuracy(model: keras.Model, data: Data) -> float:
    split = data.arrays["test"]
    return float((model.predict(split.x, batch_size=256, verbose=0).argmax(-1) == split.y).mean())

"""The main job: a teacher, a student trained alone and distilled, five files, one report."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras

from keras_kd.deployment.conversion.converter_process import converter
from keras_kd.jobs import findings
from keras_kd.jobs.experiment import Experiment, Progress, check_experiment, metric_of
from keras_kd.jobs.findings import Figures
from keras_kd.jobs.preflight import NOTHING_TO_TEACH, find_doubts, find_far_targets, require_no_doubts
from keras_kd.jobs.recalibration import describe_renewals
from keras_kd.jobs.runs import Run
from keras_kd.jobs.scoring import score, score_constant, score_file
from keras_kd.jobs.selection import Selection
from keras_kd.jobs.shortfalls import explain_shortfall, training_score
from keras_kd.jobs.student_files import StudentFiles
from keras_kd.jobs.tasks import Output, Task, find_outputs
from keras_kd.jobs.training_files import NAMES, TEACHER
from keras_kd.jobs.trainings import Trained, Trainings
from keras_kd.messages import number_of
from keras_kd.reports import Report
from keras_kd.reports.choice import choose
from keras_kd.reports.comparison import compare
from keras_kd.reports.snippets import make_snippets


def distil(
    run: Run,
    experiment: Experiment,
    *,
    tasks: Sequence[Task] | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    command: str | None = None,
) -> Report:
    """Do the main job in a run's folder, or whatever part of it is left.

    Files are made from the student that is better on validation data: the one trained alone, or the distilled
    one.

    Args:
        run: Where models, files and the report go.
        experiment: The data, the models, and how they are trained.
        tasks: What `check_experiment` found, if the experiment was checked before the run's folder was made.
        strict: Whether a teacher that has little to teach is an error instead of a warning.
        progress: Where to report progress.
        command: The command that was typed, for the report.

    Returns:
        The report, which is also in the folder as `report.html`, `.md` and `.json`.

    Raises:
        ValueError: Models that do not fit the data or each other; doubts about the teacher, if `strict`.
    """
    progress = progress or Progress()
    if run.has("report.json") and run.is_whole():
        return _read_report(run, progress)
    run.discard("report.json")  # of results that were lost
    tasks = check_experiment(experiment) if tasks is None else tasks
    trainings = Trainings(run, experiment, tasks, progress)
    teacher = trainings.teacher()
    doubts = find_doubts(teacher, experiment.student(), tasks, experiment.data)
    if strict:
        require_no_doubts(doubts)
    doubts = [*doubts, *_far_targets(experiment, tasks)]
    for doubt in doubts:
        progress.say(f"Warning: {doubt}")
    with warnings.catch_warnings():
        if any(NOTHING_TO_TEACH in doubt for doubt in doubts):  # the Distiller would say it once more
            warnings.filterwarnings("ignore", "The teacher .* hardly more than guesses would")
        students = _train(trainings, teacher)
    report = _report(trainings, teacher, Selection(students, tasks[0].tap), command)
    report = replace(report, warnings=doubts)
    for suffix in ("html", "md", "json"):  # the last one marks the run as finished
        report.save(run.path(f"report.{suffix}"), overwrite=True)
    run.record("report.json")
    return report


def _far_targets(experiment: Experiment, tasks: Sequence[Task]) -> list[str]:
    used, data = experiment.hyperparameters, experiment.data
    steps = used.student_epochs * math.ceil(len(data.arrays["train"].x) / data.batch_size)
    text = find_far_targets(experiment.student(), tasks, data, used.learning_rate, steps)
    return [text] if text else []


def _train(trainings: Trainings, teacher: keras.Model) -> list[Trained]:
    """All students, of both kinds and all seeds."""
    todo = [(kind, seed) for seed in range(trainings.experiment.seeds) for kind in NAMES]
    students = [trainings.student(kind, teacher, seed) for kind, seed in todo[:-1]]
    converter.start()  # its TensorFlow loads while the last student is trained
    kind, seed = todo[-1]
    return [*students, trainings.student(kind, teacher, seed)]


def _read_report(run: Run, progress: Progress) -> Report:
    path = run.path("report.json")
    try:
        report = Report.load(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}. Delete the file to have it made again.") from error
    for suffix in ("html", "md"):
        if not run.has(f"report.{suffix}"):
            report.save(run.path(f"report.{suffix}"))
    progress.say(f"{run.folder} is finished: nothing was left to do.")
    return report


def _report(trainings: Trainings, teacher: keras.Model, selection: Selection, command: str | None) -> Report:
    experiment, progress, task = trainings.experiment, trainings.progress, trainings.tasks[0]
    progress.say(findings.made_from(selection, task))
    shown = [selection.best(kind) for kind in NAMES]
    models = {NAMES[student.kind]: trainings.load(student) for student in shown}
    chosen = NAMES[selection.better]
    files = StudentFiles(trainings.run, experiment.data, models[chosen], selection.chosen.file, progress)
    exported = {quantization: files.exported(quantization) for quantization in experiment.files}
    verified = {quantization: files.verified(quantization) for quantization in experiment.files}
    said = {quantization: files.notes(quantization) for quantization in experiment.files}
    names = _class_names(trainings, find_outputs(teacher))
    report = _measure({TEACHER: teacher, **models, **exported}, names, selection, trainings, command)
    verdict = findings.judge(selection, task, _yardsticks(teacher, trainings), _shortfall(trainings))
    if verdict.nothing_to_ship:
        report = replace(report, choice=None, snippets={})
    elif task.kind == "numbers":
        report = _choose_by_error(report, chosen, exported, selection, trainings)
    if report.choice is not None and experiment.data.pixels is not None:
        scale = f"pixels {experiment.data.pixels.replace('..', ' to ')}, as in the data"
        report = replace(report, snippets=make_snippets(exported[report.choice.name], scale))
    return replace(
        report,
        rows=[replace(row, notes=(*row.notes, *said.get(row.name, ()))) for row in report.rows],
        verdict=verdict,
        facts=_facts(report, selection, trainings, verified),
        meta=replace(report.meta, settings=findings.settings(experiment)),
    )


def _measure(
    models: Mapping[str, keras.Model | Path],
    class_names: Sequence[str] | None,
    selection: Selection,
    trainings: Trainings,
    command: str | None,
) -> Report:
    experiment, data = trainings.experiment, trainings.experiment.data
    task, shown = trainings.tasks[0], [selection.best(kind) for kind in NAMES]
    accuracies = {NAMES[kind]: selection.on_test(kind).mean(1).tolist() for kind in NAMES}
    several = experiment.seeds > 1 and task.measure == "accuracy"
    return compare(
        data.test,
        baseline=TEACHER,
        models=models,
        seeds=accuracies if several else None,
        class_names=class_names,
        curves=trainings.curves(shown),
        title=_title(experiment, trainings.run.folder),
        data_name=f"{data.name}, test split",
        command=command,
        metric=metric_of(trainings.tasks, experiment.metric),
        progress=trainings.progress.note,
        not_measured=findings.gaps(experiment.seeds),
    )


def _title(experiment: Experiment, folder: Path) -> str:
    """The title of a report, by which runs can be told apart."""
    name, phases = experiment.data.name, experiment.hyperparameters.phases
    run = f" ({folder.name})" if folder.name not in ("", name) else ""
    files = number_of(len(experiment.files), "file")
    more = f", continued: {' + '.join(str(len(phase)) for phase in phases)} epochs" if phases[1:] else ""
    return f"{name}{run}: teacher, student, and {files}{more}"


def _yardsticks(teacher: keras.Model, trainings: Trainings) -> findings.Yardsticks:
    data, task = trainings.experiment.data, trainings.tasks[0]
    return findings.Yardsticks(score(teacher, [task], data, "test")[task.tap], score_constant(task, data))


def _shortfall(trainings: Trainings) -> str:
    experiment, task = trainings.experiment, trainings.tasks[0]
    used = experiment.hyperparameters
    reached = {
        kind: training_score(trainings.histories(kind), task, keeps_best=used.early_stopping is not None)
        for kind in NAMES
    }
    return explain_shortfall(reached, task, used, has_options=not experiment.train_teacher)


def _class_names(trainings: Trainings, outputs: Sequence[Output]) -> list[str] | None:
    """The names of the classes, if they are known; units that no class has go by their numbers."""
    names, task = trainings.experiment.data.class_names, trainings.tasks[0]
    if not names or task.kind not in ("classes", "one-hot"):
        return None
    [units] = [output.shape[-1] for output in outputs if output.name == task.name]
    return [*names, *map(str, range(len(names), units or 0))]


def _choose_by_error(
    report: Report,
    chosen: str,
    files: Mapping[str, Path],
    selection: Selection,
    trainings: Trainings,
) -> Report:
    """The report with the file to ship, of models that predict numbers: `compare` knows accuracies only."""
    task, data = trainings.tasks[0], trainings.experiment.data
    scores = {name: score_file(path, task, data, None) for name, path in files.items()}
    scores[chosen] = selection.chosen.test[task.tap]
    choice = choose(report.rows, scores, error=task.measure)
    snippets = {} if choice is None else make_snippets(files[choice.name])
    return replace(report, choice=choice, snippets=snippets)


def _facts(
    report: Report, selection: Selection, trainings: Trainings, verified: Mapping[str, Figures]
) -> list[str]:
    experiment, (first, *others) = trainings.experiment, trainings.tasks
    facts = [findings.made_from(selection, first)]
    facts += [experiment.origin] if experiment.origin else []
    facts += [findings.judge(selection, task).text for task in others]
    if experiment.labels is not None:
        facts.append(findings.few_labels(experiment.labels, experiment.data, experiment.train_teacher))
    renewed = describe_renewals(trainings.renewals(), first)
    facts += [renewed] if renewed else []
    facts += findings.sizes(report, NAMES[selection.better], experiment.files)
    return [*facts, findings.agreements(verified)] if verified else facts

"""Commands that train: `demo` and `distill`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    AsJson,
    CustomObjects,
    DataFile,
    DemoData,
    Epochs,
    Folder,
    ImageSize,
    Labels,
    MetricOption,
    PixelRange,
    PixelsOption,
    Seeds,
    Target,
    check_optional_model,
    parse_image_size,
)
from keras_kd.cli.output import command_line, show_progress, show_run
from keras_kd.cli.sources import check_source
from keras_kd.cli.training_options import (
    QUANTIZATIONS,
    Augment,
    EarlyStopping,
    Files,
    Loss,
    Objectives,
    TensorBoard,
    check_losses,
    check_positive,
    listed,
    parse_student,
)
from keras_kd.jobs.continuation import check_run
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.user_files import Options, UserFiles, settings_of_run
from keras_kd.locations import check_model, check_teacher


def demo(
    data: Annotated[DemoData, typer.Option(case_sensitive=False, help="The dataset.")] = DemoData.digits,
    labels: Labels = None,
    seeds: Seeds = 1,
    epochs: Epochs = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results.")] = None,
    as_json: AsJson = False,
) -> None:
    """Do it all on real data, and leave a report page.

    Trains, distills, exports, verifies and measures.

    If interrupted, the same command resumes after the last finished stage.

    Example: keras-kd demo --data digits --labels 100 --seeds 5
    """
    load_library()
    from keras_kd.jobs.demo import demo

    with show_progress() as progress:
        run, report = demo(
            data,
            labels=labels,
            seeds=seeds,
            epochs=epochs,
            out=out,
            progress=progress,
            command=command_line(),
        )
    show_run(report, run, as_json)


def distill(
    teacher: Annotated[
        Path,
        typer.Option(
            callback=check_teacher,
            help="The trained teacher: a Keras model or SavedModel; or .tflite or .onnx, which is asked once "
            "for each sample (with --augment, in each step).",
        ),
    ],
    data: DataFile,
    out: Folder,
    student: Annotated[
        Path | None,
        typer.Option(callback=check_optional_model, help="The student, with its initial weights."),
    ] = None,
    shrink: Annotated[
        float | None,
        typer.Option(metavar="F", help="Instead: shrink the teacher to this part of its multiply-adds."),
    ] = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    labels: Labels = None,
    seeds: Seeds = 1,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each student, in all.")] = 20,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 64,
    learning_rate: Annotated[
        float, typer.Option(callback=check_positive, help="Initial learning rate of Adam.")
    ] = 2e-3,
    temperature: Annotated[
        float, typer.Option(callback=check_positive, help="Temperature of the soft targets.")
    ] = 4.0,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Weight of the hard labels.")] = 0.1,
    loss: Loss = None,
    objectives: Objectives = None,
    files: Files = None,
    metric: MetricOption = None,
    early_stopping: EarlyStopping = None,
    augment: Augment = None,
    tensorboard: TensorBoard = None,
    more_epochs: Annotated[
        bool, typer.Option("--continue", help="Train a run of fewer epochs on to --epochs.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a teacher with little to teach.")] = False,
    custom_objects: CustomObjects = None,
    as_json: AsJson = False,
) -> None:
    """Do for your teacher, student and data what the demo does.

    Example: keras-kd distill --teacher big.keras --student small.keras --data mine.npz --out runs/mine

    With one model only: --shrink 0.25 instead of --student.
    """
    made_from = parse_student(student, shrink)
    if shrink is not None:
        check_model(teacher)
    check_source(data, target, pixels, image_size, needs_target=True)
    if not custom_objects:  # which may register losses
        check_losses(loss, objectives)
    hyperparameters = Hyperparameters(
        *(0, epochs, learning_rate, temperature, alpha),
        loss=loss,
        objectives=tuple(objectives or ()),
        early_stopping=early_stopping,
        augment=listed(augment),
    )
    user_files = UserFiles(
        *(teacher, made_from, data, batch_size, target),
        pixels=pixels.value,
        image_size=None if image_size is None else parse_image_size(image_size),
    )
    options = Options(labels=labels, seeds=seeds, files=listed(files) or QUANTIZATIONS, metric=metric)
    check_run(out, lambda: settings_of_run(user_files, hyperparameters, options), more_epochs=more_epochs)
    load_library(custom_objects)
    from keras_kd.jobs.distil_files import distil_files

    with show_progress() as progress:
        run, report = distil_files(
            *(user_files, out, hyperparameters),
            **options,
            tensorboard=tensorboard,
            more_epochs=more_epochs,
            strict=strict,
            progress=progress,
            command=command_line(),
        )
    show_run(report, run, as_json)

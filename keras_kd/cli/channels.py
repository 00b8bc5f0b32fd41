"""Commands that make a smaller model of a model by its channels: `shrink` and `compact`."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from keras_kd.cli.deploy import parse_input_shape
from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    AsJson,
    CalibrationFile,
    CustomObjects,
    ImageSize,
    InputShape,
    ModelFile,
    ModelTarget,
    Overwrite,
    PixelRange,
    PixelsOption,
    Target,
)
from keras_kd.cli.output import in_shell, say, show, show_status, write
from keras_kd.cli.sources import calibration_inputs, check_source, open_model
from keras_kd.cli.structure import number_in
from keras_kd.compression.shrinking.fractions import check_fraction
from keras_kd.files import check_writable, write_atomically

Skip = Annotated[list[str] | None, typer.Option(metavar="NAME", help="A layer to leave as it is.")]


class Budget(StrEnum):
    """What `--keep` is a fraction of."""

    channels = "channels"
    parameters = "parameters"
    macs = "macs"
    bytes = "bytes"


class ImportanceOption(StrEnum):
    """What tells which channels are kept."""

    l1 = "l1"
    l2 = "l2"
    batch_norm = "batch_norm"
    activation = "activation"


class Scope(StrEnum):
    """Among which channels they compete."""

    all = "global"
    layer = "layer"


def parse_fractions(texts: list[str] | None) -> list[str] | Mapping[str, float] | None:
    """Names of layers, or the fraction of each."""
    if not texts or not any("=" in text for text in texts):
        return texts
    fractions = {}
    for text in texts:
        name, equals, fraction = text.rpartition("=")
        value = number_in(fraction)
        if not equals or value is None:
            raise ValueError(
                f"--layers gives each layer a fraction in (0, 1], as conv1=0.5, or none. Received: {text!r}."
            )
        check_fraction(f"The fraction of --layers {name}", value)
        fractions[name] = float(value)
    return fractions


def parse_depth(text: str) -> int | float:
    """A fraction of residual blocks, or a number of them: 1.0 is all, and 1 is one."""
    value = number_in(text)
    if value is None or value < 0 or (isinstance(value, float) and not 0 < value <= 1):
        raise ValueError(
            "--depth is the fraction of residual blocks to keep, in (0, 1], as 0.5, or how many, as 4. "
            f"Received: {text!r}."
        )
    return value


def shrink(
    model: ModelFile,
    out: ModelTarget,
    keep: Annotated[float, typer.Option("--keep", help="The fraction to keep, in (0, 1].")] = 0.5,
    budget: Annotated[
        Budget, typer.Option(case_sensitive=False, help="What --keep is a fraction of.")
    ] = Budget.channels,
    importance: Annotated[
        ImportanceOption, typer.Option(case_sensitive=False, help="What tells which channels are kept.")
    ] = ImportanceOption.l2,
    scope: Annotated[
        Scope, typer.Option(case_sensitive=False, help="Among which channels they compete.")
    ] = Scope.all,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=F]",
            help="Make only this layer smaller; with =F, it keeps F, and all others --keep.",
        ),
    ] = None,
    skip: Skip = None,
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="D",
            show_default=False,
            help="The fraction of residual blocks to keep, as 0.5, or how many, as 4; by --data if given.",
        ),
    ] = None,
    multiple_of: Annotated[int, typer.Option(min=1, help="What numbers of channels are multiples of.")] = 8,
    floor: Annotated[
        float, typer.Option(min=0, max=1, help="The least fraction of channels that a group of layers keeps.")
    ] = 0.1,
    input_shape: InputShape = None,
    data: CalibrationFile = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Remove the least important channels of a model.

    With --data, BatchNorm statistics are those of what the layers now read.

    Example: keras-kd shrink big.keras --keep 0.5 --budget macs --out small.keras
    """
    check_writable(out, overwrite=overwrite, suffixes=(".keras",))
    if importance is ImportanceOption.activation and data is None:
        raise ValueError("--importance activation is measured on data: give --data.")
    shape = parse_input_shape(input_shape)
    by_layer, blocks = parse_fractions(layers), None if depth is None else parse_depth(depth)
    check_fraction("--keep", keep)
    if data is not None:
        check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.compression.batch_norm.recalibration import recalibrate
    from keras_kd.compression.shrinking.arguments import Arguments
    from keras_kd.compression.shrinking.cutting import Cut
    from keras_kd.compression.shrinking.planning import plan_shrinking
    from keras_kd.compression.shrinking.summary import summarize
    from keras_kd.compression.statistics import normalizations_in

    loaded = open_model(model)
    inputs = calibration_inputs(loaded, data, target, pixels, image_size)
    arguments = Arguments(
        *(keep, budget.value, importance.value, scope.value, by_layer, skip or (), multiple_of, floor),
        data=inputs,
        depth=blocks,
        drop="importance" if inputs is not None else "even",
        input_shape=shape,
    )
    with show_status("shrinking"):
        plan = plan_shrinking(loaded, arguments)
        small = Cut(plan.channels, plan.removed).model(plan.opened)
        if inputs is not None and normalizations_in(small):
            small = recalibrate(small, inputs)
    with write_atomically(out) as part:
        small.save(part)
    show(summarize(plan), as_json)
    say(f"Model: {out}")


def compact(
    model: ModelFile,
    out: ModelTarget,
    multiplier: Annotated[
        int, typer.Option(min=1, help="Depthwise filters of each input channel; more are closer.")
    ] = 1,
    layers: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A layer or a glob.")] = None,
    skip: Skip = None,
    data: CalibrationFile = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make the convolutions of a model depthwise-separable.

    With --data, BatchNorm statistics are those of what the layers now read.

    Example: keras-kd compact big.keras --out small.keras
    """
    check_writable(out, overwrite=overwrite, suffixes=(".keras",))
    if data is not None:
        check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.compression.batch_norm.recalibration import recalibrate
    from keras_kd.compression.separable.compact import compact_and_tell
    from keras_kd.compression.statistics import normalizations_in, warn_of_stale_statistics

    loaded = open_model(model)
    inputs = calibration_inputs(loaded, data, target, pixels, image_size)
    with show_status("making convolutions separable"):
        small, told = compact_and_tell(loaded, layers, skip or (), multiplier)
        if inputs is not None and normalizations_in(small):
            warn_of_stale_statistics(loaded, inputs)
            small = recalibrate(small, inputs)
    with write_atomically(out) as part:
        small.save(part)
    if as_json:
        write(json.dumps([row.to_dict() for row in told], indent=2))
    else:
        write("\n".join(in_shell(str(row)) for row in told))
    say(f"Model: {out}")

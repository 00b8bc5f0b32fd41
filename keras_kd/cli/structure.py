"""Commands about smaller models of a model: `factorize`, `sensitivity`."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    AsJson,
    CalibrationFile,
    CustomObjects,
    ImageSize,
    MetricOption,
    ModelFile,
    ModelTarget,
    Overwrite,
    PixelRange,
    PixelsOption,
    Target,
    ValidationFile,
)
from keras_kd.cli.output import say, show, show_status
from keras_kd.cli.sources import calibration_inputs, check_source, open_model, open_source
from keras_kd.files import check_writable, write_atomically


class ConvolutionMethod(StrEnum):
    """How convolutions are factorized."""

    auto = "auto"
    tucker = "tucker"
    spatial = "spatial"


class Reduction(StrEnum):
    """How a layer is made smaller."""

    channels = "channels"
    rank = "rank"
    sparsity = "sparsity"
    clusters = "clusters"


def factorize(
    model: ModelFile,
    out: ModelTarget,
    rank: Annotated[
        str | None,
        typer.Option(
            "--rank",
            metavar="R",
            show_default=False,
            help="What each layer keeps: a rank, as 8, or a fraction of the full one, as 0.25; else 0.5.",
        ),
    ] = None,
    energy: Annotated[
        float | None, typer.Option("--energy", help="Instead: the fraction of squared singular values.")
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=R]", help="A layer or a glob, which may have a rank of its own."),
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A layer to leave alone.")] = None,
    method: Annotated[ConvolutionMethod, typer.Option(help="Of convolutions.")] = ConvolutionMethod.auto,
    data: CalibrationFile = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make the layers of a model thin, by their singular values.

    Example: keras-kd factorize big.keras --rank 0.5 --out small.keras
    """
    check_writable(out, overwrite=overwrite, suffixes=(".keras",))
    kept, by_layer = parse_amount(rank, energy), parse_layers(layers)
    if data is not None:
        check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.compression.low_rank.arguments import resolve
    from keras_kd.compression.low_rank.factorize import build
    from keras_kd.compression.low_rank.plan import plan_factorization

    loaded = open_model(model)
    settings = resolve(kept, energy, by_layer, skip or (), method.value)
    inputs = calibration_inputs(loaded, data, target, pixels, image_size)
    with show_status("factorizing"):
        plan = plan_factorization(loaded, settings, inputs)
        small = build(plan)
    with write_atomically(out) as part:
        small.save(part)
    show(plan.result, as_json)
    say(f"Model: {out}")


def sensitivity(
    model: ModelFile,
    data: ValidationFile,
    by: Annotated[Reduction, typer.Option("--by", help="What layers get less of.")] = Reduction.channels,
    amounts: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", show_default=False, help="What is tried, as 0.5,0.25, mildest first."
        ),
    ] = None,
    layers: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A layer or a glob; else all.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A layer to leave out.")] = None,
    metric: MetricOption = None,
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="New BatchNorm statistics before each measurement.")
    ] = False,
    samples: Annotated[int, typer.Option(min=1, help="Validation rows to measure on.")] = 2000,
    out: Annotated[Path | None, typer.Option("--out", help="Also write .html or .json.")] = None,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure what smaller layers cost a model, one by one.

    Example: keras-kd sensitivity big.keras --data mine.npz --out page.html
    """
    if out is not None:
        check_writable(out, overwrite=overwrite, suffixes=(".html", ".json"))
    tried = parse_amounts(amounts)
    check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.compression.sensitivity.sensitivity import sensitivity
    from keras_kd.datasets.model_shape import ModelShape
    from keras_kd.model_files import load_model

    loaded = load_model(model)
    found = sensitivity(
        loaded,
        open_source(data, target, pixels, image_size).validation(ModelShape.of(loaded)),
        by=by.value,
        amounts=tried,
        layers=layers or None,
        skip=skip or (),
        metric=metric,
        recalibrate=recalibrate,
        samples=samples,
    )
    if out is not None:
        found.save(out, overwrite=overwrite)
    show(found, as_json)
    if out is not None:
        say(f"Written: {out}")


def parse_amount(rank: str | None, energy: float | None) -> int | float | None:
    """The rank of `--rank`, checked together with `--energy`."""
    from keras_kd.compression.low_rank.ranks import check_energy

    if energy is not None:
        if rank is not None:
            raise ValueError("--rank and --energy both say how much to keep: give one.")
        check_energy(energy, "--energy")
    return None if rank is None else parse_rank(rank, "--rank")


def parse_rank(text: str, name: str) -> int | float:
    """A rank, or a fraction of the full one."""
    from keras_kd.compression.low_rank.ranks import check_rank

    value = number_in(text)
    return check_rank(text if value is None else value, name)


def parse_amounts(text: str | None) -> list[int | float] | None:
    """The numbers of `--amounts`."""
    if text is None:
        return None
    values = [number_in(part) for part in text.split(",")]
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        raise ValueError(f"--amounts takes numbers, as 0.5,0.25. Received: {text!r}.")
    return found


def number_in(text: str) -> int | float | None:
    """A whole number or another one; `None` for other text."""
    try:
        return int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        return None


def parse_layers(texts: list[str] | None) -> list[str] | Mapping[str, int | float] | None:
    """Names of layers, or the rank of each."""
    if not texts or not any("=" in text for text in texts):
        return texts
    ranks = {}
    for text in texts:
        name, equals, rank = text.rpartition("=")
        if not equals:
            raise ValueError(f"--layers gives either each layer a rank, or none. Received: {text!r}.")
        ranks[name] = parse_rank(rank, f"--layers {name}")
    return ranks

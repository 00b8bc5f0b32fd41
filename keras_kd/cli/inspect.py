"""Commands that inspect a model: `taps` and `cost`."""

import json
from typing import Annotated

import typer

from keras_kd.cli.deploy import parse_input_shape
from keras_kd.cli.loading import load_library
from keras_kd.cli.options import AsJson, CustomObjects, InputShape, ModelFile
from keras_kd.cli.output import write
from keras_kd.cli.sources import open_model
from keras_kd.messages import printable


def taps(model: ModelFile, custom_objects: CustomObjects = None, as_json: AsJson = False) -> None:
    """List the layers whose output an objective can read.

    Example: keras-kd taps student.keras
    """
    load_library(custom_objects)
    from keras_kd.signals.listing import tap_shapes

    shapes = tap_shapes(open_model(model))
    if as_json:
        write(json.dumps(shapes, indent=2))
        return
    rows = [("tap", "shape")]
    for name, shape in shapes.items():
        rows.append((printable(name, keep=""), "unknown until data comes" if shape is None else str(shape)))
    width = max(len(name) for name, _ in rows)
    write("\n".join(f"{name:<{width}}  {shape}" for name, shape in rows))


def cost(
    model: ModelFile,
    input_shape: InputShape = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Number of samples.")] = 1,
    custom_objects: CustomObjects = None,
    as_json: AsJson = False,
) -> None:
    """Show the parameters, multiply-adds and memory of each layer.

    Example: keras-kd cost student.keras
    """
    shape = parse_input_shape(input_shape)
    load_library(custom_objects)
    from keras_kd.compression.costs.cost import cost

    found = cost(open_model(model), input_shape=shape, batch_size=batch_size)
    write(found.to_json() if as_json else str(found))

"""Commands that inspect a model: `taps`."""

import json
import sys

from rich.table import Table

from keras_kd.cli.options import AsJson, ModelFile
from keras_kd.cli.output import out


def taps(model: ModelFile, as_json: AsJson = False) -> None:
    """List the layers whose output an objective can read.

    Example: keras-kd taps student.keras
    """
    from keras_kd.model_files import load_model
    from keras_kd.signals.listing import tap_shapes

    shapes = tap_shapes(load_model(model))
    if as_json:
        sys.stdout.write(json.dumps(shapes, indent=2) + "\n")
        return
    table = Table("tap", "shape", box=None)
    for name, shape in shapes.items():
        table.add_row(name, "unknown until data comes" if shape is None else str(shape))
    out.print(table)

"""Commands that inspect a model: `taps`."""

import json

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import AsJson, CustomObjects, ModelFile
from keras_kd.cli.output import write
from keras_kd.messages import printable


def taps(model: ModelFile, custom_objects: CustomObjects = None, as_json: AsJson = False) -> None:
    """List the layers whose output an objective can read.

    Example: keras-kd taps student.keras
    """
    load_library(custom_objects)
    from keras_kd.model_files import load_model
    from keras_kd.signals.listing import tap_shapes

    shapes = tap_shapes(load_model(model))
    if as_json:
        write(json.dumps(shapes, indent=2))
        return
    rows = [("tap", "shape")]
    for name, shape in shapes.items():
        rows.append((printable(name, keep=""), "unknown until data comes" if shape is None else str(shape)))
    width = max(len(name) for name, _ in rows)
    write("\n".join(f"{name:<{width}}  {shape}" for name, shape in rows))

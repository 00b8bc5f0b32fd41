"""The command that renews BatchNorm statistics: `recalibrate`."""

import json

from keras_kd.cli.loading import load_library
from keras_kd.cli.options import (
    AsJson,
    CustomObjects,
    ImageSize,
    ModelFile,
    ModelTarget,
    Overwrite,
    PixelRange,
    PixelsOption,
    Target,
    TrainingFile,
)
from keras_kd.cli.output import say, show_status, write
from keras_kd.cli.sources import check_source, open_model, open_source
from keras_kd.files import check_writable, write_atomically
from keras_kd.messages import printable


def recalibrate(
    model: ModelFile,
    data: TrainingFile,
    out: ModelTarget,
    target: Target = None,
    pixels: PixelRange = PixelsOption.bytes,
    image_size: ImageSize = None,
    custom_objects: CustomObjects = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Give BatchNorms the statistics of the training inputs.

    Prints how far their own were from these, in standard deviations.

    Example: keras-kd recalibrate big.keras --data mine.npz --out new.keras
    """
    check_writable(out, overwrite=overwrite, suffixes=(".keras",))
    check_source(data, target, pixels, image_size)
    load_library(custom_objects)
    from keras_kd.compression.batch_norm.recalibration import recalibrate
    from keras_kd.compression.statistics import statistics_gap
    from keras_kd.compression.tables import draw
    from keras_kd.datasets.model_shape import ModelShape

    loaded = open_model(model)
    inputs = open_source(data, target, pixels, image_size).training(ModelShape.of(loaded))
    with show_status("recalibrating"):
        made = recalibrate(loaded, inputs)
        gaps = statistics_gap(loaded, inputs)
    with write_atomically(out) as part:
        made.save(part)
    if as_json:
        write(json.dumps({"gaps": gaps}, indent=2))
    else:
        rows = [(printable(path, keep=""), f"{gap:.2f}") for path, gap in gaps.items()]
        write(draw(("BatchNorm", "was off by"), rows, right={1}))
    say(f"Model: {out}")

"""Photos of solar cells that glow (ELPV), and which have defects; what an ImageNet model sees in them."""

import keras
import numpy as np

from keras_kd.files import write_atomically
from parts.imagenet import efficientnet_lite0
from parts.packages import package


def read_solar_cells():
    """2,624 gray photos `(300, 300)`, whether each cell has a defect, and the published split as text.

    Deitsch et al. (2019, arXiv 1807.02894); CC BY-NC-SA 4.0. A probability of 2/3 or 1 counts as a defect.
    """
    try:
        from PIL import Image
    except ImportError:
        raise SystemExit("The photos are PNG files: pip install pillow") from None
    folder = package("elpv-dataset", "1.0") / "elpv_dataset/data"
    lines = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    photos = np.stack([np.asarray(Image.open(folder / line[0]).convert("L")) for line in lines])
    return (
        photos,
        np.array([float(line[1]) > 0.5 for line in lines], int),
        np.array([line[-1] for line in lines]),
    )


def imagenet_features(photos, path):
    """The teacher's features `(photos, 1280)`: they take minutes, so they are kept in a file."""
    if path.exists():
        return np.load(path)
    model = efficientnet_lite0(224)
    parts = []
    for start in range(0, len(photos), 32):
        rgb = np.repeat(photos[start : start + 32, ..., None], 3, -1)
        parts.append(model.predict(keras.ops.image.resize(rgb, (224, 224), antialias=True), verbose=0))
    features = np.concatenate(parts)
    with write_atomically(path) as part, part.open("wb") as file:
        np.save(file, features)
    return features

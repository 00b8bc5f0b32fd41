"""Pictures composed of stamps and photos: every pixel's class and every box is known."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from parts.stamps import Source


class Scenes(NamedTuple):
    """Composed pictures.

    Args:
        images: `(count, size, size, 3)` in uint8.
        classes: `(count, size, size)`: 0 for the background, else 1 + the class of the thing.
        boxes: For each picture `(things, 5)`: class, left, top, right, bottom, of what is seen of it.
    """

    images: np.ndarray
    classes: np.ndarray
    boxes: list[np.ndarray]


def compose(source: Source, count: int, size: int, seed: int, most: int = 3) -> Scenes:
    """Pictures of one to `most` things each, turned, of many sizes, none hidden by more than a half."""
    random = np.random.default_rng(seed)
    made = [scene(source, size, random, most) for _ in range(count)]
    images, classes, boxes = zip(*made, strict=True)
    return Scenes(np.stack(images), np.stack(classes), list(boxes))


def scene(source: Source, size: int, random: np.random.Generator, most: int) -> tuple:
    canvas = background(source.photos[random.integers(len(source.photos))], size, random)
    owners = np.zeros((size, size), int)  # the number of the thing that is seen at a pixel
    kinds: list[int] = []
    for _ in range(random.integers(1, most + 1)):
        kind = int(random.integers(len(source.stamps)))
        stamp = source.stamps[kind][random.integers(len(source.stamps[kind]))]
        stamp, corner = placed(stamp, size, random, source.mirrored)
        mask = Image.new("L", (size, size))
        mask.paste(stamp.getchannel("A"), corner)
        seen = np.asarray(mask) > 127
        hidden = [np.sum(seen & (owners == i + 1)) > np.sum(owners == i + 1) / 2 for i in range(len(kinds))]
        if seen.sum() < size or any(hidden):
            continue
        canvas.paste(stamp, corner, stamp)
        kinds.append(kind)
        owners[seen] = len(kinds)
    boxes = [[kind, *extent(owners == i + 1)] for i, kind in enumerate(kinds)]
    return (
        np.asarray(canvas),
        np.array([0, *(kind + 1 for kind in kinds)])[owners],
        np.array(boxes).reshape(-1, 5),
    )


def background(photo: Image.Image, size: int, random: np.random.Generator) -> Image.Image:
    side = int(random.uniform(size, min(photo.size)))
    left, top = (int(random.integers(0, edge - side + 1)) for edge in photo.size)
    photo = photo.crop((left, top, left + side, top + side)).resize((size, size))
    return photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else photo


def placed(
    stamp: Image.Image, size: int, random: np.random.Generator, mirrored: bool
) -> tuple[Image.Image, tuple[int, int]]:
    """The stamp as it will be seen, and its corner, so that most of it is in the picture."""
    stamp = stamp.rotate(random.uniform(-20, 20), Image.Resampling.BILINEAR, expand=True)
    factor = random.uniform(0.35, 0.7) * size / max(stamp.size)
    stamp = stamp.resize([max(1, round(edge * factor)) for edge in stamp.size], Image.Resampling.BOX)
    if mirrored and random.random() < 0.5:
        stamp = stamp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top = (int(random.uniform(-0.1 * edge, size - 0.9 * edge)) for edge in stamp.size)
    return stamp, (left, top)


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is true."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1

"""Pictures of things on photos, composed so that every pixel's class and every box is known.

The things are the stamps of Tux Paint (Debian's tuxpaint-stamps-default, GPL-2), cut out by their alpha
channels; the photos are scikit-image's and scikit-learn's. Stamps and photos of the test are not those of
training. The stand-in without a download has scikit-learn's digits as stamps, on gradients with noise.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from parts.packages import debian, package

FOLDERS = {
    "bird": ["animals/birds"],
    "mammal": ["animals/mammals"],
    "fruit": ["food/fruit", "food/vegetables"],
    "flower": ["plants/flowers"],
    "vehicle": ["vehicles"],
    "house": ["town/houses"],
}
CLASSES = tuple(FOLDERS)
PHOTOS = {
    "train": ("astronaut", "brick", "gravel", "motorcycle_left"),
    "test": ("chelsea", "grass", "rocket"),
}
SPLITS = ("train", "validation", "test")


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


class Source(NamedTuple):
    """What pictures of a split are composed of: for each class RGBA stamps, and RGB photos.

    Stamps are mirrored half of the time, unless they are digits, which would not be digits.
    """

    stamps: list[list[Image.Image]]
    photos: list[Image.Image]
    mirrored: bool = True


def source(split: str, short: bool) -> Source:
    """The stamps and photos of a split; every fifth stamp is for the test, every fifth for validation."""
    stamps = digits() if short else tux_paint()
    part = {"train": (1, 2, 3), "validation": (4,), "test": (0,)}[split]
    chosen = [[each for i, each in enumerate(of_class) if i % 5 in part] for of_class in stamps]
    return Source(chosen, gradients(split), mirrored=False) if short else Source(chosen, photos(split))


def tux_paint() -> list[list[Image.Image]]:
    root = debian("tuxpaint-stamps-default") / "usr/share/tuxpaint/stamps"
    paths = [
        sorted(path for name in names for path in (root / name).rglob("*.png")) for names in FOLDERS.values()
    ]
    return [[cut_out(Image.open(path).convert("RGBA")) for path in of_class] for of_class in paths]


def cut_out(stamp: Image.Image) -> Image.Image:
    """A stamp without its transparent margin, made small."""
    stamp = stamp.crop(stamp.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox())
    stamp.thumbnail((96, 96))
    return stamp


def photos(split: str) -> list[Image.Image]:
    folder = package("scikit-image", "0.26.0") / "skimage/data"
    names = PHOTOS["test" if split == "test" else "train"]
    found = [Image.open(next(path for path in folder.glob(f"{name}.*"))).convert("RGB") for name in names]
    of_sklearn = [] if split == "test" else [Image.fromarray(image) for image in load_sample_images().images]
    return found + of_sklearn


def digits() -> list[list[Image.Image]]:
    """Digits 0 to 5 in random colors."""
    data, random = load_digits(), np.random.default_rng(0)
    found: list[list[Image.Image]] = [[] for _ in CLASSES]
    for pixels, digit in zip(data.images, data.target, strict=True):
        if digit < len(CLASSES):
            color = np.tile(random.integers(0, 256, 3), (8, 8, 1))
            stamp = np.concatenate([color, pixels[..., None] * 15.9], -1).astype("uint8")
            found[digit].append(cut_out(Image.fromarray(stamp).resize((48, 48), Image.Resampling.BICUBIC)))
    return found


def gradients(split: str) -> list[Image.Image]:
    random = np.random.default_rng(SPLITS.index(split))
    across = np.linspace(0, 1, 160)[:, None, None] * np.ones((1, 160, 1))
    made = []
    for _ in range(4):
        ends = random.uniform(40, 215, (2, 3))
        noise = random.normal(0, 15, (160, 160, 3))
        made.append(np.clip(ends[0] + across * (ends[1] - ends[0]) + noise, 0, 255).astype("uint8"))
    return [Image.fromarray(image) for image in made]


def compose(source: Source, count: int, size: int, seed: int, most: int = 3) -> Scenes:
    """Pictures of one to `most` things each, turned, mirrored, of many sizes, none hidden by more than a half."""
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

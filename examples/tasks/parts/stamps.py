"""Things of six classes without their backgrounds, and photos to put them on.

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

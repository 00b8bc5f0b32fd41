import numpy as np
import pytest
from PIL import Image


def contents(x):
    return [row.tobytes() for row in x]


def save_images(folder, sizes, suffix=".png", mode="RGB"):
    """Images of noise in a folder for each class: `{class: how many}`."""
    rng = np.random.default_rng(0)
    for name, size in sizes.items():
        (folder / name).mkdir(parents=True)
        for index in range(size):
            pixels = rng.integers(0, 256, (9, 7, 3), "uint8")
            Image.fromarray(pixels).convert(mode).save(folder / name / f"{index:02}{suffix}")


@pytest.fixture(scope="session")
def tiny():
    """Classes of small datasets that tensorflow-datasets knows: `tfds.builder("tiny_pictures")`."""
    import tensorflow_datasets as tfds

    class Tiny(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        skip_registration = True
        splits = {"train": 40, "test": 10}  # noqa: RUF012
        keys, inputs = ("image", "label"), tfds.features.Image(shape=(9, 7, 1))
        labels = tfds.features.ClassLabel(names=["cat", "dog"])

        def _info(self):
            features = tfds.features.FeaturesDict({"image": self.inputs, "label": self.labels})
            return self.dataset_info_from_configs(features=features, supervised_keys=self.keys)

        def _split_generators(self, dl_manager):
            return {name: self._generate_examples(name) for name in self.splits}

        def _generate_examples(self, split):
            rng = np.random.default_rng(len(split))
            for index in range(self.splits[split]):
                yield index, {"image": self.sample(rng), "label": index % 2}

        def sample(self, rng):
            return rng.integers(0, 256, self.inputs.shape, "uint8")

    class TinyPictures(Tiny):
        pass

    class TinyNumbers(Tiny):
        inputs, labels = tfds.features.Tensor(shape=(4,), dtype=np.float64), np.float32
        splits = {"everything": 30}  # noqa: RUF012

        def sample(self, rng):
            return rng.random(4)

    class TinyText(Tiny):
        inputs = tfds.features.Text()

    class TinyUnsupervised(Tiny):
        keys = None

    class TinyOffline(Tiny):
        def _split_generators(self, dl_manager):
            dl_manager.download(["http://127.0.0.1:9/a.gz", "http://127.0.0.1:9/b.gz"])

    return [TinyPictures, TinyNumbers, TinyText, TinyUnsupervised, TinyOffline]


@pytest.fixture
def data_dir(tmp_path, tiny, monkeypatch):
    """Where tensorflow-datasets keeps what it prepares in a test."""
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


@pytest.fixture
def pets(tmp_path):
    """A folder with a folder for each of three classes."""
    save_images(tmp_path / "pets", {"cat": 10, "dog": 12, "fish": 8})
    return tmp_path / "pets"

"""Data in every form: what is read from it, and what is said of what cannot be read."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_kd.deployment.data_sources import batches, with_an_end
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.tflite import export
from keras_kd.deployment.verification import verify
from keras_kd.reports import compare
from tests.deployment import small

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = np.arange(40) % 3


def batched(pairs=True, size=8):
    for start in range(0, 40, size):
        x, y = X[start : start + size], Y[start : start + size]
        yield (x, y) if pairs else [x]


class PerBatch(keras.utils.PyDataset):
    def __init__(self):
        super().__init__()

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


class Source:
    """Random access, as `tfds.data_source` gives it (there is a real one below): one sample a dict."""

    def __init__(self, **names):
        self.names = names or {"image": X, "label": Y}

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if index >= 40:
            raise IndexError  # without it, Python itself would iterate forever
        return {name: values[index] for name, values in self.names.items()}


class Loader:
    """Iterates over batches, and has no index."""

    def __iter__(self):
        return batched()


class PyTorchLoader:
    """As a `DataLoader` of PyTorch, it yields its batches as lists."""

    def __len__(self):
        return 5

    def __iter__(self):
        return map(list, batched())


def representative_dataset():
    for row in X:
        yield [row[None]]


def representative_dataset_by_name():
    for row in X:
        yield {"input_0": row[None]}


FILENAMES = np.array([f"{i}.png" for i in range(40)])
LABELED = {
    "arrays": (X, Y),
    "lists_of_numbers": (X.tolist(), Y.tolist()),
    "dataset": tf.data.Dataset.from_tensor_slices((X, Y)).batch(7),
    "dataset_of_dicts": tf.data.Dataset.from_tensor_slices({"image": X, "label": Y}).batch(7),
    "py_dataset": PerBatch(),
    "function": batched,
    "loader": Loader(),
    "pytorch_loader": PyTorchLoader(),
    "list_of_lists": [[x, y] for x, y in batched()],
    "list_of_listed_samples": [[x, y] for x, y in zip(X, Y, strict=True)],
    "list_of_batches": list(batched()),
    "list_of_samples": list(zip(X, Y, strict=True)),
    "source": Source(),
    "source_with_more": Source(image=X, label=Y, filename=FILENAMES),
    "source_with_names": Source(input_0=X, label=Y, id=Y),
    "dict_of_arrays": {"image": X, "label": Y},
    "list_of_dicts": [Source()[i] for i in range(40)],
    "samples_and_labels": (list(X), Y),
    "samples_and_labels_one_by_one": (list(X), list(Y)),
}
UNLABELED = {
    "representative_dataset": representative_dataset,
    "by_name": representative_dataset_by_name,
    "lists": lambda: batched(pairs=False),
    "samples": lambda: iter(X),
    "list_of_samples": list(X),
    "list_of_batches": [X[:25], X[25:]],
    "list_of_numbers": X.tolist(),
    "list_of_lists": [[row[None]] for row in X],
}


def joined(data, model):
    parts = list(batches(data, 16, make_serving(model).data_inputs()))
    served = make_serving(model)
    x = np.concatenate([served.arrays(x)["input_0"] for x, _ in parts])
    return x, None if parts[0][1] is None else np.concatenate([y for _, y in parts])


@pytest.mark.parametrize(
    ("keys", "data"),
    [
        ("image", ({"image": X, "wide": -X}, Y)),
        ("image", {"image": X, "wide": -X, "label": Y}),
        ("image", [{"image": x, "wide": -x, "label": y} for x, y in zip(X, Y, strict=True)]),
        ("label", ({"label": X, "wide": -X}, Y)),
        ("views/image", {"views": {"image": X, "other": X}, "label": Y}),
        (1, ((-X, X), Y)),
    ],
)
def test_data_of_which_the_model_takes_a_part(keys, data, dense):
    served = make_serving(dense, keys=keys)
    read = list(batches(data, 16, served.data_inputs()))
    np.testing.assert_allclose(np.concatenate([served.arrays(x)["input_0"] for x, _ in read]), X, atol=1e-6)
    np.testing.assert_array_equal(np.concatenate([y for _, y in read]), Y)


@pytest.mark.parametrize("data", LABELED.values(), ids=LABELED)
def test_data_with_labels(data, dense):
    x, y = joined(data, dense)
    np.testing.assert_allclose(x, X, atol=1e-6)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("data", UNLABELED.values(), ids=UNLABELED)
def test_data_without_labels(data, dense):
    x, y = joined(data, dense)
    np.testing.assert_allclose(x, X, atol=1e-6)
    assert y is None


def test_several_inputs_in_every_form():
    served = make_serving(small.lists())
    for data in (
        [X, -X],
        ([X, -X], Y),
        lambda: ([a[None], b[None]] for a, b in zip(X, -X, strict=True)),
        [{"zebra": a, "ant": b} for a, b in zip(X, -X, strict=True)],
        Source(zebra=X, ant=-X, label=Y),
        [[a, b] for a, b in zip(X, -X, strict=True)],
    ):
        parts = [served.arrays(x) for x, _ in batches(data, 16, served.data_inputs())]
        np.testing.assert_array_equal(np.concatenate([part["zebra"] for part in parts]), X)
        np.testing.assert_array_equal(np.concatenate([part["ant"] for part in parts]), -X)


def test_labels_and_what_other_models_read_are_told_apart():
    inputs = make_serving(small.lists()).data_inputs()
    more = {"zebra": X, "ant": -X, "teacher": X, "name": FILENAMES}
    for data in ({**more, "label": Y}, lambda: iter([{**more, "label": Y}])):
        ((x, y),) = batches(data, inputs=inputs)
        assert (sorted(x), y.tolist()) == (["ant", "teacher", "zebra"], Y.tolist())
    image = keras.Input((4,), name="label")
    ((x, y),) = batches({"label": X, "more": X}, inputs=make_serving(keras.Model(image, image)).data_inputs())
    assert (sorted(x), y) == (["label", "more"], None)


def test_samples_of_several_sizes_are_batches_of_their_own():
    image = keras.Input((None, None, 1))
    inputs = make_serving(keras.Model(image, image * 1.0)).data_inputs()
    images = [np.zeros((side, 8, 1)) for side in (8, 8, 9, 8)]
    assert [x.shape for x, _ in batches(images, 16, inputs)] == [(2, 8, 8, 1), (1, 9, 8, 1), (1, 8, 8, 1)]


def test_labels_of_several_sizes_are_batches_of_their_own(dense):
    samples = [(x, np.zeros(1 + (i > 4))) for i, x in enumerate(X)]
    read = list(batches(samples, 16, make_serving(dense).data_inputs()))
    assert [y.shape for _, y in read] == [(5, 1), (16, 2), (16, 2), (3, 2)]


def test_without_a_model_arrays_are_the_whole():
    assert [len(x) for x, _ in batches(X, 16)] == [16, 16, 8]
    assert [y for _, y in batches(X)] == [None]
    x, y = next(batches(({"a": X}, {"b": Y}), 3))
    assert (x["a"].shape, y["b"].tolist()) == ((3, 4), [0, 1, 2])
    assert list(batches(X[:0])) == list(batches([])) == []
    assert [len(x) for x, _ in batches([X, X])] == [2]
    assert next(batches(({"label": X}, Y)))[0].keys() == {"label"}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("text", TypeError, "Expected data as arrays, .* received str"),
        (3, TypeError, "received int"),
        (object(), TypeError, "received object"),
        (keras.layers.Dense(2), TypeError, "received Dense"),
        (PerBatch, TypeError, "received type"),
        ((X, Y, Y, Y), TypeError, r"Expected x, \(x, y\) or \(x, y, weights\); received a tuple of 4"),
        (
            iter(()),
            ValueError,
            "The tuple_iterator yields nothing: it is empty, or it was used up, .*Pass a function",
        ),
        (([X[0], X[0, :2]], Y[:2]), ValueError, r"The inputs have several shapes .*list\(zip\(x, y\)\)"),
        ((X[:2], [[1], [1, 2]]), ValueError, "The labels have several shapes and make no array"),
        ((X, Y[:5]), ValueError, r"the same number of rows; received \[5, 40\]"),
        (
            tf.data.Dataset.from_tensor_slices((X, Y)),
            ValueError,
            r"holds single samples, and batches are needed: add \.batch\(32\)",
        ),
    ],
)
def test_data_that_cannot_be_read(data, error, message, dense):
    with pytest.raises(error, match=message):
        list(batches(data, inputs=make_serving(dense).data_inputs()))


def test_a_generator_that_was_used_up_says_so(dense, dense_file):
    data = batched()
    assert verify(dense, dense_file, data).samples == 40
    with pytest.raises(
        ValueError, match=r"The generator yields nothing: .* it was used up, .*Pass a function"
    ):
        verify(dense, dense_file, data)


def test_endless_data_is_known():
    class Endless(PerBatch):
        __len__ = None

        @property
        def num_batches(self):
            return None

    for endless in (Endless(), LABELED["dataset"].repeat(), LABELED["dataset"].repeat):
        with pytest.raises(ValueError, match=r"goes on forever: leave out repeat\(\), or take"):
            with_an_end(endless)
    for data in (PerBatch(), X, LABELED["dataset"], None):
        assert with_an_end(data) is data
    assert len(list(batches(with_an_end(batched)))) == 5
    first = next(batches(Endless()))
    np.testing.assert_array_equal(first[0], X[:8])


class Vectors(tfds.core.GeneratorBasedBuilder):
    """X and Y as a dataset of TensorFlow Datasets, made here instead of downloaded."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Tensor(shape=(4,), dtype=np.float32)}
        features |= {"label": tfds.features.ClassLabel(num_classes=3), "id": tfds.features.Text()}
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True
        )

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i, (x, y) in enumerate(zip(X, Y, strict=True)):
            yield i, {"image": x, "label": int(y), "id": str(i)}


@pytest.fixture(scope="module")
def real_source(tmp_path_factory):
    """A `tfds.data_source`, which reads array_record files."""
    pytest.importorskip("array_record")  # it has no release for some systems
    builder = Vectors(data_dir=tmp_path_factory.mktemp("tfds"), file_format="array_record")
    builder.download_and_prepare()
    return builder.as_data_source(split="train")


def test_a_real_data_source_of_tensorflow_datasets(real_source, dense):
    x, y = joined(real_source, dense)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.slow
def test_every_use_of_data_takes_every_form(real_source, dense, tmp_path):
    path = tmp_path / "m.tflite"
    export(dense, path, quantization="int8", calibration=representative_dataset)
    again = export(dense, tmp_path / "again.tflite", quantization="int8", calibration=real_source).path
    assert again.read_bytes() == path.read_bytes()
    assert verify(dense, path, real_source).keras_accuracy == verify(dense, path, (X, Y)).keras_accuracy
    reports = [compare(data, baseline=dense, int8=path) for data in (real_source, (X, Y))]
    assert len({report["int8"].accuracy for report in reports}) == 1
    assert [report.meta.samples for report in reports] == [40, 40]

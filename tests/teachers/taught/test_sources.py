"""Data in every form that users have it in becomes batches that can be read again, and is taught."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.sources import as_dataset, require_end
from tests.teachers.taught.conftest import Told

X = np.arange(14.0).reshape(7, 2)
Y = np.arange(7)


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        at = slice(3 * index, 3 * index + 3)
        return X[at], Y[at], np.ones(len(Y[at]))


class Records:
    """As `tfds.data_source` and the data sets of Grain."""

    def __init__(self, many=True):
        self.reads = []
        if many:
            self.__getitems__ = self._several

    def __len__(self):
        return 7

    def __getitem__(self, index):
        self.reads.append([index])
        return {"image": X[index], "label": Y[index]}

    def _several(self, places):
        self.reads.append(places)
        return [{"image": X[place], "label": Y[place]} for place in places]


def generate():
    yield X[:4], Y[:4]
    yield X[4:], Y[4:]


def of_grain(folder):
    grain = pytest.importorskip("grain", reason="the package grain is not installed")
    return grain.MapDataset.source([{"image": x, "label": y} for x, y in zip(X, Y, strict=True)])


def of_tfds(folder):
    """A data set of tensorflow-datasets on the disk, in the format of records with an index."""
    import tensorflow_datasets as tfds

    image = tfds.features.Tensor(shape=(2,), dtype=np.float64)
    features = tfds.features.FeaturesDict({"image": image, "label": tfds.features.ClassLabel(num_classes=7)})
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="seven",
        version="1.0.0",
        data_dir=folder,
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"image": X, "label": Y})},
        features=features,
        disable_shuffling=True,
        file_format="array_record",
    )


def named_of_tfds(folder):
    import tensorflow_datasets as tfds

    of_tfds(folder)
    tfds.core.add_data_dir(folder)
    return "tfds:seven[train]"


FORMS = {
    "tf.data": lambda folder: tf.data.Dataset.from_tensor_slices((X, Y)).batch(3),
    "arrays": lambda folder: (X, Y),
    "PyDataset": lambda folder: Sequence(workers=1),
    "records": lambda folder: Records(),
    "records one by one": lambda folder: Records(many=False),
    "samples": lambda folder: list(zip(X, Y, strict=True)),
    "a function": lambda folder: generate,
    "Grain": of_grain,
    "batches of Grain": lambda folder: of_grain(folder).to_iter_dataset().batch(3),
    "tfds.data_source": lambda folder: of_tfds(folder).as_data_source("train"),
    "a name of tfds": named_of_tfds,
}


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_can_be_read_again_and_is_taught(make, tmp_path, cache):
    data = make(tmp_path)
    batches = as_dataset(data, batch_size=3)
    for _ in range(2):
        x, y = (np.concatenate(parts) for parts in zip(*(batch[:2] for batch in batches), strict=True))
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)
    assert int(batches.cardinality()) in (3, tf.data.UNKNOWN_CARDINALITY)
    taught = kd.precompute(Told(lambda x: 2 * x), data, cache, batch_size=3, shuffle=False, verbose=False)
    labels = []
    for batch, y, *_ in taught:
        np.testing.assert_array_equal(batch.signals["output"], 2 * batch.inputs)
        labels += y.numpy().tolist()
    assert labels == Y.tolist()


def test_labels_and_weights_may_be_none():
    for data in ((X, None), (X, None, None)):
        np.testing.assert_array_equal(next(iter(as_dataset(data, 7)))[0], X)


def test_records_are_read_in_batches():
    records = Records()
    data = as_dataset(records, batch_size=3)
    records.reads.clear()
    list(data)
    assert records.reads == [[0, 1, 2], [3, 4, 5], [6]]


@pytest.mark.parametrize("data", [(X, Y), Records()], ids=["arrays", "records"])
def test_what_has_an_index_can_be_shuffled(data):
    shuffled = as_dataset(data, 3, shuffle=True)
    first, second = ([int(y) for batch in shuffled for y in batch[1]] for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second) == Y.tolist()


def test_inputs_by_name_and_sizes_that_vary():
    samples = [{"a": X[i], "b": Y[i], "label": Y[i]} for i in range(7)]
    x, y = next(iter(as_dataset(samples, batch_size=7)))
    assert set(x) == {"a", "b"}
    assert y.shape == (7,)
    batches = [{"a": X, "label": Y}]
    assert next(iter(as_dataset(lambda: batches)))[1].shape == (7,)
    data = as_dataset(lambda: [np.zeros((2, 3)), np.zeros((2, 5)), np.zeros((2, 4))])
    assert data.element_spec.shape.as_list() == [None, None]
    assert [len(batch[0]) for batch in data] == [3, 5, 4]


ERRORS = {
    "single samples": (tf.data.Dataset.range(3), ValueError, r"add .batch\(32\)"),
    "ragged": (
        tf.data.Dataset.from_tensors(tf.ragged.constant([[1], [2, 3]])),
        ValueError,
        r"holds a RaggedTensor.*to_tensor\(\)",
    ),
    "a generator": (generate(), TypeError, "A generator can be read once.*a function that returns a new one"),
    "no split": ("tfds:mnist", ValueError, r"in brackets: 'tfds:mnist\[train\]'"),
    "a number": (3, TypeError, "Received: int"),
    "a class": (Records, TypeError, "Received: type"),
    "nothing": (lambda: [], ValueError, "The data is empty"),
    "samples of an iterable": (
        lambda: zip(X, Y, strict=True),
        ValueError,
        r"Add .batch\(32\), or pass samples",
    ),
    "batches with an index": (
        [(X[:4], Y[:4]), (X[4:], Y[4:])],
        ValueError,
        r"shapes \[\(4, 2\), \(4,\)\], those of its last one \[\(3, 2\), .*leave out .batch",
    ),
    "arrays of a function": (
        lambda: (X, Y),
        ValueError,
        r"this one arrays. Pass arrays .* as they are: \(x, y\)",
    ),
    "batches that differ": (lambda: [X, Y], ValueError, "the first two of these differ"),
    "lists of numbers": ((X.tolist(), Y.tolist()), ValueError, r"of lists make np.asarray\(...\)"),
    "a number of NumPy": (np.float32(3), ValueError, "these are numbers"),
    "no rows": ((X[:0], Y[:0]), ValueError, "The data is empty"),
    "rows that differ": ((X, Y[:3]), ValueError, r"the same number of rows; received \[3, 7\]"),
}


@pytest.mark.parametrize(("data", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused(data, kind, message):
    with pytest.raises(kind, match=message):
        as_dataset(data)


def test_data_without_an_end():
    with pytest.raises(ValueError, match="goes on forever: repeat it after"):
        require_end(tf.data.Dataset.range(3).batch(2).repeat())
    with pytest.raises(ValueError, match="goes on forever: repeat it after"):
        as_dataset(of_grain(None).repeat())


def test_a_name_of_tensorflow_datasets(monkeypatch, tmp_path):
    import tensorflow_datasets as tfds

    def load(name, *, split, as_supervised):
        assert (name, split, as_supervised) == ("mnist/3.0.1", "train[:90%]", True)
        return tf.data.Dataset.from_tensor_slices((X, Y))

    monkeypatch.setattr(tfds, "load", load)  # which would download it
    assert len(as_dataset("tfds:mnist/3.0.1[train[:90%]]", batch_size=7)) == 1

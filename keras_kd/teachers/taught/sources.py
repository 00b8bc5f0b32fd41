"""Data in every form that users have it in, as a `tf.data.Dataset` of batches that can be read again."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.cardinality import is_endless
from keras_kd.deployment.data_sources import RandomAccess
from keras_kd.parts import parts
from keras_kd.tensors import Tensors

Data: TypeAlias = (
    tf.data.Dataset
    | keras.utils.PyDataset
    | RandomAccess
    | str
    | Tensors
    | Iterable[Any]
    | Callable[[], Iterable[Any]]
)

_ENDLESS = "The data goes on forever: repeat it after it was taught, not before."
_ALL = "Pass arrays of all samples as they are: (x, y)."
_LABELS = ("label", "labels")  # as TensorFlow Datasets and others call them


def as_dataset(
    data: Data, batch_size: int = 32, shuffle: bool = False, batches: range | None = None
) -> tf.data.Dataset:
    """Data as batches of `x`, `(x, y)` or `(x, y, weights)`.

    Args:
        data: A batched `tf.data.Dataset`, which may shuffle, and a `keras.utils.PyDataset`. Or the whole as
            arrays. Or single samples in a list, or in something with `len` and an index, such as
            `tfds.data_source` or a `grain.MapDataset`; a sample may be a dict with its label under `"label"`.
            Or a function that returns an iterable of batches, or an iterable that starts anew. Or the name of
            a data set of tensorflow-datasets with its split in brackets: `"tfds:mnist[train]"`,
            `"tfds:mnist[train[:90%]]"`.
        batch_size: Samples per batch, where data comes without batches.
        shuffle: Whether arrays and samples with an index are shuffled, anew in each pass.
        batches: Which batches of it, counted from 0; data with an index reads no others. Default: all.

    Raises:
        TypeError: Data is nothing of the above, or can be read only once.
        ValueError: A `tf.data.Dataset` is not batched or holds ragged or sparse tensors.
    """
    if isinstance(data, str):
        data = _named(data, batch_size)
    if isinstance(data, tf.data.Dataset):
        return _checked(_span(data, batches))
    if isinstance(data, keras.utils.PyDataset):
        return _checked(_numbered(data, batches))
    if isinstance(data, (tuple, Mapping)) or _is_array(data):
        return _checked(_sliced(data, batch_size, shuffle, batches))
    if isinstance(data, Iterator):
        raise TypeError(
            f"A {type(data).__name__} can be read once, and taught data is read again and again: pass a "
            "function that returns a new one."
        )
    if isinstance(data, RandomAccess) and not callable(data):
        return _checked(_picked(data, batch_size, shuffle, batches))
    if callable(data) and not isinstance(data, type):
        return _checked(_span(_generated(data), batches))
    if isinstance(data, Iterable) and not isinstance(data, (bytes, type)):
        return _checked(_span(_generated(lambda: data), batches))
    raise TypeError(
        "Expected a tf.data.Dataset, arrays, a keras.utils.PyDataset, samples with an index, a name such as "
        f"'tfds:mnist[train]' or a function that returns batches. Received: {type(data).__name__}."
    )


def require_end(data: tf.data.Dataset) -> None:
    """Raise a `ValueError` for a data set that goes on forever."""
    if is_endless(data):
        raise ValueError(_ENDLESS)


def _checked(data: tf.data.Dataset) -> tf.data.Dataset:
    for spec in tf.nest.flatten(data.element_spec):
        if isinstance(spec, (tf.RaggedTensorSpec, tf.SparseTensorSpec)):
            raise ValueError(
                f"The data holds a {type(spec).__name__.removesuffix('Spec')}, whose samples have no digest. "
                "Make it dense in `dataset.map`: part.to_tensor(), or tf.sparse.to_dense(part)."
            )
        if spec.shape.rank == 0:
            raise ValueError(
                "The tf.data.Dataset holds single samples, and batches are needed: add .batch(32)."
            )
    return data


def _named(name: str, batch_size: int) -> tf.data.Dataset | RandomAccess:
    import tensorflow_datasets as tfds  # heavy, and needed for names only

    told, _, split = name.removeprefix("tfds:").partition("[")
    split = split.removesuffix("]")
    if not split:
        raise ValueError(f"Name the split as well, in brackets: '{name}[train]'. Received: {name!r}.")
    try:
        return tfds.load(told, split=split, as_supervised=True).batch(batch_size)
    except NotImplementedError:  # stored in a format of records with an index
        return tfds.data_source(told, split=split)


def _span(data: tf.data.Dataset, batches: range | None) -> tf.data.Dataset:
    return data if batches is None else data.skip(batches.start).take(len(batches))


def _numbered(data: keras.utils.PyDataset, batches: range | None) -> tf.data.Dataset:
    """A data set of a `PyDataset`."""
    if is_endless(data):
        raise ValueError("The PyDataset goes on forever: give it a `__len__`.")
    every = range(int(data.num_batches))
    chosen = every if batches is None else every[batches.start : batches.stop]
    return _generated(lambda: (data[i] for i in chosen), len(chosen), like=lambda: (data[i] for i in every))


def _generated(
    make: Callable[[], Iterable[Any]],
    count: int | None = None,
    like: Callable[[], Iterable[Any]] | None = None,
) -> tf.data.Dataset:
    """A data set of the batches that a function gives anew each time, which are as those of `like`."""
    returned = (like or make)()
    if _is_array(returned) or (isinstance(returned, tuple) and any(map(_is_array, returned))):
        raise ValueError(f"A function returns an iterable of batches, and this one arrays. {_ALL}")
    batches = iter(returned)
    first = next(batches, None)
    if first is None:
        raise ValueError("The data is empty.")
    one, two = _without_lists(first), _without_lists(next(batches, first))
    if [(path, part.ndim) for path, part in parts(one).items()] != [
        (path, part.ndim) for path, part in parts(two).items()
    ]:
        raise ValueError(f"Batches have the same parts, and the first two of these differ. {_ALL}")
    specs = tf.nest.map_structure(_spec, one, two)
    made = tf.data.Dataset.from_generator(lambda: map(_without_lists, make()), output_signature=specs)
    return made if count is None else made.apply(tf.data.experimental.assert_cardinality(count))


def _without_lists(batch: Tensors) -> Tensors:
    """A batch of arrays; `tf.data` takes a list for one tensor."""
    return keras.tree.map_structure(np.asarray, _as_pair(batch))


def _spec(one: np.ndarray, other: np.ndarray) -> tf.TensorSpec:
    if not one.ndim:
        raise ValueError(
            "An iterable gives batches, and this one gives single numbers. Add .batch(32), or pass samples "
            "in a list or in something with an index."
        )
    pairs = zip(one.shape[1:], other.shape[1:], strict=True)
    shape = [size if size == again else None for size, again in pairs]
    return tf.TensorSpec([None, *shape], tf.as_dtype(one.dtype))


def _places(count: int, batch_size: int, shuffle: bool, batches: range | None) -> tf.data.Dataset:
    if batches is not None:
        first, last = (min(number * batch_size, count) for number in (batches.start, batches.stop))
        return tf.data.Dataset.range(first, last).batch(batch_size)
    places = tf.data.Dataset.range(count)
    return (places.shuffle(count) if shuffle else places).batch(batch_size)


def _sliced(arrays: Tensors, batch_size: int, shuffle: bool, batches: range | None) -> tf.data.Dataset:
    """A data set of arrays, which are gathered batch by batch."""
    if isinstance(arrays, tuple):
        while arrays and arrays[-1] is None:  # no labels or weights, as `fit` takes it
            arrays = arrays[:-1]
    whole = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    rows = {part.shape[0] if part.shape.rank else None for part in tf.nest.flatten(whole)}
    if None in rows:
        raise ValueError(
            "Arrays of all samples are needed, and these are numbers: of lists make np.asarray(...)."
        )
    if len(rows) != 1:
        raise ValueError(f"All arrays need the same number of rows; received {sorted(rows, key=str)}.")
    count = rows.pop()
    if not count:
        raise ValueError("The data is empty.")
    places = _places(count, batch_size, shuffle, batches)
    return places.map(lambda at: tf.nest.map_structure(lambda part: tf.gather(part, at), whole))


def _picked(samples: RandomAccess, batch_size: int, shuffle: bool, batches: range | None) -> tf.data.Dataset:
    """A data set of samples with an index, which are read batch by batch."""
    if not len(samples):
        raise ValueError("The data is empty.")
    if len(samples) == sys.maxsize:  # as Grain says of data that repeats
        raise ValueError(_ENDLESS)
    first = _stacked(_read(samples, [0]))
    _require_one_size(first, _stacked(_read(samples, [len(samples) - 1])))
    specs = [tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in tf.nest.flatten(first)]

    def read(at: np.ndarray) -> list[np.ndarray]:
        return tf.nest.flatten(_stacked(_read(samples, at.tolist())))

    @tf.autograph.experimental.do_not_convert
    def batch(at: tf.Tensor) -> Tensors:
        flat = tf.numpy_function(read, [at], [spec.dtype for spec in specs])
        shaped = [tf.ensure_shape(part, spec.shape) for part, spec in zip(flat, specs, strict=True)]
        return tf.nest.pack_sequence_as(first, shaped)

    return _places(len(samples), batch_size, shuffle, batches).map(batch)


def _require_one_size(first: Tensors, last: Tensors) -> None:
    """Raise a `ValueError` if samples cannot be stacked: they are batches, or their sizes differ."""
    one, two = ([tuple(part.shape[1:]) for part in tf.nest.flatten(sample)] for sample in (first, last))
    if one != two:
        raise ValueError(
            "Something with an index holds samples of one size. The parts of its first one have the shapes "
            f"{one}, those of its last one {two}. If they are batches, leave out .batch(...); otherwise "
            "resize or pad them, or pass a function that returns batches."
        )


def _read(samples: RandomAccess, places: list[int]) -> list[Any]:
    # What reads records from files reads many at once, or each with a system call of its own.
    together = getattr(samples, "__getitems__", None)
    return list(together(places)) if together else [samples[place] for place in places]


def _stacked(samples: list[Any]) -> Tensors:
    pairs = [_as_pair(sample) for sample in samples]
    return keras.tree.map_structure(lambda *parts: np.stack(parts), *pairs)


def _as_pair(sample: Any) -> Any:
    """A sample as `(x, y)`, if it is a dictionary that holds its label."""
    sample = tuple(sample) if isinstance(sample, list) else sample
    if not isinstance(sample, Mapping):
        return sample
    label = next((name for name in _LABELS if name in sample), None)
    if label is None:
        return dict(sample)
    x = {name: part for name, part in sample.items() if name != label}
    return (next(iter(x.values())) if len(x) == 1 else x), sample[label]


def _is_array(data: object) -> bool:
    return hasattr(data, "__array__") and hasattr(data, "shape")

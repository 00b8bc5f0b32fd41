"""Teach once: a teacher's signals of all data, stored in a folder."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_kd.files import explain_write_errors
from keras_kd.folders import check_folder
from keras_kd.teachers.taught.answering import AnswersInNumpy, identify, make_answer
from keras_kd.teachers.taught.bulk import Bulk, label_here, show
from keras_kd.teachers.taught.description import describe_signals
from keras_kd.teachers.taught.engines.engine import AUTO, RAY, Engine, check_engine
from keras_kd.teachers.taught.joining import join
from keras_kd.teachers.taught.keyed import Key, describe_key, free_axes
from keras_kd.teachers.taught.labelling import Bar, Labelled, label
from keras_kd.teachers.taught.manifest import Manifest, is_taken, versions
from keras_kd.teachers.taught.parts import Functions, Parts, check_order, check_part, is_parted, whole
from keras_kd.teachers.taught.ray_workers import check_ray, label_on_ray
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.remote import Folder, as_folder
from keras_kd.teachers.taught.shards import Ledger, writing
from keras_kd.teachers.taught.sources import Data
from keras_kd.teachers.taught.store import Store, row_type
from keras_kd.teachers.taught.viewed import Views, require_count
from keras_kd.teachers.taught.views import Augment, describe_augment
from keras_kd.teachers.taught.writer import ShardWriter, default_rows
from keras_kd.tensors import Tensors

_DTYPES = ("float16", "float32")


def precompute(
    teacher: keras.Model | AnswersInNumpy,
    data: Data | Functions,
    path: str | os.PathLike[str],
    *,
    signals: Sequence[str] = ("output",),
    top_k: int | Mapping[str, int] | None = None,
    dtype: str = "float16",
    augment: Augment | None = None,
    views: int = 1,
    seed: int = 0,
    key: Key = None,
    teacher_preprocess: Callable[..., Any] | None = None,
    batch_size: int = 32,
    shuffle: bool = True,
    shard_size: int | None = None,
    engine: str = "tensorflow",
    part: tuple[int, int] | None = None,
    workers: int | None = None,
    verbose: bool = True,
) -> tf.data.Dataset:
    """Run a teacher once over data, store its signals, and return data that carries them.

    A `kd.Distiller` without a teacher trains on what is returned, at the cost of the student alone. Each
    sample's signals are stored under its key, by default a digest of its inputs, and found by it: data that
    is shuffled, filtered, repeated or batched anew is joined as well, and inputs that were changed are
    refused.

    Signals are written as shards. A call with the same arguments goes on where an earlier one ended, however
    it ended, and labels samples that are new. Damaged files are found by their checksums.

    With `augment`, the teacher labels a number of views of each sample. They are made by a function of the
    sample and of a seed that comes from `seed`, the sample's key and the number of the view, so that the same
    pixels are made again when the student trains: view 0 in the first pass over the data, then view 1, and so
    on. The key is that of the sample before it is augmented.

    `top_k` keeps the largest classes, and spreads the mass of all others evenly over them: teacher and
    student are normalized over the same classes, at any temperature.

    Source: Shen, Xing 2021, arXiv 2112.01528 (a teacher's stored answers for each crop, the tail spread
    evenly); Wu and others 2022, arXiv 2207.10666 (the largest answers, and the seed of each augmentation).

    Args:
        teacher: A model, or an object with `answer(batch) -> {signal: array}` in NumPy.
        data: Batches of `x`, `(x, y)` or `(x, y, weights)`: a `tf.data.Dataset` or a `keras.utils.PyDataset`.
            Or arrays; samples in a list or with an index (`tfds.data_source`, `grain.MapDataset`), and the
            label of each under `"label"`; a function that returns batches; `"tfds:NAME[SPLIT]"`.
        path: A folder, which is made.
        signals: The teacher's signals by tap: `"output"`, `"output/NAME"`, a layer's path. A signal
            `(samples, ...)` of tokens is stored without its padding.
        top_k: How many classes to store of `"output"` and `"output/NAME"`, or of each tap. Default: all.
        dtype: `"float16"` or `"float32"`.
        augment: A stateless function `(sample, seed) -> sample`, where `seed` is `(2,)` in int32, as
            `tf.image.stateless_random_flip_left_right` takes it; or a layer of Keras such as
            `RandomRotation`.
        views: How many views of each sample.
        seed: The root of their seeds.
        key: The name of the part of `x` that holds a sample's key; `"index"` for its position; or a function
            `(x, y) -> (samples,)` of whole numbers or strings. The content is then checked, too.
        teacher_preprocess: Makes the teacher's inputs of `x`, as in `kd.Distiller`.
        batch_size: Samples per batch, where data comes without batches.
        shuffle: Whether arrays and samples with an index are shuffled in what is returned, anew for each
            epoch, as `fit` does; not with `key="index"`.
        shard_size: Samples per shard. Default: 16,384, or as many as 128 MiB hold.
        verbose: Whether to show a progress bar.

    Returns:
        A data set of `(kd.Taught(inputs, signals), y)`, with the weights if there are any.

    Raises:
        ValueError: Data is empty, endless or unbatched; a signal does not exist; `top_k` exceeds the classes;
            an answer is NaN, which names the sample; two samples have one key; a file is damaged.
        TypeError: An argument of another type.
        FileExistsError: The folder holds something else, or signals of another teacher or other settings;
            another process is writing to it.
        OSError: It cannot be written. What is finished stays, and a later call goes on.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> x, y = np.random.rand(64, 4).astype("float32"), np.random.randint(0, 3, 64)
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> taught = kd.precompute(teacher, (x, y), "cache/train", verbose=False)
        >>> distiller = kd.Distiller(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> sorted(distiller.fit(taught, verbose=0).history)
        ['loss', 'soft_targets', 'student_loss']
    """
    taps, folder = check_taps(signals), as_folder(path)
    divided = part is not None or engine == RAY or is_parted(data)
    _check_arguments(folder, dtype, shard_size)
    _check_division(divided, part, engine, workers, key)
    views_of = Views(whole(data, batch_size), key, augment, views, seed)
    own = make_answer(teacher, taps, views_of.spec, teacher_preprocess)
    answer = Engine(engine, own)
    first = views_of.first()
    stored = describe_signals(own, taps, first, free_axes(views_of.spec), dtype, top_k)
    wanted = _manifest(teacher, stored, views_of, teacher_preprocess)
    again = whole(data, batch_size, shuffle and key != "index")
    if divided:
        check_order(data, batch_size)
        parts = Parts(data, batch_size, shard_size or _rows(stored, views, first))
        wanted = dataclasses.replace(wanted, parts=parts.description)
        bulk = Bulk(teacher, teacher_preprocess, engine, parts, key, augment, folder, wanted)
        _write_parts(bulk, part, answer, workers, verbose)
        again = again if part is None else parts.in_turn(parts.of(part))
    else:
        _write(folder, wanted, views_of, answer, shard_size, verbose)
    return join(Store(folder, verify=False), again, taps, key, augment)


def check_taps(signals: Sequence[str]) -> list[str]:
    """The names of signals, once each.

    Raises:
        TypeError: They are no list of names.
        ValueError: There are none.
    """
    if isinstance(signals, str) or not all(isinstance(tap, str) for tap in signals):
        raise TypeError(f"`signals` is a list of taps, such as ['output', 'block2']. Received: {signals!r}.")
    if not signals:
        raise ValueError("`signals` is empty; name what to store, such as ['output'].")
    return list(dict.fromkeys(signals))


def _check_arguments(folder: Folder, dtype: str, shard_size: int | None) -> None:
    if dtype not in _DTYPES:
        raise ValueError(f"`dtype` must be one of {_DTYPES}. Received: {dtype!r}.")
    if shard_size is not None:
        require_count("shard_size", shard_size)
    if isinstance(folder, Path):
        check_folder(folder, "taught signals")
    is_taken(folder)


def _check_division(
    divided: bool, part: tuple[int, int] | None, engine: str, workers: int | None, key: Key
) -> None:
    check_engine(engine)
    check_part(part)
    if engine == RAY:
        check_ray()
        if part is not None:
            raise ValueError("`part` is what one process labels, and engine='ray' starts them: pass one.")
    if workers is not None:
        require_count("workers", workers)
        if engine != RAY:
            raise ValueError(f"`workers` are those of engine='ray'. Received: engine={engine!r}.")
    if divided and engine == AUTO:
        raise ValueError(
            "Each process could find another engine to be the fastest: measure engine='auto' on some of the "
            "data, and name the one that it takes."
        )
    if divided and key == "index":
        raise ValueError(
            "A part does not know the index of its first sample: give the `key` of a part of `x`, or none."
        )


def _manifest(
    teacher: keras.Model | AnswersInNumpy,
    stored: tuple[StoredSignal, ...],
    views_of: Views,
    preprocess: Callable[..., Any] | None,
) -> Manifest:
    return Manifest(
        teacher=identify(teacher),
        signals=stored,
        key=describe_key(views_of.key),
        views=views_of.count,
        augment=describe_augment(views_of.augment),
        seed=views_of.seed,
        preprocess=describe_augment(preprocess),
        inputs=views_of.inputs,
        versions=versions(),
    )


def _rows(stored: Sequence[StoredSignal], views: int, x: Tensors) -> int:
    """How many rows a shard of a part has by default."""
    tokens = sum(
        s.item.itemsize * views * max(tf.nest.flatten(x)[0].shape[1:2], default=1)
        for s in stored
        if s.has_tokens
    )
    return default_rows(row_type(stored, views).itemsize + tokens)


def _prepare(folder: Folder, wanted: Manifest) -> Manifest | None:
    """The manifest that a folder has; it gets one if it has none."""
    if is_taken(folder):
        found = Manifest.load(folder)
        found.check(wanted, folder)
        return found
    wanted.save(folder)
    return None


def _make(folder: Folder) -> None:
    if isinstance(folder, Path):
        with explain_write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    else:
        folder.make()


def _write(
    folder: Folder, wanted: Manifest, views_of: Views, answer: Engine, shard_size: int | None, verbose: bool
) -> None:
    """Label what was not labelled yet; a process that dies loses what is not in a shard."""
    _make(folder)
    ledger = Ledger(folder)
    with writing(folder):
        found = _prepare(folder, wanted)
        for number in ledger.finished() if found else ():
            ledger.check(number)
        labelled = Labelled.of(ledger)
        writer = ShardWriter(ledger, wanted.signals, wanted.views, shard_size)
        bar = Bar(views_of.number_of_batches, verbose)
        label(views_of.batches(), answer, writer, labelled, bar)
        bar.end()
        kept = wanted if found is None else dataclasses.replace(wanted, parts=found.parts)
        dataclasses.replace(kept, samples=len(labelled), engine=answer.record).save(folder)


def _write_parts(
    bulk: Bulk, part: tuple[int, int] | None, answer: Engine, workers: int | None, verbose: bool
) -> None:
    """Label the parts that have no shard yet; a process that dies loses the part that it was in."""
    _make(bulk.folder)
    with writing(bulk.folder, part):
        found = _prepare(bulk.folder, bulk.manifest)
        missing = bulk.missing(bulk.parts.of(part))
        on_ray = bulk.engine == RAY and missing
        counts = label_on_ray(bulk, missing, workers) if on_ray else label_here(bulk, missing, answer)
        show(counts, Bar(len(missing), verbose and bool(missing)))
        if missing or found is None or found.samples is None:
            bulk.finish(answer.record)

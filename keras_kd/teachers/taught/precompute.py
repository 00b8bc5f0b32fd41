"""Teach once: a teacher's signals of all data, stored in a folder."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_kd.folders import check_folder
from keras_kd.teachers.outputs import Kinds
from keras_kd.teachers.taught.answering import make_answer
from keras_kd.teachers.taught.bulk import Bulk, check_division
from keras_kd.teachers.taught.description import describe_signals
from keras_kd.teachers.taught.engines.engine import RAY, Engine
from keras_kd.teachers.taught.filling import fill, fill_parts
from keras_kd.teachers.taught.identity import identify
from keras_kd.teachers.taught.joining import join
from keras_kd.teachers.taught.keyed import Key, describe_key, free_axes
from keras_kd.teachers.taught.labelling import samples_named
from keras_kd.teachers.taught.manifest import Manifest, is_taken, versions
from keras_kd.teachers.taught.opening import Teacher, find_teacher
from keras_kd.teachers.taught.parts import Functions, Parts, check_order, is_parted, whole
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.remote import Folder, as_folder
from keras_kd.teachers.taught.sources import Data
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.viewed import Views, require_count
from keras_kd.teachers.taught.views import Augment, describe_augment
from keras_kd.teachers.taught.writer import default_rows

_DTYPES = ("float16", "float32")


def precompute(
    teacher: object,
    data: Data | Functions,
    path: str | os.PathLike[str],
    *,
    outputs: Kinds = None,
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
        teacher: Anything that `kd.as_teacher` takes: a model of Keras 3 or tf_keras; a `.keras`, `.h5`,
            `.tflite` or `.onnx` file, or the folder of a SavedModel; an estimator in the way of scikit-learn;
            a function of TensorFlow, or of NumPy arrays. Or an object with `answer(batch) -> {signal: array}`
            in NumPy. What runs on the host is asked once for each sample, so no `host=True` is needed.
        data: Batches of `x`, `(x, y)` or `(x, y, weights)`: a `tf.data.Dataset` or a `keras.utils.PyDataset`.
            Or arrays; samples in a list or with an index (`tfds.data_source`, `grain.MapDataset`), and the
            label of each under `"label"`; a function that returns batches; `"tfds:NAME[SPLIT]"`. Or a list of
            functions, each of which returns the data of one shard, to be read where that is labelled.
        path: A folder, which is made, here or on any store that fsspec reaches: `"s3://bucket/train"`.
        outputs: What files and functions answer with, if it is not to be seen, as for `kd.as_teacher`:
            `"logits"`, `"probabilities"`, `"sigmoid"` or `"values"`.
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
        engine: What computes the answers: `"tensorflow"`; `"litert"` or `"onnxruntime"`, for which a Keras
            teacher is exported, and which must agree with TensorFlow to a divergence of 1e-5; `"auto"`, which
            measures all of them on the first three batches and takes the fastest; `"ray"`, which divides the
            data among processes on a cluster of Ray, where TensorFlow computes. The manifest tells what was
            measured.
        part: `(index, count)`: label only every `count`-th shard, as one of so many processes that write to
            the folder at once, each with another index. What is returned holds the samples of the part.
        workers: How many processes `engine="ray"` starts; by default one for each GPU of the cluster, or one
            for each of its machines.
        verbose: Whether to show a progress bar.

    Returns:
        A data set of `(kd.Taught(inputs, signals), y)`, with the weights if there are any, and without `y`
        if there are no labels.

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
    require_count("batch_size", batch_size)
    _check_arguments(folder, dtype, shard_size, teacher_preprocess)
    found = find_teacher(teacher, outputs)
    check_division(divided, part, engine, workers, key)
    views_of = Views(whole(data, batch_size), key, augment, views, seed)
    opened = found.opened(views_of.spec, teacher_preprocess)
    own = make_answer(opened, taps, views_of.spec, teacher_preprocess)
    answer, first = Engine(engine, own), views_of.first()
    with samples_named(first, range(len(first.keys))):
        stored = describe_signals(own, taps, first.views[0], free_axes(views_of.spec), dtype, top_k)
    wanted = _manifest(opened, stored, views_of, teacher_preprocess, outputs)
    again = whole(data, batch_size, shuffle and key != "index")
    if divided:
        check_order(data, batch_size)
        parts = Parts(data, batch_size, shard_size or default_rows(stored, views, first.views[0]))
        wanted = dataclasses.replace(wanted, parts=parts.description)
        bulk = Bulk(teacher, teacher_preprocess, engine, parts, key, augment, folder, wanted)
        fill_parts(bulk, part, answer, workers, verbose)
        again = again if part is None else parts.in_turn(parts.of(part))
    else:
        fill(folder, wanted, views_of, answer, shard_size, verbose)
    return join(Store(folder, verify=False), again, taps, key, augment)


def check_taps(signals: Sequence[str]) -> list[str]:
    """The names of signals, once each.

    Raises:
        TypeError: They are no list of names.
        ValueError: There are none.
    """
    if (
        isinstance(signals, str)
        or not isinstance(signals, Iterable)
        or not all(isinstance(tap, str) for tap in signals)
    ):
        raise TypeError(f"`signals` is a list of taps, such as ['output', 'block2']. Received: {signals!r}.")
    if not signals:
        raise ValueError("`signals` is empty; name what to store, such as ['output'].")
    return list(dict.fromkeys(signals))


def _check_arguments(folder: Folder, dtype: str, shard_size: int | None, preprocess: object) -> None:
    if preprocess is not None and not callable(preprocess):
        raise TypeError(f"`teacher_preprocess` is a function or a layer. Received: {preprocess!r}.")
    if dtype not in _DTYPES:
        raise ValueError(f"`dtype` must be one of {_DTYPES}. Received: {dtype!r}.")
    if shard_size is not None:
        require_count("shard_size", shard_size)
    if isinstance(folder, Path):
        check_folder(folder, "taught signals")
    is_taken(folder)


def _manifest(
    teacher: Teacher,
    stored: tuple[StoredSignal, ...],
    views_of: Views,
    preprocess: Callable[..., Any] | None,
    outputs: Kinds,
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
        outputs=dict(outputs) if isinstance(outputs, Mapping) else outputs,
    )

"""Taught once and stored: resumed after any end, and refused where something differs."""

import itertools
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.digests import digests
from keras_kd.teachers.taught.shards import Ledger
from tests.teachers.taught.conftest import Told, X, Y, classifier


def turn(image, seed):
    image = tf.image.stateless_random_flip_left_right(image, seed)
    return tf.image.stateless_random_crop(tf.pad(image, [[1, 1], [1, 1], [0, 0]]), (6, 6, 1), seed)


def mean(x):
    return x.mean((1, 2))


def fit(distiller, data, **options):
    distiller.compile(
        keras.optimizers.SGD(0.1), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    distiller.fit(data, verbose=0, **options)
    return np.concatenate([np.ravel(weight) for weight in distiller.student.get_weights()])


@pytest.mark.parametrize("activation", [None, pytest.param("softmax", marks=pytest.mark.slow)])
def test_trains_as_with_the_teacher(cache, activation):
    teacher, student = classifier(activation), classifier(name="student")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
    start = student.get_weights()
    expected = fit(kd.Distiller(student, teacher), data, epochs=2)
    student.set_weights(start)
    taught = kd.precompute(teacher, data, cache, dtype="float32", verbose=False)
    np.testing.assert_allclose(fit(kd.Distiller(student), taught, epochs=2), expected, atol=1e-5)


@pytest.mark.slow
def test_every_view_is_answered_on_the_pixels_that_are_replayed(teacher, cache):
    options = {"augment": turn, "views": 3, "seed": 5, "dtype": "float32"}
    taught = kd.precompute(teacher, (X, Y), cache, shuffle=False, verbose=False, **options)
    seen = []
    for _ in range(4):
        batches = list(taught)
        seen.append(np.concatenate([batch.inputs for batch, _ in batches]))
        for batch, _ in batches:
            np.testing.assert_allclose(batch.signals["output"], teacher(batch.inputs), atol=1e-6)
    np.testing.assert_array_equal(seen[0], seen[3])
    assert abs(seen[0] - seen[1]).max() > 0.1 < abs(seen[1] - seen[2]).max()


@pytest.mark.slow
def test_fit_goes_through_the_views_in_turn(teacher, cache):
    taught = kd.precompute(teacher, (X, Y), cache, augment=turn, views=3, verbose=False, batch_size=40)
    expected = [next(iter(taught))[0].signals["output"] for _ in range(3)]
    order = [float(tf.reduce_sum(part)) for part in expected]
    taught = kd.load_taught(cache, (X, Y), augment=turn, batch_size=40)
    found = []

    class Spy(keras.losses.Loss):
        def call(self, teacher, student):
            tf.py_function(lambda t: found.append(float(tf.reduce_sum(t))), [teacher], [])
            return keras.ops.mean(student, -1)

    distiller = kd.Distiller(classifier(name="student"), None, [Spy()])
    distiller.compile("sgd", run_eagerly=True)
    distiller.fit(taught, epochs=4, verbose=0)
    steps = [min(range(3), key=lambda view: abs(order[view] - value)) for value in found]
    assert len(set(steps)) == 3
    assert all((after - before) % 3 in (0, 1) for before, after in itertools.pairwise(steps))


class Stop(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_training_resumes_at_the_same_view(teacher, cache, tmp_path):
    kd.precompute(teacher, (X, Y), cache, augment=turn, views=3, verbose=False)

    def train(name, *callbacks):
        keras.utils.set_random_seed(3)
        data = kd.load_taught(cache, (X, Y), augment=turn, batch_size=20).repeat()
        state = kd.FullState(tmp_path / name)
        options = {"epochs": 4, "steps_per_epoch": 2, "callbacks": [state, *callbacks]}
        return fit(kd.Distiller(classifier(name="student")), data, **options)

    with pytest.raises(KeyboardInterrupt):
        train("stopped", Stop())
    np.testing.assert_allclose(train("stopped"), train("whole"), atol=1e-6)


def test_a_finished_cache_is_only_read_and_new_samples_are_added(cache):
    first, second = Told(mean), Told(mean)
    kd.precompute(first, X[:30], cache, verbose=False)
    calls = first.calls
    kd.precompute(first, X[:30], cache, verbose=False)
    assert first.calls == calls + 1  # the first batch tells how signals are stored
    kd.precompute(second, X, cache, verbose=False)
    assert second.calls == 3
    assert sum(Ledger(cache).finished().values()) == 40


def test_interrupted_by_the_keyboard(cache):
    calls = []

    def interrupted(x):
        calls.append(len(x))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return mean(x)

    with pytest.raises(KeyboardInterrupt):
        kd.precompute(Told(interrupted), X, cache, batch_size=8, verbose=False)
    assert sum(Ledger(cache).finished().values()) == 16
    with pytest.raises(
        ValueError, match=r"Not all data was taught yet: kd.precompute with the same arguments"
    ):
        kd.load_taught(cache, X, batch_size=40)
    calls.extend([0] * 9)
    assert len(kd.precompute(Told(interrupted), X, cache, batch_size=8, verbose=False)) == 5
    assert sum(calls) == 8 * 3 + 8 + 8 + 24


HANGS = """
import sys, time
import keras_kd as kd
from tests.teachers.taught.conftest import X, Told

def hangs(x):
    if told.calls == 6:  # the first batch is asked twice, and two make a shard
        time.sleep(600)
    return x.mean((1, 2))

told = Told(hangs)
kd.precompute(told, X, sys.argv[1], batch_size=4, shard_size=8, verbose=False)
"""


@pytest.mark.slow
def test_killed_and_resumed(cache):
    command = [sys.executable, "-c", HANGS, cache]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 120
        while len(Ledger(cache).finished()) < 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        with pytest.raises(FileExistsError, match=rf"is being written by process {process.pid} on"):
            kd.precompute(Told(mean), X, cache, batch_size=4, shard_size=8, verbose=False)
        os.kill(process.pid, signal.SIGKILL)
    finished = Ledger(cache).finished()
    assert finished == {0: 8, 1: 8}
    (cache / "00002.rows.npy").write_bytes(b"half of a shard")
    written = {path: path.stat().st_mtime_ns for number in finished for path in cache.glob(f"{number:05}*")}
    told = Told(mean)
    taught = kd.precompute(told, X, cache, batch_size=4, shard_size=8, verbose=False)
    assert told.calls == 1 + 6
    assert written == {path: path.stat().st_mtime_ns for path in written}
    for (batch,) in taught:
        np.testing.assert_allclose(batch.signals["output"], mean(batch.inputs.numpy()), atol=1e-3)


REPLAY = """
import sys
import numpy as np
import keras_kd as kd
from keras_kd.teachers.taught.digests import digests
from tests.teachers.taught.conftest import X, Y
from tests.teachers.taught.test_precompute import turn

order = np.random.default_rng(7).permutation(40)
data = X[order], Y[order]
for batch, labels in kd.load_taught(sys.argv[1], data, augment=turn, batch_size=9, shuffle=False):
    print(*digests([batch.inputs.numpy()]), *digests([batch.signals["output"].numpy()]))
"""


@pytest.mark.slow
def test_another_process_sees_the_same_pixels_and_answers(teacher, cache):
    taught = kd.precompute(teacher, (X, Y), cache, augment=turn, shuffle=False, verbose=False)
    here = set()
    for batch, _ in taught:
        here |= {
            *digests([batch.inputs.numpy()]).tolist(),
            *digests([batch.signals["output"].numpy()]).tolist(),
        }
    found = subprocess.run([sys.executable, "-c", REPLAY, cache], capture_output=True, text=True, check=True)
    assert set(map(int, found.stdout.split())) == here
    assert len(here) == 80


def test_a_damaged_shard_is_named_and_made_again(cache):
    told = Told(mean)
    kd.precompute(told, X, cache, shard_size=8, batch_size=8, verbose=False)
    damaged = cache / "00002.rows.npy"
    damaged.write_bytes(damaged.read_bytes()[:-3] + b"abc")
    with pytest.raises(ValueError, match=r"00002.rows.npy was changed or damaged.*Delete .*00002.json"):
        kd.precompute(told, X, cache, shard_size=8, batch_size=8, verbose=False)
    (cache / "00002.json").unlink()
    calls = told.calls
    kd.precompute(told, X, cache, shard_size=8, batch_size=8, verbose=False)
    assert told.calls == calls + 2
    assert kd.load_taught(cache, X)


ERRORS = {
    "signals as text": ({"signals": "output"}, TypeError, "list of taps, such as .*Received: 'output'"),
    "signals of nothing": ({"signals": None}, TypeError, "list of taps, such as .*Received: None"),
    "a batch": (
        {"batch_size": 0},
        ValueError,
        "`batch_size` must be a whole number of 1 or more. Received: 0",
    ),
    "no preprocessing": ({"teacher_preprocess": 3}, TypeError, "`teacher_preprocess` is a function or a lay"),
    "no signals": ({"signals": []}, ValueError, "`signals` is empty"),
    "a signal": ({"signals": ["feature"]}, ValueError, "features"),
    "a dtype": ({"dtype": "int8"}, ValueError, r"one of \('float16', 'float32'\). Received: 'int8'"),
    "a size": ({"shard_size": 0}, ValueError, "`shard_size` must be a whole number"),
    "too many classes": ({"top_k": 6}, ValueError, "'output' has 5 classes. Received: 6"),
    "views": ({"views": 2}, ValueError, "2 views of a sample are the same without `augment`"),
    "no end": (
        {"data": tf.data.Dataset.from_tensors(X).repeat()},
        ValueError,
        "goes on forever: repeat it after it was taught",
    ),
    "one by one": ({"data": tf.data.Dataset.from_tensor_slices((X, Y))}, ValueError, r"add .batch\(32\)"),
    "NaN": (
        {"teacher": Told(lambda x: np.where(x.mean((1, 2)) == X[17].mean(), np.nan, x.mean((1, 2))))},
        ValueError,
        r"Sample 17 of the data \(row 1 of its batch.*is NaN",
    ),
    "NaN in the data": (
        {"data": np.where(np.arange(40)[:, None, None, None] == 3, np.nan, X)},
        ValueError,
        r"Sample 3 of the data .*is NaN or infinite\. Its inputs hold NaN",
    ),
    "a path": (
        {"path": (X, Y)},
        TypeError,
        "`path` is the folder for the teacher's signals.*Received: tuple",
    ),
    "no teacher": ({"teacher": 3}, TypeError, "A teacher is made of the path of a file.*Received: int"),
    "no answer": ({"teacher": len}, ValueError, r"The teacher 'len' answers with int64 of shape \(\)"),
}


@pytest.mark.parametrize(("options", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(cache, options, kind, message):
    given = {"teacher": classifier(), "data": (X, Y), "path": cache, "batch_size": 16, "verbose": False}
    with pytest.raises(kind, match=message):
        kd.precompute(**given | options)


OTHERS = {
    "another teacher": ({"teacher": classifier("relu")}, "signals of another teacher"),
    "other signals": ({"signals": ["features"]}, "taught with other settings .signals was tap=output"),
    "fewer classes": ({"top_k": 2}, "taught with other settings"),
    "another dtype": ({"dtype": "float32"}, "dtype=float16.*now .*dtype=float32"),
    "other inputs": ({"data": (X.astype("float64"), Y)}, "float32.*now .*float64"),
}


def test_a_cache_of_something_else_is_not_continued(teacher, cache):
    given = {"teacher": teacher, "data": (X, Y), "path": cache, "verbose": False}
    kd.precompute(**given)
    before = sorted(path.name for path in cache.iterdir())
    for options, message in OTHERS.values():
        with pytest.raises(FileExistsError, match=message):
            kd.precompute(**given | options)
    assert sorted(path.name for path in cache.iterdir()) == before


def test_settings_may_change_while_nothing_is_stored(teacher, cache):
    with pytest.raises(ValueError, match="Two different samples have one key"):
        kd.precompute(teacher, (X, Y), cache, key=lambda x, y: y, verbose=False)
    assert kd.precompute(teacher, (X, Y), cache, verbose=False)


def test_a_folder_that_holds_something_else_is_left_alone(teacher, tmp_path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(FileExistsError, match=r"holds something else \('thesis.tex'\)"):
        kd.precompute(teacher, (X, Y), tmp_path)
    with pytest.raises(FileExistsError, match=r"is a file. Name a folder for taught signals"):
        kd.precompute(teacher, (X, Y), tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

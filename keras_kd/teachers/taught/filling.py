"""Filling a folder with shards, as a whole or part by part, going on where an earlier process ended."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

from keras_kd.files import explain_write_errors
from keras_kd.messages import number_of
from keras_kd.teachers.taught.bulk import Bulk, label_here, show
from keras_kd.teachers.taught.engines.agreement import DISTANCE
from keras_kd.teachers.taught.engines.engine import EXPORTED, RAY, Engine
from keras_kd.teachers.taught.identity import is_identified
from keras_kd.teachers.taught.labelling import Bar, Labelled, label
from keras_kd.teachers.taught.manifest import Manifest, is_taken
from keras_kd.teachers.taught.ray_workers import label_on_ray
from keras_kd.teachers.taught.recognition import require_same_answers
from keras_kd.teachers.taught.remote import Folder
from keras_kd.teachers.taught.shards import Ledger, writing
from keras_kd.teachers.taught.store import Store
from keras_kd.teachers.taught.viewed import Views
from keras_kd.teachers.taught.writer import ShardWriter


def fill(
    folder: Folder, wanted: Manifest, views_of: Views, answer: Engine, shard_size: int | None, verbose: bool
) -> None:
    """Label what was not labelled yet; a process that dies loses what is not in a shard.

    Args:
        folder: The folder, which may hold shards already.
        wanted: What its manifest is to say.
        views_of: The data.
        answer: What labels.
        shard_size: Samples per shard.
        verbose: Whether to show a progress bar.

    Raises:
        FileExistsError: The folder holds something else, or the answers of another teacher; another process
            is writing to it.
        ValueError: A file is damaged; an answer cannot be stored.
    """
    _make(folder)
    ledger = Ledger(folder)
    with writing(folder):
        found = _prepare(folder, wanted, begun=bool(ledger.finished()))
        for number in ledger.finished() if found else ():
            ledger.check(number)
        if found is not None:
            _recognize(found, folder, views_of, answer)
        labelled = Labelled.of(ledger)
        writer = ShardWriter(ledger, wanted.signals, wanted.views, shard_size)
        bar = Bar(views_of.number_of_batches, verbose)
        label(views_of.batches(), answer, writer, labelled, bar)
        bar.end()
        parts = None if found is None else found.parts
        engine = answer.record if found is None or answer.is_used else found.engine
        dataclasses.replace(wanted, samples=len(labelled), parts=parts, engine=engine).save(folder)


def fill_parts(
    bulk: Bulk, part: tuple[int, int] | None, answer: Engine, workers: int | None, verbose: bool
) -> None:
    """Label the parts that have no shard yet; a process that dies loses the part that it was in.

    Args:
        bulk: The data, the teacher and the folder.
        part: Which parts, as `(index, count)`.
        answer: What labels here.
        workers: How many processes of Ray do.
        verbose: Whether to show a progress bar.

    Raises:
        FileExistsError: As for `fill`.
        ValueError: As for `fill`.
    """
    _make(bulk.folder)
    with writing(bulk.folder, part):
        found = _prepare(bulk.folder, bulk.manifest)
        numbers = bulk.parts.of(part)
        _warn_of_none(numbers, part, len(bulk.parts))
        missing = bulk.missing(numbers)
        finished = [number for number in numbers if number not in missing]
        if found is not None and finished:
            _recognize(found, bulk.folder, bulk.views(finished[0]), answer)
        on_ray = bulk.engine == RAY and missing
        counts = label_on_ray(bulk, missing, workers) if on_ray else label_here(bulk, missing, answer)
        show(counts, Bar(len(missing), verbose and bool(missing), "part"))
        if missing or found is None or found.samples is None:
            bulk.finish(answer.record)


def _warn_of_none(numbers: Sequence[int], part: tuple[int, int] | None, count: int) -> None:
    if part is not None and not numbers:
        warnings.warn(
            f"part={part} labels nothing: the data makes {number_of(count, 'shard')}. Fewer processes, or a "
            "smaller `shard_size`, would share the work.",
            stacklevel=4,
        )


def _recognize(found: Manifest, folder: Folder, views_of: Views, answer: Engine) -> None:
    """Raise an error if a teacher that has no fingerprint answers with something else than what is stored."""
    if is_identified(found.teacher):
        return
    engines = {record["name"] for record in (found.engine, answer.record) if record is not None}
    least = DISTANCE if engines & {*EXPORTED} else 0.0
    require_same_answers(Store(folder, verify=False), views_of.batches(), answer.ask, least)


def _prepare(folder: Folder, wanted: Manifest, begun: bool = True) -> Manifest | None:
    """The manifest that a folder has; it gets one if it has none, or if nothing was labelled with it."""
    if is_taken(folder) and (begun or not isinstance(folder, Path)):
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

"""Labelling part by part: each part of the data becomes the shard of its number, whoever labels it."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from keras_kd.teachers.taught.answering import Answer, make_answer
from keras_kd.teachers.taught.engines.engine import AUTO, RAY, Engine, check_engine
from keras_kd.teachers.taught.identity import identify
from keras_kd.teachers.taught.keyed import Key
from keras_kd.teachers.taught.labelling import Bar, Labelled, label_part
from keras_kd.teachers.taught.manifest import Manifest, require_teacher
from keras_kd.teachers.taught.opening import find_teacher
from keras_kd.teachers.taught.parts import Parts, check_part
from keras_kd.teachers.taught.remote import Folder
from keras_kd.teachers.taught.shards import Ledger
from keras_kd.teachers.taught.store import KEYS, ROWS
from keras_kd.teachers.taught.viewed import Views, require_count
from keras_kd.teachers.taught.views import Augment
from keras_kd.teachers.taught.writer import ShardWriter


@dataclasses.dataclass
class Bulk:
    """What any process needs to label any part.

    Attributes:
        teacher: What answers, as the user gave it: a path is opened where it labels.
        preprocess: Makes its inputs of the data's.
        engine: The name of what computes its answers.
        parts: The data.
        key: What names a sample.
        augment: What makes views.
        folder: Where shards go.
        manifest: What they hold.
    """

    teacher: Any
    preprocess: Callable[..., Any] | None
    engine: str
    parts: Parts
    key: Key
    augment: Augment | None
    folder: Folder
    manifest: Manifest

    def answer(self) -> Answer:
        """What labels, in a process that got this from another one.

        Raises:
            ValueError: The teacher is another one here.
        """
        taps = [signal.tap for signal in self.manifest.signals]
        spec = self.views(0).spec
        teacher = find_teacher(self.teacher, self.manifest.outputs).opened(spec, self.preprocess)
        made = make_answer(teacher, taps, spec, self.preprocess)
        require_teacher(self.manifest.teacher, identify(teacher), self.folder)
        return Engine(self.engine, made)

    def views(self, number: int) -> Views:
        """The samples of a part in all their views."""
        manifest = self.manifest
        return Views(self.parts[number], self.key, self.augment, manifest.views, manifest.seed)

    def label(self, number: int, answer: Answer) -> int:
        """Label a part and write its shard; how many samples it has. Once more changes nothing.

        Raises:
            ValueError: A key that repeats, or an answer that cannot be stored; it names the sample.
            WriteError: The shard cannot be written.
        """
        manifest = self.manifest
        writer = ShardWriter(Ledger(self.folder), manifest.signals, manifest.views, number=number)
        try:
            return label_part(self.views(number).batches(), answer, writer)
        except ValueError as error:
            raise ValueError(f"Part {number} of the data: {error}") from error

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """Which of the parts have no shard yet; the files of those that have one are checked.

        Raises:
            ValueError: A file is damaged.
        """
        ledger = Ledger(self.folder)
        finished = ledger.finished()
        wanted = list(numbers)
        for number in wanted:
            if number in finished:
                ledger.check(number)
        return [number for number in wanted if number not in finished]

    def finish(self, engine: dict[str, Any]) -> None:
        """Note in the manifest how many samples there are, if all parts are labelled.

        Raises:
            ValueError: Samples of different parts have one key.
        """
        ledger = Ledger(self.folder)
        finished = ledger.finished()
        if not set(range(len(self.parts))) <= set(finished):
            return
        labelled = Labelled.of(ledger)
        for number in finished if self.manifest.key != "content" else ():
            labelled.check(ledger.array(number, KEYS), ledger.array(number, ROWS)["digest"][:, 0], number)
        dataclasses.replace(self.manifest, samples=len(labelled), engine=engine).save(self.folder)


def label_here(bulk: Bulk, numbers: Sequence[int], answer: Answer) -> Iterator[int]:
    """Label parts one after the other; the number of samples of each."""
    for number in numbers:
        yield bulk.label(number, answer)


def show(counts: Iterable[int], bar: Bar) -> None:
    """Show the progress of labelling in a bar of parts."""
    for count in counts:
        bar.add(count, count)
    bar.end()


def check_division(
    divided: bool, part: tuple[int, int] | None, engine: str, workers: int | None, key: Key
) -> None:
    """Raise an error for arguments that do not fit together, or to data that is divided.

    Args:
        divided: Whether data is labelled part by part.
        part: Which part this process labels.
        engine: The name of the engine.
        workers: How many processes of Ray there are to be.
        key: What names a sample.

    Raises:
        TypeError: As `check_part`.
        ValueError: There is no such engine, or it divides data itself.
        ImportError: Ray is not installed.
    """
    check_engine(engine)
    check_part(part)
    if engine == RAY:
        _require_ray()
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


def _require_ray() -> None:
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "engine='ray' needs Ray Data, which is not installed: pip install 'keras-kd[ray]'."
        ) from error

"""What a folder of taught signals holds, and whether it is what is asked for."""

import dataclasses
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from keras_kd.files import check_regular
from keras_kd.messages import did_you_mean
from keras_kd.teachers.outputs import Kinds
from keras_kd.teachers.taught.records import StoredSignal
from keras_kd.teachers.taught.remote import Folder, write_whole
from keras_kd.teachers.taught.shards import LOCK

NAME = "manifest.json"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What the shards of a folder hold.

    Attributes:
        teacher: The teacher's fingerprint.
        signals: Its signals, as they are stored.
        key: What names a sample: `"content"`, `"part NAME"` or `"function NAME"`.
        views: How many views of each sample there are.
        augment: The name of what makes them, if anything does.
        seed: The root of their seeds.
        preprocess: The name of what made the teacher's inputs.
        inputs: The shape and dtype of each input of the data.
        versions: Of what computed the signals.
        samples: How many there are, once all data was labelled.
        parts: In which parts the data was labelled, each of them a shard; `None` if as a whole.
        engine: What computed them, and what was measured of it.
        outputs: What the teacher's answers were said to be.
    """

    teacher: dict[str, str]
    signals: tuple[StoredSignal, ...]
    key: str
    views: int
    augment: str | None
    seed: int
    preprocess: str | None
    inputs: list[str]
    versions: dict[str, str]
    samples: int | None = None
    parts: str | None = None
    engine: dict[str, Any] | None = None
    outputs: Kinds = None

    def save(self, folder: Folder) -> None:
        """Write it to a folder."""
        signals = [signal.as_json() for signal in self.signals]
        fields = {"format": FORMAT} | dataclasses.asdict(self) | {"signals": signals}
        write_whole(folder / NAME, (json.dumps(fields, indent=2) + "\n").encode())

    @classmethod
    def load(cls, folder: Folder) -> "Manifest":
        """Read that of a folder.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is of another version, or is damaged.
        """
        path = folder / NAME
        if not path.exists():
            raise FileNotFoundError(_missing(folder))
        if isinstance(path, Path):
            check_regular(path, "a file in JSON")
        try:
            fields = json.loads(path.read_text())
            version = fields.pop("format")
            if version == FORMAT:
                signals = tuple(map(StoredSignal.from_json, fields.pop("signals")))
                return cls(signals=signals, **fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"{path} is not what kd.precompute wrote ({error}). Name another folder, or delete this one."
            ) from None
        raise ValueError(
            f"{folder} is of format {version!r}, and this version of keras_kd reads format {FORMAT}. Make it "
            "again with kd.precompute in another folder, or use the version that wrote it "
            f"({fields.get('versions', {}).get('keras-kd', 'unknown')})."
        )

    def check(self, wanted: "Manifest", folder: Folder) -> None:
        """Raise a `FileExistsError` if this is not the manifest of what is to be written."""
        require_teacher(self.teacher, wanted.teacher, folder, FileExistsError)
        mine, others = _settings(self), _settings(wanted)
        changed = [name for name in mine if mine[name] != others[name]]
        if wanted.parts is not None and self.parts != wanted.parts:
            mine, others = mine | {"parts": str(self.parts)}, others | {"parts": wanted.parts}
            changed.append("parts")
        if changed:
            each = "; ".join(f"{name} was {mine[name]}, now {others[name]}" for name in changed)
            raise FileExistsError(
                f"{folder} was taught with other settings ({each}). Name another folder, or delete it."
            )

    def signal(self, tap: str) -> StoredSignal:
        """One of the signals.

        Raises:
            ValueError: It is not there.
        """
        named = {signal.tap: signal for signal in self.signals}
        if tap not in named:
            raise ValueError(
                f"The signal {tap!r} was not stored, but {list(named)}.{did_you_mean(tap, named)} Teach it "
                "with kd.precompute(..., signals=...) in another folder."
            )
        return named[tap]


def versions() -> dict[str, str]:
    """The versions of what computes signals."""
    return {name: metadata.version(name) for name in ("keras-kd", "keras", "tensorflow", "numpy")}


def require_teacher(
    stored: Mapping[str, str],
    wanted: Mapping[str, str],
    folder: Folder,
    error: type[ValueError | FileExistsError] = ValueError,
) -> None:
    """Raise an error unless both fingerprints are of one teacher."""
    read = ["kind", "weights", "fingerprint"]
    if stored.get("keras") == wanted.get("keras"):  # another version describes layers in other words
        read.append("layers")
    changed = [part for part in read if stored.get(part) != wanted.get(part)]
    if changed:
        differ = "differs" if changed in (["kind"], ["fingerprint"]) else "differ"
        raise error(
            f"{folder} holds the signals of another teacher: its {' and '.join(changed)} {differ}. Name "
            "another folder, or use the teacher that it was made with."
        )


def is_taken(folder: Folder) -> bool:
    """Whether a folder holds taught signals; `False` if nothing is in it.

    Raises:
        FileExistsError: It holds something else.
    """
    if (folder / NAME).exists():
        return True
    others = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = [name for name in others if name.split(".")[0] != LOCK and not name.startswith(".part-")]
    if found:
        raise FileExistsError(
            f"{folder} holds something else ({found[0]!r}). Name an empty or new folder for taught signals."
        )
    return False


def _missing(folder: Folder) -> str:
    if isinstance(folder, Path) and not folder.is_dir():
        if folder.exists():
            return f"{folder} is a file, and kd.precompute writes folders."
        beside = [path.parent.name for path in folder.parent.glob(f"*/{NAME}")]
        return f"There is no folder {str(folder)!r}.{did_you_mean(folder.name, beside)}"
    return f"{folder} holds nothing that kd.precompute wrote: {NAME} is missing."


def _settings(manifest: Manifest) -> dict[str, str]:
    kept = ("key", "views", "augment", "seed", "preprocess", "inputs", "outputs")
    settings = {name: repr(getattr(manifest, name)) for name in kept}
    signals = [signal.as_json() for signal in manifest.signals]
    each = [" ".join(f"{key}={value}" for key, value in s.items() if value is not None) for s in signals]
    return {"signals": " and ".join(each)} | settings

"""What keras_kd writes into its files about them: one entry of JSON among the metadata of TensorFlow Lite."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tensorflow.lite.python import schema_py_generated as converter_schema

_NAME = "keras_kd"


def read_metadata(path: Path) -> dict[str, Any] | None:
    """Read what a file says of itself; `None` if another program wrote it.

    Raises:
        ValueError: if it is damaged.
    """
    with path.open("rb") as file:
        model = schema.Model.GetRootAs(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), 0)
    entries = (model.Metadata(i) for i in range(model.MetadataLength()))
    found = [entry.Buffer() for entry in entries if entry.Name() == _NAME.encode()]
    if not found:
        return None
    try:
        if found[0] >= model.BuffersLength():
            raise ValueError("it is missing")
        known = json.loads(bytes(model.Buffers(found[0]).DataAsNumpy()))
        return dict(known)
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> ValueError:
    """The error for a file that says something impossible of itself."""
    return ValueError(f"{str(path)!r} is damaged: its metadata {_NAME!r} is wrong: {error}")


def add_metadata(model: converter_schema.ModelT, known: Mapping[str, Any]) -> None:
    """Make a file that is about to be written say something of itself."""
    buffer, entry = converter_schema.BufferT(), converter_schema.MetadataT()
    text = json.dumps(known, separators=(",", ":"))  # a browser loads each byte
    buffer.data = np.frombuffer(text.encode(), "uint8")
    entry.name, entry.buffer = _NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]

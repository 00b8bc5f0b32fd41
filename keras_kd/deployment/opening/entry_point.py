"""What an interpreter runs of a file, its first graph, and what it keeps from one run to the next."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

from ai_edge_litert import schema_py_generated as schema

DEFAULT_SIGNATURE = "serving_default"
KEPT = (
    "the file keeps values from one sample to the next, and nothing resets them: what it returns depends on "
    "the samples before"
)


class EntryPoint(NamedTuple):
    """The first graph of a file.

    Args:
        signature: the name of its signature; `None` without one.
        number: the place of this signature in the file.
        keeps_values: whether it assigns values to variables, as nothing that `export` makes does.
    """

    signature: str | None
    number: int | None
    keeps_values: bool

    @classmethod
    def read(cls, path: Path, model: schema.Model) -> EntryPoint:
        """Read a file.

        Raises:
            ValueError: if its default signature, or every one, belongs to another graph.
        """
        signatures = [model.SignatureDefs(i) for i in range(model.SignatureDefsLength())]
        names = [(signature.SignatureKey() or b"").decode() for signature in signatures]
        first = [i for i, signature in enumerate(signatures) if signature.SubgraphIndex() == 0]
        number = next((i for i in first if names[i] == DEFAULT_SIGNATURE), first[0] if first else None)
        if names and (number is None or (DEFAULT_SIGNATURE in names and names[number] != DEFAULT_SIGNATURE)):
            wanted = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in names else names[0]
            raise ValueError(
                f"{str(path)!r} has the signatures {names}, and {wanted!r} is not its first graph, which is "
                "the one that runs. Convert it alone: TFLiteConverter.from_saved_model(..., "
                f"signature_keys=[{wanted!r}])."
            )
        codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
        assigns = any(code.BuiltinCode() == schema.BuiltinOperator.ASSIGN_VARIABLE for code in codes)
        return cls(None if number is None else names[number], number, assigns)


def read_entry_point(path: Path) -> EntryPoint:
    """Read the entry point of a file, and no more of it; see `EntryPoint.read`."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return EntryPoint.read(path, schema.Model.GetRootAs(content, 0))

"""Notes of `export` about the weights in a file, and notes about outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras_kd.deployment.opening.flatbuffer import Contents


def about_float_weights(contents: Contents) -> list[str]:
    """Say which weights dynamic quantization left in float."""
    if not contents.has_integer_weights:
        return ["nothing was quantized: the converter leaves small weights and some operators in float"]
    if contents.float_weights:
        return [f"weights left in float: {', '.join(contents.float_weights)}"]
    return []


def about_sparse_weights(contents: Contents) -> list[str]:
    """Say which weights were stored without their zeros, and which were not."""
    if not contents.sparse_weights and contents.empty_weights:
        names = ", ".join(contents.empty_weights)
        return [f"none is stored sparse: the converter has no sparse form for these, full of zeros: {names}"]
    if not contents.sparse_weights:
        return ["nothing is sparse enough: no weight is zero in 30 % of its values, so none is stored sparse"]
    notes = [f"{len(contents.sparse_weights)} weights stored sparse: {', '.join(contents.sparse_weights)}"]
    if contents.dense_weights:
        notes.append(f"{len(contents.dense_weights)} stored dense: {', '.join(contents.dense_weights)}")
    return notes


def name_outputs(notes: Mapping[str, Sequence[str]]) -> list[str]:
    """The notes about each output, which begin with its name if there are several outputs.

    Args:
        notes: the notes about each output, by its name.

    Examples:
        >>> name_outputs({"price": ["no accuracy"]}), name_outputs({"price": ["no accuracy"], "kind": []})
        (['no accuracy'], ['price: no accuracy'])
    """
    return [note if len(notes) == 1 else f"{name}: {note}" for name, found in notes.items() for note in found]

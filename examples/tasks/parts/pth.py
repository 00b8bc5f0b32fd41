"""Weights that PyTorch has saved (its format before version 1.6), without PyTorch."""

import collections
import pickle
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
TYPES = {"FloatStorage": np.float32, "LongStorage": np.int64}


class Storage(NamedTuple):
    dtype: type
    key: str


class Strided(NamedTuple):
    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


class Reader(pickle.Unpickler):
    """Unpickles dictionaries of tensors, and refuses everything else."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *others: Strided(storage, offset, shape, strides)
        if module == "torch" and name in TYPES:
            return TYPES[name]
        raise pickle.UnpicklingError(f"refused {module}.{name}")

    def persistent_load(self, identifier):
        _, dtype, key, *_ = identifier
        return Storage(dtype, key)


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, by their names."""
    with path.open("rb") as file:
        if Reader(file).load() != MAGIC:
            raise ValueError(f"{path} is not of PyTorch's format before version 1.6")
        Reader(file).load()  # the version of the format
        Reader(file).load()  # what the machine was like
        tensors, keys = Reader(file).load(), Reader(file).load()
        types = {tensor.storage.key: np.dtype(tensor.storage.dtype) for tensor in tensors.values()}
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            storages[key] = np.frombuffer(file.read(count * types[key].itemsize), types[key])
    return {name: array_of(tensor, storages[tensor.storage.key]) for name, tensor in tensors.items()}


def array_of(tensor: Strided, values: np.ndarray) -> np.ndarray:
    strides = [stride * values.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, strides).copy()

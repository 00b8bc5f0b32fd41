"""What a network sees of the rows of a table, and rows that are made up."""

import itertools

import keras
import numpy as np
from sklearn.neighbors import NearestNeighbors

BINS = 16
COPIES = 4  # made-up rows for each row


def encoding(table):
    """What a network sees of a row: each code by itself, each number by where it is between quantiles.

    The latter are the piecewise linear encoding of Gorishniy et al. 2022, arXiv 2203.05556.
    """
    inputs = keras.Input((len(table.kinds),))
    codes = [(i, code) for i, kinds in enumerate(table.kinds) for code in range(kinds)]
    steps = []
    for i in (i for i, kinds in enumerate(table.kinds) if not kinds):
        values = np.unique(table.x["train"][:, i])
        edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
        steps += [(i, low, high) for low, high in itertools.pairwise(edges)]
    columns, low, high = np.array(steps, "float32").T
    x = keras.ops.take(inputs, columns.astype(int), axis=1)
    found = [keras.ops.clip((x - low) / (high - low), 0, 1)]
    if codes:
        columns, code = np.array(codes, "float32").T
        x = keras.ops.take(inputs, columns.astype(int), axis=1)
        found.append(keras.ops.relu(1 - keras.ops.abs(x - code)))
    return keras.Model(inputs, keras.ops.concatenate(found, axis=1), name="encoding")


def made_up(table):
    """Rows between near ones: each value is, with a probability of 0.3, that of the nearest of a few rows."""
    random, train, encode = np.random.default_rng(0), table.x["train"], encoding(table)
    where = encode.predict(train, batch_size=4096, verbose=0)
    for _ in range(COPIES):
        some = random.choice(len(train), min(3_000, len(train) // 2), replace=False)
        near = NearestNeighbors(n_neighbors=2).fit(where[some]).kneighbors(where, return_distance=False)
        near = some[near]
        partners = np.where(near[:, 0] == np.arange(len(train)), near[:, 1], near[:, 0])
        yield np.where(random.random(train.shape) < 0.3, train[partners], train)

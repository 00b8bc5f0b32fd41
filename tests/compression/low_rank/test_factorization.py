"""What is printed of a factorization."""

import json

from keras_kd.compression.low_rank.factorization import Factorization, FactorizedLayer

FOUND = Factorization(
    "net",
    (
        FactorizedLayer("conv1", "Conv2D", "tucker", (4, 12), (4640, 1000), (20000, 5000), 0.123),
        FactorizedLayer("block/\x1b[2J", "Dense", "svd", (8,), (1010, 500), (1000, 490), 0.0),
        FactorizedLayer("rnn", "GRU", "", (), (80, 80), (0, 0), 0.0, "it is skipped"),
    ),
    (5800, 1650),
    (21000, 5490),
    False,
)


def test_prints_as_a_table():
    assert str(FOUND).splitlines() == [
        "layer             by        rank       parameters     multiply-adds   error %",
        "─────────────────────────────────────────────────────────────────────────────",
        "conv1             tucker   4, 12   4,640 -> 1,000   20,000 -> 5,000      12.3",
        "block/\\u001b[2J   svd          8     1,010 -> 500      1,000 -> 490       0.0",
        "",
        "the model                          5,800 -> 1,650   21,000 -> 5,490",
        "1 layer left alone:",
        "  rnn: it is skipped",
    ]


def test_converts_to_json():
    figures = json.loads(FOUND.to_json())
    assert (figures["model"], figures["parameters"], figures["factorized"]) == ("net", [5800, 1650], 2)
    assert figures["layers"][2]["reason"] == "it is skipped"
    assert [row.layer for row in FOUND.left] == ["rnn"]
    assert len(FOUND.factorized) == 2

"""What a loss must hold at once: no tensor larger than its inputs and the matrices it is about."""

import numpy as np
import pytest

from benchmarks.losses import FULL, loss_and_signals, step

MB = 4 / 2**20
BATCH, CLASSES = FULL["logits"]
WIDTH, CHANNELS, POSITIONS = FULL["vector"][1], FULL["map"][-1], FULL["map"][1] * FULL["map"][2]
MAP = BATCH * POSITIONS * CHANNELS
# The elements of the largest tensor: of the input, of a matrix of pairs, of the triples of an angle.
LARGEST = {
    "SimilarityPreserving": max(BATCH * WIDTH, BATCH**2),
    "RelationalDistance": max(BATCH * WIDTH, BATCH**2),
    "RelationalAngle": BATCH**3,  # B x B x D would be four times as much
    "ProbabilisticTransfer": max(BATCH * WIDTH, BATCH**2),
    "CorrelationCongruence": max(BATCH * WIDTH, BATCH**2),
    "ContrastiveRepresentation": max(BATCH * WIDTH, BATCH**2),
    "NeuronSelectivity": MAP,  # C x C x HW would be 64 times as much
    "SolutionFlow": MAP,
    "ChannelWise": MAP,
    "AttentionTransfer": MAP,
    "BatchCorrelation": BATCH * CLASSES,
    "ClassCorrelation": CLASSES**2,
    "DIST": BATCH * CLASSES,
    "SelfAttentionRelations": np.prod(FULL["heads"]) * FULL["heads"][1] // FULL["heads"][3],
}


class Zeros:
    """In place of a random generator: drawing eight million numbers takes longer than the test."""

    def normal(self, size):
        return np.zeros(size, "float32")


@pytest.mark.parametrize("name", LARGEST)
def test_nothing_blows_up(name):
    loss, given = loss_and_signals(name, FULL, Zeros())  # which is traced, not run
    _, largest = step(loss, *given)
    assert largest <= 1.01 * LARGEST[name] * MB

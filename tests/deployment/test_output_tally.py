"""What is counted of one output, and what is said of it."""

import numpy as np
import pytest

from keras_kd.deployment.output_tally import OutputTally
from keras_kd.deployment.scoring.evidence import Evidence

RNG = np.random.default_rng(0)
WANTED = RNG.normal(size=(90, 3)).astype("float32")
LABELS = np.arange(90) % 3


def tally(received):
    counted = OutputTally("scores", None, Evidence())
    for rows in (slice(0, 40), slice(40, None)):
        counted.add(WANTED[rows], received[rows], LABELS[rows], "")
    return counted


def test_figures_are_those_of_all_batches():
    found = tally(WANTED + np.float32(0.5)).result()
    assert (found.name, found.agreement) == ("scores", 1.0)
    assert found.max_error == pytest.approx(0.5, rel=1e-5)
    assert found.keras_accuracy == found.file_accuracy == (WANTED.argmax(1) == LABELS).mean()


@pytest.mark.parametrize(
    ("received", "told", "said"),
    [
        (WANTED, False, None),
        (WANTED[::-1], False, "It looks like the file of another model"),
        (WANTED[::-1], True, "have nothing to do with the model's"),
        (np.round(WANTED), False, "lost much of what the model tells apart"),
    ],
    ids=["same", "unrelated", "unrelated, but told", "rough"],
)
def test_what_is_said_of_errors(received, told, said):
    notes = tally(received).notes(off_range=False, cut_off=False, told=told)
    assert [said in note for note in notes] == ([] if said is None else [True])
    assert not any("looks like" in note for note in notes if told)
    assert tally(received).notes(off_range=True, cut_off=False, told=told) == []

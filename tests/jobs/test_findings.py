import re

import pytest

from keras_kd.jobs.findings import verdict


@pytest.mark.parametrize(
    ("distilled", "alone", "words"),
    [
        ([0.9], [0.8], r"\+10.00 points of accuracy, with one seed"),
        ([0.9, 0.92], [0.8, 0.8], r"\+11.00 points .* standard error 1.00 over 2 seeds: distillation helped"),
        ([0.7, 0.72], [0.8, 0.8], "did not help: train this student alone"),
        ([0.9, 0.7], [0.8, 0.8], "no difference beyond twice that"),
        ([0.8, 0.8], [0.8, 0.8], "no difference beyond twice that"),
    ],
)
def test_the_verdict_says_what_was_found(distilled, alone, words):
    assert re.search(words, verdict(distilled, alone, 100))

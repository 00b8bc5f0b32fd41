"""Times as text."""

import pytest

from keras_kd.deployment.durations import duration, duration_within


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 µs"),
        (1e-6, "0.001 µs"),
        (0.00121, "1.21 µs"),
        (0.09994, "99.9 µs"),
        (0.09996, "0.1 ms"),
        (0.35, "0.35 ms"),
        (9.999, "10 ms"),
        (999.4, "999 ms"),
        (999.7, "1 s"),
        (1234, "1.23 s"),
        (1.2e6, "1,200 s"),
    ],
)
def test_a_time_in_the_unit_that_suits_it(milliseconds, text):
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "low", "high", "text"),
    [
        (0.0268, 0.0266, 0.0271, "26.8 ± 0.3 µs"),
        (0.002314, 0.002309, 0.002319, "2.31 ± 0.01 µs"),
        (0.0268, 0.021, 0.0389, "27 ± 13 µs"),
        (0.0268, 0.0268, 0.2, "30 ± 180 µs"),
        (1.0, 0.97, 1.03, "1.00 ± 0.03 ms"),
        (999, 900, 1100, "1,000 ± 110 ms"),
        (2500, 2400, 2600, "2.50 ± 0.10 s"),
        (1, 1, 1, "1 ms"),
        (0, 0, 0, "0 µs"),
    ],
)
def test_no_more_digits_than_are_known(milliseconds, low, high, text):
    assert duration_within(milliseconds, low, high) == text

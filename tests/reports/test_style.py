"""The colours of the style sheet."""

import re

import pytest

from keras_kd.reports.style import STYLE


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_from_the_paper(dark):
    light, rest = STYLE.split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", rest if dark else light))
    assert len(colours) == 20

    def contrast(a, b):
        high, low = sorted([luminance(colours[a]), luminance(colours[b])], reverse=True)
        return (high + 0.05) / (low + 0.05)

    for paper in ("paper", "panel", "chosen"):
        assert contrast("ink", paper) >= 7
    assert contrast("soft", "paper") >= 4.5
    assert contrast("soft", "panel") >= 4.5
    # Words that say whether it helped, and links.
    for word in ("helped", "inconclusive", "hurt", "accent"):
        assert all(contrast(word, paper) >= 4.5 for paper in ("paper", "panel"))
    # Names of curves are written in these colours, so they must be readable as text.
    for number in range(9):
        assert contrast(f"c{number}", "paper") >= 3

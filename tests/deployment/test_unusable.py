"""NaN and infinity in outputs, counted by hand."""

import numpy as np
import pytest

from keras_kd.deployment.unusable import Unusable

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("outputs", "references", "text"),
    [
        ([[1, 2], [3, 4]], None, ""),
        ([[NAN, NAN], [3, 4]], None, "NaN for 1 of 4 samples"),
        ([[NAN, INF], [3, 4]], None, "NaN or infinity for 1 of 4 samples"),
        ([[INF, 1], [3, NAN]], None, "NaN or infinity for 2 of 4 samples"),
        ([[1, -INF], [3, 4]], None, ""),
        ([[1, -INF], [3, INF]], [[1, -INF], [3, 4]], "infinity for 1 of 4 samples"),
        ([[1, -INF], [3, 4]], [[1, 2], [3, 4]], "infinity for 1 of 4 samples"),
        ([[1, -INF], [3, 4]], [[1, INF], [3, 4]], "infinity for 1 of 4 samples"),
        ([[NAN, 2], [3, 4]], [[NAN, 2], [3, 4]], "NaN for 1 of 4 samples"),
    ],
)
def test_samples_with_nan_or_infinity(outputs, references, text):
    unusable, more = Unusable(), np.zeros((2, 1, 3))
    array = np.array(outputs, "float32")
    unusable.add([more, array], None if references is None else [more, np.array(references, "float32")])
    unusable.add([more, np.zeros((2, 2))])
    assert str(unusable) == text


def test_integers_are_usable():
    unusable = Unusable()
    unusable.add([np.arange(3)], [np.arange(3)])
    assert str(unusable) == ""

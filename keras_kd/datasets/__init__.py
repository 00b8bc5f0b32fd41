"""Real data for the demo, the examples and the benchmarks, and readers for your own.

Examples:
    >>> from keras_kd import datasets
    >>> print(datasets.digits())
    digits: inputs 8x8x1, 10 classes, 1257 train, 180 validation, 360 test
"""

from keras_kd.datasets.bundled import digits as digits
from keras_kd.datasets.bundled import fashion_mnist as fashion_mnist
from keras_kd.datasets.checks import check as check
from keras_kd.datasets.data import Data as Data
from keras_kd.datasets.model_shape import ModelShape as ModelShape
from keras_kd.datasets.npz import load as load
from keras_kd.datasets.sources import open_data as open_data
from keras_kd.datasets.splits import Split as Split

__all__ = ["Data", "ModelShape", "Split", "check", "digits", "fashion_mnist", "load", "open_data"]

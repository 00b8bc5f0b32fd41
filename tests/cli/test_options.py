"""The options name what the library has."""

import inspect

from keras_kd import datasets
from keras_kd.cli.options import DemoData, FileIO, QuantizationOption
from keras_kd.deployment.tflite import export
from keras_kd.jobs.experiment import QUANTIZATIONS


def test_quantizations_are_those_of_the_library():
    assert tuple(QuantizationOption) == QUANTIZATIONS


def test_types_of_inputs_and_outputs_begin_with_the_default():
    assert inspect.signature(export).parameters["io"].default == next(iter(FileIO))


def test_data_sets_of_the_demo_exist():
    assert all(callable(getattr(datasets, name)) for name in DemoData)

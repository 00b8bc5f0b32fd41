"""The options name what the library has."""

import inspect
from typing import get_args

import pytest
import typer

from keras_kd import datasets
from keras_kd.cli.options import (
    DemoData,
    FileIO,
    PixelsOption,
    QuantizationOption,
    check_image_size,
    check_optional_data,
    parse_image_size,
)
from keras_kd.datasets.data import Pixels
from keras_kd.deployment.tflite import export
from keras_kd.jobs.experiment import QUANTIZATIONS


def test_quantizations_are_those_of_the_library():
    assert tuple(QuantizationOption) == QUANTIZATIONS


def test_types_of_inputs_and_outputs_begin_with_the_default():
    assert inspect.signature(export).parameters["io"].default == next(iter(FileIO))


def test_ranges_of_pixels_are_those_of_the_library_and_begin_with_the_default():
    assert tuple(PixelsOption) == get_args(Pixels)
    assert inspect.signature(datasets.open_data).parameters["pixels"].default == next(iter(PixelsOption))


def test_sizes_of_images():
    assert [parse_image_size(text) for text in ("224x96", "224,96", "8")] == [(224, 96), (224, 96), (8, 8)]
    for text in ("", "0x8", "8x8x3", "-8", "ax8"):
        with pytest.raises(
            typer.BadParameter, match=f"--image-size takes HEIGHTxWIDTH, as in 224x224. .*'{text}'"
        ):
            check_image_size(text)
    assert (check_image_size(None), check_optional_data(None)) == (None, None)


def test_data_sets_of_the_demo_exist():
    assert all(callable(getattr(datasets, name)) for name in DemoData)

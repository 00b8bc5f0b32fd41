"""A cost as a table."""

import keras
from keras import layers

from keras_kd.compression.costs.cost import Cost, LayerCost, cost


def test_the_table_fits_80_columns_and_shows_what_counts():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Conv2D(4, 3, name="a_long_name_of_a_convolution_that_needs_a_lot_of_room_here"),
            layers.Flatten(),
            layers.Dense(2, name="head"),
        ]
    )
    assert str(cost(model)).splitlines() == [
        "layer                   output  parameters    %  multiply-adds    %  KiB alive",
        "─" * 78,
        "…ds_a_lot_of_room_here  6x6x4          112   28          3,888   93        1.3",
        "head                    2              290   72            288    7        1.3",
        "",
        "whole model                            402  100          4,176  100        1.3",
        "for image (1, 8, 8, 3); weights: 1.6 KiB",
        "most is alive in head: 1.3 KiB",
        "1 layer without parameters and multiply-adds not shown",
    ]


def test_names_are_safe_to_print_and_the_unknown_is_said():
    rows = (
        LayerCost("\x1b[2J", "Dense", (1, 3), 1, 6, 6, 24, 36),
        LayerCost("mine", "Mine", (1, 3), 1, 0, 0, 0, 24),
    )
    text = str(Cost(rows, {"x": (1, 2)}, 36, ("mine",)))
    assert "\x1b" not in text
    assert "\\u001b[2J" in text
    assert text.endswith("Multiply-adds not known, and not included: mine")
    assert "1 layer without parameters and multiply-adds not shown" in text


def test_large_numbers_leave_the_end_of_a_path():
    big = LayerCost("a" * 60 + "/end", "Dense", (1, 1024, 1024, 64), 1, 10**9, 10**12, 4, 10**9)
    line = str(Cost((big,), {"x": (1, 2)}, 36)).splitlines()[2]
    assert line.startswith("…")
    assert "/end " in line
    assert len(line) <= 80

from keras_kd.compression.costs.sizes import bytes_of, size_of


def test_free_axes_count_as_one():
    assert size_of((None, 2, 3)) == 6
    assert size_of([None, 0]) == 0
    assert size_of(()) == 1


def test_bytes_follow_the_type_of_the_file():
    assert [bytes_of((None, 6), dtype) for dtype in ("float32", "bfloat16", "bool", "int64")] == [
        24,
        24,
        6,
        48,
    ]

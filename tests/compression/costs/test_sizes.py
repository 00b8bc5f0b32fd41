from keras_kd.compression.costs.sizes import size_of


def test_free_axes_count_as_one():
    assert size_of((None, 2, 3)) == 6
    assert size_of([None, 0]) == 0
    assert size_of(()) == 1

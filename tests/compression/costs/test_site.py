"""Where steps of an operation are noted."""

import keras

from keras_kd.compression.costs.leaves import Leaf
from keras_kd.compression.costs.site import Site
from keras_kd.compression.costs.steps import Recording


def test_sizes_are_those_of_the_results():
    record = Recording()
    read = record.tensor(32)
    results = [keras.KerasTensor((2, 2), "float64"), keras.KerasTensor((2, 3))]
    site = Site(Leaf(keras.layers.Identity(), (), {}), [read], results, record)
    assert site.size == 32
    assert site.part(0.5) == 16
    made = [site.new(read), site.new(read, size=5), site.over(read), *site.rest()]
    assert [record.sizes[tensor] for tensor in made] == [32, 5, 32, 24]

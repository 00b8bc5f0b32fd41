"""Decompositions take one thread, and leave the number of threads as it was."""

import keras
import threadpoolctl

import keras_kd as kd


class Watching(keras.regularizers.Regularizer):
    """Notes how many threads there are when a layer is made like another one."""

    def __init__(self):
        self.seen = set()

    def __call__(self, x):
        return 0.0

    def get_config(self):
        self.seen |= threads()
        return {}


def threads():
    return {one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"}


def test_a_model_is_factorized_on_one_thread():
    watching = Watching()
    dense = keras.layers.Dense(32, kernel_regularizer=watching)
    model = keras.Sequential([keras.Input((32,)), dense])
    with threadpoolctl.threadpool_limits(2, "blas"):
        with keras.utils.custom_object_scope({"Watching": Watching}):
            kd.factorize(model, 4)
        assert 1 in watching.seen
        assert threads() == {2}

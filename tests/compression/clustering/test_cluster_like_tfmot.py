"""`kd.Cluster` in a Keras 3 `fit`, beside tensorflow-model-optimization in a tf_keras one: the same weights.

With SGD, and the gradient of a centroid averaged over its weights: `GradientAggregation.AVG` of tfmot. It
assigns weights to the nearest centroid again and again; here they are so far apart that they stay.
"""

import keras
import numpy as np
import pytest

import keras_kd as kd

random = np.random.default_rng(0)
X = random.normal(size=(64, 12)).astype("float32")
Y = random.normal(size=(64, 4)).astype("float32")


def grouped(shape):
    return random.choice([-0.6, -0.2, 0.2, 0.6], shape) + random.normal(0, 0.01, shape)


WEIGHTS = [grouped((12, 8)), np.zeros(8), grouped((8, 4)), np.zeros(4)]
MOMENTUM = {"plain": {}, "momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}


def made(library):
    dense = library.layers.Dense
    model = library.Sequential([library.Input((12,)), dense(8, "tanh"), dense(4)])
    model.set_weights(WEIGHTS)
    return model


def fitted(model, library, options, *callbacks):
    model.compile(library.optimizers.SGD(3e-3, **options), "mse")
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, callbacks=list(callbacks), verbose=0)
    return model


def wrapped(layer):
    from tensorflow_model_optimization.python.core.clustering.keras import cluster_config, cluster_wrapper

    kinds, sums = cluster_config.CentroidInitialization, cluster_config.GradientAggregation
    options = {"cluster_centroids_init": kinds.LINEAR, "cluster_gradient_aggregation": sums.AVG}
    return cluster_wrapper.ClusterWeights(layer, 4, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", MOMENTUM)
def test_same_weights_after_the_same_steps(name, tfmot):
    import tf_keras

    model = fitted(made(keras), keras, MOMENTUM[name], kd.Cluster(4, initial="linear"))
    other = tf_keras.models.clone_model(made(tf_keras), clone_function=wrapped)
    for layer, kernel in zip(other.layers, WEIGHTS[::2], strict=True):  # it was clustered with others
        layer.original_clusterable_weights["kernel"].assign(kernel)
        layer.cluster_centroids["kernel"].assign(np.linspace(kernel.min(), kernel.max(), 4))
    fitted(other, tf_keras, MOMENTUM[name])
    stripped = tfmot.clustering.keras.strip_clustering(other).get_weights()
    for mine, theirs, before in zip(model.get_weights(), stripped, WEIGHTS, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
        assert np.abs(mine - before).max() > 2e-3

"""Models whose kernels are known, factorized whether or not that saves anything."""

import keras
import numpy as np

from keras_kd.compression.low_rank.factorize import build
from keras_kd.compression.low_rank.plan import Plan, factors_of
from keras_kd.compression.low_rank.sites import opened_for_one_sample, sites_in


def factors_in(model, amount, method="auto", moments=None):
    """What replaces each layer of a model that can be factorized, by layer."""
    sites = [site for site in sites_in(opened_for_one_sample(model)) if not site.reason]
    given = moments or {}
    return {site.operation: factors_of(site, amount, given.get(site.layer, {}), method) for site in sites}


def forced(model, amount, method="auto"):
    """A model with every layer factorized, and what replaced them."""
    factors = factors_in(model, amount, method)
    return build(Plan(model, factors, None)), list(factors.values())


def model_of(layer, shape, scale=1.0):
    """A model of a layer, with random weights, the bias too."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    random = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(scale * random.normal(size=variable.shape))
    return model


def largest_difference(one, other, x):
    """Of the outputs of two models, relative to the largest output."""
    a, b = (np.asarray(model(x, training=False), "float64") for model in (one, other))
    assert a.shape == b.shape
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-9))


def batch_for(model, rows=3):
    return np.random.default_rng(1).normal(size=(rows, *[n or 5 for n in model.input.shape[1:]])).astype("f4")

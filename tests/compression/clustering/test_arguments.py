"""What `kd.Cluster` refuses: when it is made, and before a training begins."""

import re

import keras
import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.compression.clustering.arguments import resolve
from tests.compression.pruning.test_arguments import X, Y, assert_untouched, frozen, stock, weights_of

MADE = {
    "one": ({"clusters": 1}, "`clusters` is a number of clusters, an integer from 2 to 65,536. Received: 1."),
    "too many": ({"clusters": 10**6}, "Received: 1000000."),
    "a fraction": ({"clusters": 0.5}, "Received: 0.5."),
    "a bool": ({"clusters": True}, "Received: True."),
    "a string": ({"clusters": "16"}, "Received: '16'."),
    "none": ({"clusters": None}, "Say how many clusters: kd.Cluster(16) for 16 distinct values"),
    "none for a list": ({"clusters": None, "layers": ["head"]}, "Say how many clusters"),
    "one by layer": ({"layers": {"head": 1}}, "`layers['head']` is a number of clusters"),
    "initial": (
        {"initial": "kmeans"},
        "must be one of ['kmeans++', 'linear', 'density']. Received: 'kmeans'. Did",
    ),
    "per": ({"per": "chanel"}, "Received: 'chanel'. Did you mean 'channel'?"),
    "keep_zeros": ({"keep_zeros": "auto"}, "`keep_zeros` must be True or False. Received: 'auto'."),
    "reassign": ({"reassign": 2}, "`reassign` must be True or False. Received: 2."),
    "begin": ({"begin": -1}, "`begin` is an integer number of steps, at least 0. Received: -1."),
    "begin, a fraction": ({"begin": 0.5}, "Received: 0.5."),
}


@pytest.mark.parametrize("what", MADE)
def test_arguments_out_of_range_are_refused(what):
    options, message = MADE[what]
    with pytest.raises(ValueError, match=re.escape(message)):
        kd.Cluster(**options)


@pytest.mark.parametrize("options", [{"layers": 5}, {"skip": None}, {"layers": [3]}], ids=str)
def test_layers_are_given_by_name(options):
    with pytest.raises(TypeError, match="name, path or glob"):
        kd.Cluster(4, **options)


def test_other_arguments_become_settings():
    settings = resolve(np.int64(8), "linear", "channel", {"head": 4}, "conv", False, np.int32(3), True)
    assert (settings.clusters, settings.initial, settings.per) == (8, "linear", "channel")
    assert (settings.selection.layers, settings.selection.skip) == ({"head": 4}, ["conv"])
    assert (settings.selection.default, settings.keep_zeros, settings.begin) == (8, False, 3)
    assert settings.reassign
    assert resolve(8, "linear", "layer", ["head"], (), True, 0, False).selection.default is None


TRAINED = {
    "an unknown layer": (stock, {"layers": ["haed"]}, "'net' has no layer 'haed'. Did you mean 'head'?"),
    "an unknown layer to skip": (stock, {"skip": ["heads"]}, "Did you mean 'head'?"),
    "a layer without a kernel": (stock, {"layers": ["norm"]}, "'norm' has no kernel that can be clustered."),
    "everything skipped": (stock, {"skip": ["*"]}, "There is nothing to cluster in 'net'"),
    "frozen": (frozen, {}, "of kernels that can be clustered, all of them are frozen"),
    "a frozen layer": (
        frozen,
        {"layers": ["head"]},
        "'head' is frozen (trainable=False), so it cannot be clust",
    ),
    "a small layer by name": (
        stock,
        {"clusters": 24, "layers": ["conv", "head"]},
        "There must be more weights than clusters. Weights per layer of 'net': 'head/kernel' 24. Use fewer",
    ),
    "small channels": (
        stock,
        {"clusters": 32, "per": "channel"},
        "Weights per channel of 'net': 'conv/kernel' 27, 'depthwise/kernel' 32, 'head/kernel' 8.",
    ),
}


@pytest.mark.parametrize("what", TRAINED)
def test_training_is_refused_and_the_model_untouched(what):
    make, options, message = TRAINED[what]
    model = make()
    before, constraints = weights_of(model), [v.constraint for v in model.trainable_variables]
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, Y, callbacks=[kd.Cluster(**{"clusters": 4, **options})], verbose=0)
    assert_untouched(model, before, constraints)


def test_two_of_them_on_one_weight_are_refused():
    model = stock()
    constraints = [v.constraint for v in model.trainable_variables]
    with pytest.raises(ValueError, match=r"Two kd.Cluster callbacks cluster .*kernel'. Give each its own"):
        model.fit(X, Y, callbacks=[kd.Cluster(4), kd.Prune(0.5), kd.Cluster(8)], verbose=0)
    assert [v.constraint for v in model.trainable_variables] == constraints


def test_models_of_tf_keras_are_sent_to_tfmot():
    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"kd.Cluster clusters Keras 3 models.*kd.tfmot.cluster_weights"):
        kd.Cluster(4).set_model(model)


def test_a_distiller_of_tf_keras_says_which_callbacks_it_takes():
    student = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    teacher = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    distiller = kd.tfmot.Distiller(student, teacher)
    distiller.compile("sgd")
    with pytest.raises(TypeError, match="Cluster"):
        distiller.fit(np.ones((4, 3)), callbacks=[kd.Cluster(2)], verbose=0)

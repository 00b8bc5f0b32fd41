"""The ways to make a model smaller, and which of them each table has."""

import keras

import keras_kd as kd


def shrunk(share, **more):
    return lambda teacher, x: kd.shrink(teacher, share, budget="macs", **more)


def by_activations(share):
    return lambda teacher, x: kd.shrink(teacher, share, budget="macs", importance="activation", data=x[:4096])


def then(first, second):
    return lambda teacher, x: second(first(teacher, x))


def factorized(rank):
    return lambda teacher, x: kd.factorize(teacher, rank)


def compacted(teacher, x):
    return kd.compact(teacher)


def copied(model, x):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


# What makes a smaller model of the teacher and training images. Clustering is done while it is trained.
WAYS = {
    "shrunk to 73 %": shrunk(0.73),
    "shrunk to 48 %": shrunk(1 / 2.1),
    "shrunk to 25 %": shrunk(0.25),
    "shrunk to 12 %": shrunk(0.12),
    "shrunk to 6 %": shrunk(0.06, floor=0.05),
    "shrunk to 6 %, a block less": shrunk(0.06, floor=0.05, depth=0),
    # As fast as the students written by hand.
    "shrunk to 13 %, a block less": shrunk(0.13, depth=0),
    "shrunk to 3.5 %, a block less": shrunk(0.035, floor=0.03, depth=0),
    "factorized, rank 0.5": factorized(0.5),
    "factorized, rank 0.25": factorized(0.25),
    "compacted": compacted,
    "clustered to 16": copied,
    "shrunk to 48 %, factorized": then(shrunk(1 / 2.1), factorized(0.5)),
    "shrunk to 48 %, compacted": then(shrunk(1 / 2.1), compacted),
    "shrunk to 25 %, clustered": shrunk(0.25),
    "shrunk to 48 %, by activations": by_activations(1 / 2.1),
}
SHORT = ["shrunk to 48 %"]
OF_BUNDLED = [way for way in WAYS if "activations" not in way]
OF_RESNET20 = ["shrunk to 48 %, by activations"]  # as in published recoveries, by a factor of 2.1

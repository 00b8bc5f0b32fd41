"""What `kd.Prune` refuses: when it is made, and before a training begins."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_kd as kd
from keras_kd.compression.pruning.mask_constraint import MaskConstraint

NAN = float("nan")
X, Y = np.ones((4, 6, 6, 3), "float32"), np.ones((4, 3), "float32")


def half(step):
    return 0.5


class Half:
    """A schedule as tfmot has them."""

    def __call__(self, step):
        return True, 0.5


MADE = {
    "nothing": ({}, "Say how much to prune: kd.Prune(0.8) for 80 % zeros."),
    "one": ({"sparsity": 1}, "from 0 to less than 1. Received: 1."),
    "all of it": ({"sparsity": 1.0}, "from 0 to less than 1. Received: 1.0."),
    "negative": ({"sparsity": -0.5}, "from 0 to less than 1. Received: -0.5."),
    "percent": ({"sparsity": 80}, "Received: 80. Did you mean 0.8?"),
    "not a number": ({"sparsity": NAN}, "Received: nan."),
    "infinite": ({"sparsity": np.inf}, "Received: inf."),
    "a bool": ({"sparsity": True}, "Received: True."),
    "no": ({"sparsity": False}, "Received: False."),
    "a string": ({"sparsity": "0.8"}, "Received: '0.8'."),
    "a list": ({"sparsity": [0.8]}, "Received: [0.8]."),
    "an array": ({"sparsity": np.array([0.5, 0.8])}, "Received: array([0.5, 0.8])."),
    "a pattern": ({"sparsity": 0.5, "pattern": "random"}, "`pattern` must be 'unstructured', 'n:m'"),
    "a pattern backwards": ({"pattern": "4:2"}, "Did you mean '2:4'?"),
    "a pooling": ({"sparsity": 0.5, "block_pooling": "avg"}, "must be 'mean' or 'max'. Received: 'avg'."),
    "end before begin": (
        {"sparsity": 0.5, "begin": 9, "end": 5},
        "`end` must not be before `begin`. Received: begin=9, end=5.",
    ),
    "begin": ({"sparsity": 0.5, "begin": -1}, "at least 0. Received: -1."),
    "begin, a fraction": ({"sparsity": 0.5, "begin": 0.5}, "`begin` is an integer number of steps"),
    "end": (
        {"sparsity": 0.5, "end": "last"},
        "`end` is an integer number of steps, at least 0. Received: 'last'.",
    ),
    "frequency": ({"sparsity": 0.5, "frequency": 0}, "at least 1. Received: 0."),
    "power": ({"sparsity": 0.5, "power": 0}, "`power` must be a positive number. Received: 0."),
    "initial": ({"sparsity": 0.5, "initial_sparsity": 1.5}, "`initial_sparsity` is the fraction of zeros"),
    "a schedule": ({"sparsity": 0.5, "schedule": "constnat"}, "Did you mean 'constant'?"),
    "a scope": ({"sparsity": 0.5, "scope": "globl"}, "Received: 'globl'. Did you mean 'global'?"),
    "a fraction by layer": ({"layers": {"head": 1.0}}, "`layers['head']` is the fraction of zeros"),
    "percent by layer": ({"layers": {"head": 80}}, "Did you mean 0.8?"),
    "a bool by layer": ({"layers": {"head": True}}, "Received: True."),
    "none by layer": ({"layers": {"head": None}}, "Received: None."),
    "2:4 of another fraction": (
        {"sparsity": 0.8, "pattern": "2:4"},
        "'2:4' means 50% zeros. Received: sparsity=0.8. Leave `sparsity` out.",
    ),
    "2:4 globally": ({"pattern": "2:4", "scope": "global"}, "'n:m' patterns are the same in every layer"),
    "2:4 by layer": ({"pattern": "2:4", "layers": {"head": 0.5}}, "Give `layers` as a list of names."),
    "global by layer": ({"scope": "global", "layers": {"head": 0.5}}, "Give `layers` as a list of names."),
    "function by layer": ({"schedule": half, "layers": {"head": 0.5}}, "Give `layers` as a list of names."),
    "function and sparsity": ({"sparsity": 0.8, "schedule": half}, "Leave out `sparsity`."),
    "function out of range": ({"schedule": lambda step: 50}, "Did you mean 0.5?"),
    "object and sparsity": ({"sparsity": 0.8, "schedule": Half()}, "Leave out `sparsity`"),
    "object and begin": ({"begin": 3, "schedule": Half()}, "`begin`"),
    "object and end": ({"end": 3, "schedule": Half()}, "`end`"),
    "object and frequency": ({"frequency": 3, "schedule": Half()}, "`frequency`"),
    "object by layer": ({"schedule": Half(), "layers": {"head": 0.5}}, "Give `layers` as a list of names."),
    "class": ({"schedule": Half}, "`schedule` is a class, Half: give an instance of it."),
    "keep and begin": ({"sparsity": "keep", "begin": 10}, "give lists of `layers` and `skip` only"),
    "keep and end": ({"sparsity": "keep", "end": 10}, "give lists of `layers` and `skip` only"),
    "keep and frequency": ({"sparsity": "keep", "frequency": 10}, "give lists of `layers` and `skip` only"),
    "keep and pattern": ({"sparsity": "keep", "pattern": "2:4"}, "give lists of `layers` and `skip` only"),
    "keep and schedule": (
        {"sparsity": "keep", "schedule": "constant"},
        "give lists of `layers` and `skip` only",
    ),
}


@pytest.mark.parametrize("what", MADE)
def test_arguments_out_of_range_or_that_contradict_each_other_are_refused(what):
    options, message = MADE[what]
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        kd.Prune(**options)
    # What came, or what to do.
    assert re.search("Received|Say |Leave|[Gg]ive", str(error.value))


IGNORED = {
    "keep and sparsities by layer": {"sparsity": "keep", "layers": {"head": 0.5}},
    "keep globally": {"sparsity": "keep", "scope": "global"},
    "keep and initial sparsity": {"sparsity": "keep", "initial_sparsity": 0.5},
    "constant and initial sparsity": {"sparsity": 0.8, "schedule": "constant", "initial_sparsity": 0.5},
    "function and initial sparsity": {"schedule": half, "initial_sparsity": 0.5},
    "two schedules": {"sparsity": half, "schedule": "constant"},
    "2:4 and initial sparsity": {"pattern": "2:4", "initial_sparsity": 0.25},
    "2:4 by a function": {"pattern": "2:4", "schedule": lambda step: 0.9},
}


@pytest.mark.parametrize("what", IGNORED)
def test_arguments_that_would_have_no_effect_are_refused(what):
    with pytest.raises(ValueError):
        kd.Prune(**IGNORED[what])


@pytest.mark.parametrize(
    "options",
    [{"layers": 5}, {"layers": 0.5}, {"skip": None}, {"skip": 3}, {"layers": [3]}, {"skip": [("a",)]}],
    ids=str,
)
def test_layers_are_given_by_name(options):
    with pytest.raises(TypeError, match="name, path or glob"):
        kd.Prune(0.5, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity": 0},
        {"sparsity": np.float32(0.5), "begin": np.int64(3), "end": np.int32(9)},
        {"sparsity": 0.5, "pattern": "2:4"},
        {"sparsity": 2 / 3, "pattern": "1:3"},
        {"sparsity": 0.9, "pattern": "1:10"},
        {"pattern": "2:4", "begin": 100},
        {"layers": {"head": 0.5}},
        {"sparsity": 0.8, "layers": {"head": 0}},
        {"sparsity": half},
        {"schedule": half, "begin": 5, "end": 10, "frequency": 2},
        {"schedule": Half()},
        {"sparsity": "keep", "layers": ["head"], "skip": "conv"},
        {"sparsity": 0.5, "scope": "global", "pattern": "1x4", "block_pooling": "max"},
        {"sparsity": 0.5, "begin": 5, "end": 5},
    ],
    ids=lambda options: ", ".join(options),
)
def test_other_arguments_are_taken(options):
    kd.Prune(**options)


def network(*inner):
    model = keras.Sequential([keras.Input((6, 6, 3)), *inner], name="net")
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def stock():
    return network(
        layers.Conv2D(8, 3, name="conv", kernel_constraint=keras.constraints.MaxNorm(5.0)),
        layers.DepthwiseConv2D(2, name="depthwise"),
        layers.BatchNormalization(name="norm"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, name="head"),
    )


def frozen():
    model = stock()
    model.trainable = False
    model.get_layer("norm").trainable = True
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def bare():
    return network(
        layers.BatchNormalization(), layers.Conv2D(3, 1, trainable=False), layers.GlobalAveragePooling2D()
    )


TRAINED = {
    "an unknown layer": (stock, {"layers": ["haed"]}, "'net' has no layer 'haed'. Did you mean 'head'?"),
    "an unknown layer of a mapping": (stock, {"layers": {"con": 0.5}}, "Did you mean 'conv'?"),
    "an unknown layer to skip": (stock, {"skip": ["heads"]}, "Did you mean 'head'?"),
    "a glob of nothing": (stock, {"layers": "dense*"}, "'net' has no layer 'dense*'"),
    "a layer without a kernel": (
        stock,
        {"layers": ["norm"]},
        "'norm' has no kernel that can be pruned. Leave it",
    ),
    "everything skipped": (stock, {"skip": ["*"]}, "nothing to prune in 'net'"),
    "no layers": (stock, {"layers": []}, "nothing to prune in 'net'"),
    "frozen": (frozen, {}, "of kernels that can be pruned, all of them are frozen"),
    "a frozen layer": (frozen, {"layers": ["head"]}, "'head' is frozen (trainable=False)"),
    "nothing that is trained": (bare, {}, "nothing to prune in 'net'"),
    "groups": (
        stock,
        {"sparsity": None, "pattern": "2:4"},
        "does not divide these kernels: 'conv/kernel' (3, 3, 3, 8): its 3 inputs are not a multiple of 4. "
        "Leave them out: skip=['conv'].",
    ),
    "blocks": (
        stock,
        {"pattern": "1x4"},
        "'head/kernel' (8, 3): its 3 outputs are not a multiple of 4. Leave them out: skip=['head'].",
    ),
    "blocks of both": (stock, {"pattern": "2x2"}, "Leave them out: skip=['conv', 'head']."),
    "groups of depthwise": (
        stock,
        {"sparsity": None, "pattern": "2:4", "layers": ["depthwise"]},
        "'depthwise/kernel' is depthwise",
    ),
    "no zeros to keep": (
        stock,
        {"sparsity": "keep"},
        "no zeros to keep in the kernels of this model. Prune it",
    ),
}


def weights_of(model):
    return [np.array(value) for value in [*model.variables, *model.optimizer.variables]]


def assert_untouched(model, before, constraints):
    for value, other in zip(weights_of(model), before, strict=True):
        np.testing.assert_array_equal(value, other)
    assert [variable.constraint for variable in model.trainable_variables] == constraints


shared = functools.cache(lambda make: make())  # what is refused leaves a model as it was


def refuse(model, callbacks, message, x=X, y=Y, **options):
    """Training is refused before it has changed anything."""
    before, constraints = weights_of(model), [v.constraint for v in model.trainable_variables]
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(x, y, callbacks=callbacks, verbose=0, **options)
    assert_untouched(model, before, constraints)
    assert not any(isinstance(constraint, MaskConstraint) for constraint in constraints)


@pytest.mark.parametrize("what", TRAINED)
def test_training_is_refused(what):
    make, options, message = TRAINED[what]
    refuse(shared(make), [kd.Prune(**{"sparsity": 0.5, **options})], message)


def test_training_of_unknown_length_needs_an_end():
    data = tf.data.Dataset.from_tensors((X, Y)).filter(lambda x, y: True)
    refuse(stock(), [kd.Prune(0.5)], "Say when pruning ends: kd.Prune(..., end=STEP)", data, None)


def test_two_of_them_on_one_weight_are_refused():
    both = [kd.Prune(0.5, layers=["head", "conv"]), kd.Prune(0.8, layers=["head"])]
    refuse(stock(), both, "Give each its own `layers`.")


def test_a_model_that_is_not_built_is_refused():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)], name="late")
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"'late' is not built.* Give it an Input, or call it once"):
        model.fit(X, Y, callbacks=[kd.Prune(0.5)], verbose=0)


def test_layers_of_a_distiller_are_those_of_its_student(teacher, student):
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.ones((4, 8, 8, 1), "float32"), np.zeros(4)
    with pytest.raises(ValueError, match=r"'student' has no layer 'logit'\. Did you mean 'logits'"):
        distiller.fit(x, y, callbacks=[kd.Prune(0.5, layers=["logit"])], verbose=0)


@pytest.mark.slow
def test_training_works_after_refusals():
    """As if nothing had been: the same weights as of a model that never saw `kd.Prune`."""
    models = []
    for refusals in ([], ["no zeros to keep", "an unknown layer", "blocks"]):
        keras.utils.set_random_seed(0)
        model = stock()
        for what in refusals:
            _, options, message = TRAINED[what]
            refuse(model, [kd.Prune(**{"sparsity": 0.5, **options})], message)
        if refusals:
            refuse(model, [kd.Prune(0.5), kd.Prune(0.5)], "Two kd.Prune")
        model.fit(X, Y, verbose=0)
        models.append(model)
    plain, model = models
    assert_untouched(model, weights_of(plain), [v.constraint for v in model.trainable_variables])
    assert not any(isinstance(variable.constraint, MaskConstraint) for variable in model.trainable_variables)
    assert kd.sparsity(model).zeros == 0


def test_a_training_that_is_too_short_gives_a_warning():
    ramp = kd.Prune(0.5, layers=["conv"], end=3)
    at_once = kd.Prune(layers=["head"], begin=2, pattern="1:2")
    with (
        pytest.warns(UserWarning, match="This training run has 1 steps, but kd.Prune needs 3"),
        pytest.warns(UserWarning, match="This training run has 1 steps, but kd.Prune needs 2"),
    ):
        stock().fit(X, Y, verbose=0, callbacks=[ramp, at_once])


@pytest.mark.slow
@pytest.mark.parametrize(("begin", "steps"), [(0, 1), (2, 2), (1, 4)])
def test_a_ramp_without_an_end_gets_there_in_every_training(begin, steps):
    model = stock()
    model.fit(X, Y, epochs=steps, verbose=0, callbacks=[kd.Prune(0.5, begin=begin)])
    assert [kernel.fraction for kernel in kd.sparsity(model).kernels] == [0.5, 0.5, 0.5]

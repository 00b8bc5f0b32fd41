"""`kd.Prune` in a Keras 3 `fit`, beside tensorflow-model-optimization in a tf_keras one: the same masks."""

import keras
import numpy as np
import pytest

import keras_kd as kd

random = np.random.default_rng(0)
X = random.normal(size=(64, 12)).astype("float32")
Y = random.normal(size=(64, 4)).astype("float32")
WEIGHTS = [random.normal(size=(12, 8)), np.zeros(8), random.normal(size=(8, 4)), np.zeros(4)]


def ours(prune, rate, epochs):
    """Masks after each batch, and the weights at the end."""
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)])
    model.set_weights(WEIGHTS)
    model.compile(keras.optimizers.SGD(rate), "mse")
    masks = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: masks.append([m.copy() for m in prune._masks])
    )
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, callbacks=[prune, note], verbose=0)
    return masks, model.get_weights()


def theirs(tfmot, options, rate, epochs):
    import tf_keras

    dense = tf_keras.layers.Dense
    model = tf_keras.Sequential([tf_keras.Input((12,)), dense(8, "tanh"), dense(4)])
    model.set_weights(WEIGHTS)
    model = tfmot.sparsity.keras.prune_low_magnitude(model, **options)
    model.compile(tf_keras.optimizers.SGD(rate), "mse")
    masks = []
    note = tf_keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: masks.append(
            [layer.pruning_vars[0][1].numpy() == 1 for layer in model.layers]
        )
    )
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep(), note]
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0)
    return masks, tfmot.sparsity.keras.strip_pruning(model).get_weights()


def decay(begin=4, end=16, frequency=4, power=3):
    return {"begin": begin, "end": end, "frequency": frequency, "power": power}


CASES = {
    "polynomial": (
        lambda s: kd.Prune(0.75, **decay()),
        lambda s: {"pruning_schedule": s.PolynomialDecay(0.0, 0.75, 4, 16, 3, 4)},
    ),
    "initial, linear": (
        lambda s: kd.Prune(0.75, initial_sparsity=0.25, **decay(power=1)),
        lambda s: {"pruning_schedule": s.PolynomialDecay(0.25, 0.75, 4, 16, 1, 4)},
    ),
    "constant": (
        lambda s: kd.Prune(0.5, schedule="constant", begin=3, frequency=5),
        lambda s: {"pruning_schedule": s.ConstantSparsity(0.5, 3, frequency=5)},
    ),
    "their schedule": (
        lambda s: kd.Prune(schedule=s.PolynomialDecay(0.1, 0.8, 2, 20, 2, 3)),
        lambda s: {"pruning_schedule": s.PolynomialDecay(0.1, 0.8, 2, 20, 2, 3)},
    ),
    "2:4": (
        lambda s: kd.Prune(pattern="2:4"),
        lambda s: {"pruning_schedule": s.ConstantSparsity(0.5, 0), "sparsity_m_by_n": (2, 4)},
    ),
    "1:4": (
        lambda s: kd.Prune(pattern="1:4", schedule=s.ConstantSparsity(0.75, 0)),
        lambda s: {"pruning_schedule": s.ConstantSparsity(0.75, 0), "sparsity_m_by_n": (3, 4)},
    ),
    "blocks": (
        lambda s: kd.Prune(0.5, pattern="2x2", **decay()),
        lambda s: {"pruning_schedule": s.PolynomialDecay(0, 0.5, 4, 16, 3, 4), "block_size": (2, 2)},
    ),
    "blocks, max": (
        lambda s: kd.Prune(0.5, pattern="4x1", block_pooling="max", **decay()),
        lambda s: {
            "pruning_schedule": s.PolynomialDecay(0, 0.5, 4, 16, 3, 4),
            "block_size": (4, 1),
            "block_pooling_type": "MAX",
        },
    ),
}


# At rate 0 the weights are equal to the last bit, at 1e-3 the masks follow weights that move.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "rate"), [(case, 0.0 if case in ("polynomial", "blocks") else 1e-3) for case in CASES]
)
def test_same_weights_same_schedule_same_step_same_masks(case, rate, tfmot):
    make_ours, make_theirs = CASES[case]
    schedules = tfmot.sparsity.keras
    masks, weights = ours(make_ours(schedules), rate, epochs=3)
    expected, stripped = theirs(tfmot, make_theirs(schedules), rate, epochs=3)
    assert len(masks) == len(expected) == 24
    for batch, (a, b) in enumerate(zip(masks, expected, strict=True)):
        for mine, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=f"batch {batch}")
    assert not masks[-1][0].all()
    for a, b in zip(weights, stripped, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)

"""Deep mutual learning is two loops that read one another, written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, perceptron, weights_of

WEIGHTS = np.random.default_rng(2).random(24).astype("float32")
UNITS = {"a": 5, "b": 7, "c": 4}


def peers(*names, activation=None):
    keras.utils.set_random_seed(0)
    return [perceptron(UNITS[name], name, activation) for name in names]


def soft(teacher, student, temperature):
    """The Kullback-Leibler divergence of a batch by hand, for logits."""
    teacher, student = tf.stop_gradient(teacher) / temperature, student / temperature
    difference = tf.nn.log_softmax(teacher) - tf.nn.log_softmax(student)
    return temperature**2 * tf.reduce_sum(tf.nn.softmax(teacher) * difference, -1)


def by_hand(models, optimizers, temperature=1.0, alpha=0.5, hints=None):
    """A step of a loop for each peer; all read what the others said before it."""
    said = [model(VECTORS) for model in models]
    hidden = [keras.Model(model.input, model.get_layer("hidden").output)(VECTORS) for model in models]
    changes = []
    for i, model in enumerate(models):
        with tf.GradientTape() as tape:
            others = [j for j in range(len(models)) if j != i]
            logits = model(VECTORS, training=True)
            loss = alpha * cross_entropy()(CLASSES, logits, WEIGHTS)
            for j in others:
                value = soft(said[j], logits, temperature) * WEIGHTS
                loss += (1 - alpha) * tf.reduce_mean(value) / len(others)
            weights = list(model.trainable_weights)
            if hints:
                own = keras.Model(model.input, model.get_layer("hidden").output)(VECTORS)
                gap = tf.reduce_mean((hidden[1 - i] - hints[i](own)) ** 2, -1) * WEIGHTS
                loss += 0.25 * tf.reduce_mean(gap)
                weights += hints[i].trainable_weights
        changes.append((tape.gradient(loss, weights), weights))
    for optimizer, (gradients, weights) in zip(optimizers, changes, strict=True):
        optimizer.apply_gradients(zip(gradients, weights, strict=True))


def train(mutual, optimizer, epochs=3):
    mutual.compile(optimizer, loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    data = {"x": VECTORS, "y": CLASSES, "sample_weight": WEIGHTS}
    return mutual.fit(**data, batch_size=24, epochs=epochs, verbose=0).history


@pytest.mark.parametrize(
    ("names", "optimizer", "blend"),
    [
        ("ab", lambda: keras.optimizers.SGD(0.1, momentum=0.9), {}),
        pytest.param(
            *("abc", lambda: keras.optimizers.Adam(0.01), {"temperature": 3.0, "alpha": 0.2}),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_is_a_loop_for_each_peer(names, optimizer, blend):
    together, alone = peers(*names), peers(*names)
    train(kd.Mutual(together, **blend), optimizer())
    optimizers = [optimizer() for _ in alone]
    for _ in range(3):
        by_hand(alone, optimizers, **blend)
    for one, other in zip(together, alone, strict=True):
        assert distance(weights_of(one), weights_of(other)) < 1e-6


def test_objectives_read_the_layers_of_peers():
    """Half the labels, half the soft targets, and hidden layers of other widths, by a schedule."""
    objectives = [
        kd.Objective(kd.losses.SoftTargets(2.0), weight=0.5),
        kd.Objective("mse", student="hidden", teacher="hidden", project=True, weight=lambda step: 0.25),
    ]
    together, alone = peers("a", "b"), peers("a", "b")
    mutual = kd.Mutual(together, objectives)
    hints = []
    for own, width in ((2, 7), (3, 5)):  # what stands after the soft targets of a and b
        hints.append(keras.layers.Dense(width))
        hints[-1].build((None, 12 - width))
        hints[-1].set_weights(mutual.objectives[own].projection.get_weights())
    mutual.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), loss_weights=0.5, run_eagerly=True)
    mutual.fit(VECTORS, CLASSES, sample_weight=WEIGHTS, batch_size=24, epochs=2, verbose=0)
    optimizers = [keras.optimizers.SGD(0.1) for _ in alone]
    for _ in range(2):
        by_hand(alone, optimizers, temperature=2.0, hints=hints)
    for one, other in zip(together, alone, strict=True):
        assert distance(weights_of(one), weights_of(other)) < 1e-6


def test_peers_may_end_in_a_softmax():
    """The same weights give the same soft targets, before the softmax and after it."""
    values = []
    for activation in (None, "softmax"):
        mutual = kd.Mutual(peers("a", "b", activation=activation))
        values.append(mutual.compute_objectives(VECTORS).values)
    assert values[0].keys() == values[1].keys() == {"a_soft_targets_from_b", "b_soft_targets_from_a"}
    np.testing.assert_allclose(*(list(map(float, each.values())) for each in values), rtol=1e-5)


@pytest.mark.slow
def test_everything_goes_by_the_names_of_peers(tmp_path):
    mutual = kd.Mutual(
        peers("a", "b"),
        [
            kd.losses.SoftTargets(1.0),
            kd.Objective("mse", student="hidden", teacher="hidden", project=True),
            kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels"), name="decoupled"),
            kd.Objective(
                "mse", student="output", teacher="hidden", from_student=True, project=True, name="own"
            ),
        ],
    )
    history = train(mutual, "adam", epochs=1)
    pairs = [
        f"{a}_{term}_from_{b}"
        for a, b in ("ab", "ba")
        for term in ("soft_targets", "mse_hidden", "decoupled")
    ]
    of_each = [f"{a}_{what}" for a in "ab" for what in ("accuracy", "loss", "own")]
    assert sorted(history) == sorted(["loss", "student_loss", *of_each, *pairs])
    scores = mutual.evaluate(VECTORS, CLASSES, verbose=0, return_dict=True)
    assert sorted(scores) == ["a_accuracy", "a_loss", "b_accuracy", "b_loss", "loss"]
    said = mutual.predict(VECTORS, verbose=0)
    for name in "ab":
        np.testing.assert_allclose(said[name], mutual.peer(name)(VECTORS), atol=1e-6)
        expected = float(cross_entropy()(CLASSES, said[name]))
        assert scores[f"{name}_loss"] == pytest.approx(expected, abs=1e-5)
    mutual.save(tmp_path / "mutual.keras")
    loaded = keras.models.load_model(tmp_path / "mutual.keras")
    assert [term.name for term in loaded.objectives] == [term.name for term in mutual.objectives]
    assert distance(weights_of(mutual), weights_of(loaded)) == 0
    histories = [train_on(model) for model in (mutual, loaded)]
    assert histories[0] == pytest.approx(histories[1], abs=1e-6)


def train_on(model):
    return model.train_on_batch(VECTORS, CLASSES, return_dict=True)


def test_errors_come_before_training():
    mutual = kd.Mutual(peers("a", "b"))
    mutual.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match="holds the label 7, and the student has 3 classes"):
        mutual.fit(VECTORS, np.full(24, 7), verbose=0)
    with pytest.raises(ValueError, match="No tap 'a/hiden'"):
        kd.Mutual(peers("a", "b"), [kd.Objective("mse", student="hiden", teacher="hidden")])
    with pytest.raises(ValueError, match=r"hidden' \(None, 5\).*hidden' \(None, 7\)"):
        kd.Mutual(peers("a", "b"), [kd.Objective("mse", student="hidden", teacher="hidden")])
    with pytest.raises(ValueError, match="belong to the blend"):
        kd.Mutual(peers("a", "b"), ["mse"], temperature=2.0)

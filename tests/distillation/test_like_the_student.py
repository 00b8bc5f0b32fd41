"""What a student does alone, it does in a Distiller: names of outputs, structures, metrics, odd inputs."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of

layers, ops = keras.layers, keras.ops
R = np.random.default_rng(0)
A = R.normal(size=(24, 3)).astype("float32")
B = R.normal(size=(24, 5)).astype("float32")
Y = R.integers(0, 3, 24)
SIZE = R.normal(size=(24, 1)).astype("float32")


def zero(tap="output", loss="mse"):
    return [kd.Objective(loss, student=tap, teacher=tap, weight=0.0, name="zero")]


def compare(make, data, options, objectives, eager=False):
    """The student alone, and in a distiller whose objectives have no weight."""
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(1)
        student = make()
        model = kd.Distiller(student, make(), objectives) if distil else student
        model.compile(keras.optimizers.SGD(1e-3), run_eagerly=eager, **options)
        logs = model.fit(**data, batch_size=8, epochs=1 if eager else 2, shuffle=False, verbose=0).history
        results.append((weights_of(student), logs))
    assert distance(results[0][0], results[1][0]) == 0
    assert {name: results[1][1].get(name) for name in results[0][1]} == results[0][1]


def two_outputs(structure):
    inputs = keras.Input((3,))
    x = layers.Dense(4, "relu")(inputs)
    return keras.Model(inputs, structure(layers.Dense(3, name="a")(x), layers.Dense(3, name="b")(x)))


def as_list(a, b):
    return [a, b]


@pytest.mark.slow
def test_labels_losses_and_metrics_by_name_for_a_list_of_outputs():
    by_name = {
        "loss": {"a": cross_entropy(), "b": cross_entropy()},
        "loss_weights": {"a": 0.5, "b": 2.0},
        "metrics": {"a": ["accuracy"]},
    }
    compare(lambda: two_outputs(as_list), {"x": A, "y": {"a": Y, "b": Y}}, by_name, zero("output/0"))


@pytest.mark.slow
def test_logs_of_a_list_of_outputs_have_the_names_of_plain_keras():
    both = {"loss": [cross_entropy(), cross_entropy()], "metrics": [["accuracy"], ["accuracy"]]}
    compare(lambda: two_outputs(as_list), {"x": A, "y": [Y, (Y + 1) % 3]}, both, zero("output/0"))


@pytest.mark.slow
def test_a_dict_of_data_for_a_model_with_a_list_of_inputs():
    def make():
        a, b = keras.Input((3,), name="a"), keras.Input((5,), name="b")
        return keras.Model([b, a], layers.Dense(3)(layers.Concatenate()([a, b])))

    compare(make, {"x": {"a": A, "b": B}, "y": Y}, {"loss": cross_entropy()}, zero(), eager=True)


@pytest.mark.parametrize("dtype", ["int64", pytest.param("int32", marks=pytest.mark.slow)])
def test_integers_that_are_no_classes(dtype):
    def gaussian(y, p):
        return 0.5 * p[:, 1:] + 0.5 * (ops.cast(y, "float32") - p[:, :1]) ** 2 * ops.exp(-p[:, 1:])

    def make():
        inputs = keras.Input((3,))
        return keras.Model(inputs, layers.Dense(2)(inputs))

    ages = R.integers(18, 80, (24, 1)).astype(dtype)
    compare(make, {"x": A, "y": ages}, {"loss": gaussian}, zero(), eager=True)


@pytest.mark.slow
def test_metrics_of_a_subclassed_student():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.head, self.size = layers.Dense(3), keras.metrics.Mean(name="size")

        def call(self, x):
            self.size.update_state(ops.mean(ops.abs(x)))
            return self.head(x)

    net = Net()
    net(A)
    inputs = keras.Input((3,))
    distiller = kd.Distiller(net, keras.Model(inputs, layers.Dense(3)(inputs)), zero())
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert "size" in distiller.fit(A, Y, epochs=2, verbose=0).history


@pytest.mark.slow
def test_nested_outputs_are_taps():
    def make():
        inputs = keras.Input((3,))
        heads = {
            "heads": {"a": layers.Dense(3, name="a")(inputs), "b": layers.Dense(3, name="b")(inputs)},
            "c": [layers.Dense(1, name="c")(inputs)],
        }
        return keras.Model(inputs, heads)

    loss = {"loss": {"heads": {"a": cross_entropy(), "b": cross_entropy()}, "c": ["mse"]}}
    data = {"x": A, "y": {"heads": {"a": Y, "b": Y}, "c": [SIZE]}}
    compare(make, data, loss, [*zero("output/heads/a")])


@pytest.mark.slow
def test_weights_by_name_for_the_only_output():
    def make():
        inputs = keras.Input((3,))
        return keras.Model(inputs, {"digit": layers.Dense(3)(inputs)})

    data = {"x": A, "y": {"digit": Y}, "sample_weight": {"digit": np.ones(24, "float32")}}
    compare(make, data, {"loss": {"digit": cross_entropy()}}, zero())


def test_an_optional_input():
    class First(layers.Layer):
        def call(self, a, b=None):
            return a

    def make():
        a, b = keras.Input((3,), name="a"), keras.Input((5,), name="b", optional=True)
        return keras.Model({"a": a, "b": b}, layers.Dense(3)(First()(a, b)))

    compare(make, {"x": {"a": A, "b": None}, "y": Y}, {"loss": cross_entropy()}, zero(), eager=True)


def test_string_inputs_and_a_hidden_softmax():
    def make():
        inputs = keras.Input((1,), dtype="string")
        x = layers.Hashing(8, output_mode="one_hot")(inputs)
        return keras.Model(
            inputs, layers.Average()([layers.Dense(3, "softmax")(x), layers.Dense(3, "softmax")(x)])
        )

    kd.Distiller(make(), make())


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_nothing_to_train():
    def make():
        inputs = keras.Input((3,))
        model = keras.Model(inputs, layers.Dense(3)(layers.BatchNormalization()(inputs)))
        model.trainable = False
        return model

    compare(make, {"x": A, "y": Y}, {"loss": cross_entropy()}, zero(), eager=True)

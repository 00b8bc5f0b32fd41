"""What outputs are for, as their labels say, and how right they are."""

import zipfile

import keras
import numpy as np
import pytest

from keras_kd.jobs.tasks import Task, find_tasks


def model(units, activation=None, shape=(4,)):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation)(inputs))


def heads(as_dict):
    inputs = keras.Input((4,))
    layer = "layer_of_" if as_dict else ""  # of a dict, its keys are the names
    kind = keras.layers.Dense(3, activation="softmax", name=f"{layer}kind")(inputs)
    age = keras.layers.Dense(1, name=f"{layer}age")(inputs)
    return keras.Model(inputs, {"kind": kind, "age": age} if as_dict else [kind, age])


CLASSES = np.array([0, 1, 2, 1])
BINARY = np.array([0, 1, 1, 0])
SEVERAL = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0]])
NUMBERS = np.array([0.5, 1.25, -3.0, 2.0], "float32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]


@pytest.mark.parametrize(
    ("made", "labels", "kind"),
    [
        (model(3), CLASSES, "classes"),
        (model(3, "softmax"), CLASSES[:, None], "classes"),
        (model(3, shape=(7, 4)), np.zeros((4, 7), int), "classes"),
        (model(3), ONE_HOT, "one-hot"),
        (model(3, "sigmoid"), ONE_HOT, "answers"),
        (model(3), SEVERAL, "answers"),
        (model(3), SEVERAL.astype("float32"), "answers"),
        (model(1), BINARY, "answers"),
        (model(1, "sigmoid"), BINARY.astype("float32")[:, None], "answers"),
        (model(1), BINARY.astype("float32"), "numbers"),
        (model(1), NUMBERS, "numbers"),
        (model(1), CLASSES, "numbers"),
        (model(2), np.stack([NUMBERS, NUMBERS], 1), "numbers"),
    ],
)
def test_the_kind_of_labels(made, labels, kind):
    [task] = find_tasks(made, labels)
    assert (task.kind, task.tap, task.name) == (kind, "output", None)


@pytest.mark.parametrize(("as_dict", "taps"), [(True, ("kind", "age")), (False, ("0", "1"))])
def test_several_outputs(as_dict, taps):
    tasks = find_tasks(heads(as_dict), {"age": NUMBERS, "kind": CLASSES})
    assert [(task.name, task.kind) for task in tasks] == [("kind", "classes"), ("age", "numbers")]
    assert tuple(task.tap for task in tasks) == tuple(f"output/{tap}" for tap in taps)


@pytest.mark.parametrize(
    ("made", "labels", "message"),
    [
        (
            model(3),
            np.array([0, 3]),
            "class numbers up to 3, so the models need one score per class, 4 units",
        ),
        (
            model(3),
            NUMBERS,
            r"the shape \(\) each, of type float32, and the output \(3,\). Expected class numbers",
        ),
        (heads(True), CLASSES, r"each output of the model \(.*\). Received one array"),
        (heads(True), {"kind": CLASSES}, "Received those of kind"),
        (model(3), {"a": CLASSES, "b": CLASSES}, "one output, but the data has labels for a, b"),
    ],
)
def test_labels_that_fit_no_output(made, labels, message):
    with pytest.raises(ValueError, match=message):
        find_tasks(made, labels)


LOGITS = np.array([[2.0, 1.0, -1.0], [-1.0, 1.0, 3.0]])


@pytest.mark.parametrize(
    ("kind", "labels", "activation", "scores"),
    [
        ("classes", np.array([0, 1]), None, [1, 0]),
        ("classes", np.array([[0], [2]]), None, [1, 1]),
        ("one-hot", np.eye(3)[[0, 1]], None, [1, 0]),
        ("answers", np.array([[1, 1, 1], [0, 1, 1]]), None, [2 / 3, 1]),
        ("answers", np.array([[1, 1, 1], [1, 1, 1]]), "sigmoid", [2 / 3, 2 / 3]),
        ("numbers", np.array([[2.0, 1.0, -1.0], [-1.0, 1.0, 0.0]]), None, [0, -1]),
    ],
)
def test_scores(kind, labels, activation, scores):
    np.testing.assert_allclose(Task(kind).scores(LOGITS, labels, activation), scores)


@pytest.mark.parametrize(
    ("units", "labels"),
    [(3, CLASSES), (3, CLASSES[:, None]), (3, ONE_HOT), (3, SEVERAL), (1, BINARY), (1, NUMBERS)],
    ids=["classes", "classes in rows", "one-hot", "answers", "one answer", "numbers"],
)
def test_a_model_that_was_trained_so_is_saved_for_keras_alone(units, labels, tmp_path):
    made, x = model(units), np.random.default_rng(0).normal(size=(4, 4))
    [task] = find_tasks(made, labels)
    made.compile("adam", loss=task.hard_loss(None), weighted_metrics=task.metrics(None))
    made.fit(x, labels, sample_weight=np.ones(4), verbose=0)
    made.save(tmp_path / "made.keras")
    assert "keras_kd" not in zipfile.ZipFile(tmp_path / "made.keras").read("config.json").decode()
    loaded = keras.models.load_model(tmp_path / "made.keras")
    found = loaded.evaluate(x, labels, verbose=0, return_dict=True)
    assert found == pytest.approx(made.evaluate(x, labels, verbose=0, return_dict=True))
    assert found["label_loss"] == pytest.approx(found["loss"], rel=1e-5)


def test_scores_of_maps_are_means_over_positions():
    outputs = np.eye(3)[np.array([[0, 1], [2, 2]])]
    np.testing.assert_allclose(Task("classes").scores(outputs, np.array([[0, 0], [2, 2]]), None), [0.5, 1])


@pytest.mark.parametrize("kind", ["classes", "one-hot", "answers", "numbers"])
@pytest.mark.parametrize("activated", [False, True])
def test_losses_and_metrics_agree_with_the_scores(kind, activated):
    """A perfect model has no loss against its labels, none against itself, and the best metric."""
    labels = {"classes": CLASSES, "one-hot": ONE_HOT, "answers": SEVERAL, "numbers": ONE_HOT}[kind]
    perfect = 40.0 * ((SEVERAL if kind == "answers" else ONE_HOT) - 0.5)
    outputs, activation = perfect.astype("float32"), None
    if kind == "numbers":
        outputs = ONE_HOT
    elif activated:
        activation = "sigmoid" if kind == "answers" else "softmax"
        outputs = np.asarray(keras.activations.get(activation)(outputs))
    task = Task(kind)
    assert float(task.hard_loss(activation)(labels, outputs)) == pytest.approx(0, abs=1e-4)
    metric = task.metric(activation)
    metric.update_state(labels, outputs)
    assert float(metric.result()) == (0 if kind == "numbers" else 1)
    assert task.scores(outputs, labels, activation).mean() == (0 if kind == "numbers" else 1)
    _, label_loss = task.metrics(activation)
    label_loss.update_state(labels, outputs[::-1], np.array([1.0, 0.0, 2.0, 1.0]))
    weighted = task.hard_loss(activation)(labels, outputs[::-1], np.array([1.0, 0.0, 2.0, 1.0]))
    assert float(label_loss.result()) == pytest.approx(float(weighted), rel=1e-5)
    if not activated:
        assert float(task.soft_loss(2.0)(outputs, outputs)) == pytest.approx(0, abs=1e-5)

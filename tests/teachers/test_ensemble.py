"""`kd.ensemble`, as its users see it: taps, training, files, several outputs."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, one_step
from tests.oracles.row import log_softmax, softmax
from tests.teachers.conftest import X, answers, classifier

Y = np.arange(6) % 3


def student():
    return classifier("student")


def test_members_of_every_kind_and_an_objective_for_each():
    import tf_keras

    old = tf_keras.Sequential(
        [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, "softmax", name="head")], name="old"
    )
    members = [classifier("a", scale=3.0), classifier("a", "softmax"), old]
    teacher = kd.ensemble(members, weights=[2, 1, 1])
    logits = [answers(members[0]), np.log(answers(members[1])), np.log(np.asarray(old(X), "float64"))]
    mean = np.log(sum(w * softmax(z) for w, z in zip([0.5, 0.25, 0.25], logits, strict=True)))
    np.testing.assert_allclose(answers(teacher), mean, atol=1e-5)
    assert "a/hidden" in kd.tap_names(teacher)
    names = "a", "a_1", "old"
    objectives = [
        kd.Objective(kd.losses.SoftTargets(1.0), name="mean"),
        *(kd.Objective(kd.losses.SoftTargets(1.0), teacher=name, name=name) for name in names),
        kd.Objective("mse", student="hidden", teacher="a_1/hidden", name="features"),
        kd.Objective("mse", student="head", teacher="old/head", name="probabilities"),
    ]
    pupil = student()
    logs = one_step(kd.Distiller(pupil, teacher, objectives), X)
    of_student = log_softmax(answers(pupil))
    for name, z in zip(("mean", *names), (mean, *logits), strict=True):
        log = log_softmax(z)
        kl = (np.exp(log) * (log - of_student)).sum(-1).mean()
        assert logs[name] == pytest.approx(kl, rel=1e-4)
    hidden = [np.asarray(m.get_layer("hidden")(X)) for m in (members[1], pupil)]
    assert logs["features"] == pytest.approx(((hidden[0] - hidden[1]) ** 2).mean(), rel=1e-4)


def test_the_disagreement_weighs_samples():
    class Agreed(kd.losses.SignalLoss):
        """Soft targets, less of them where the members are apart."""

        reads_logits = True
        teacher_signals = (2, 2)

        def call(self, teacher, student):
            logits, spread = teacher
            return kd.losses.SoftTargets().call(logits, student) * keras.ops.exp(-spread)

    members = [classifier("a", scale=3.0), classifier("b", scale=3.0)]
    teacher = kd.ensemble(members)
    objective = kd.Objective(Agreed(), teacher=("output", "disagreement"), name="agreed")
    pupil = student()
    logs = one_step(kd.Distiller(pupil, teacher, [objective]), X)
    p = [softmax(answers(member)) for member in members]
    mean = (p[0] + p[1]) / 2
    spread = np.mean([(q * np.log(q / mean)).sum(-1) for q in p], axis=0)
    values = kd.losses.SoftTargets(reduction=None)(np.log(mean), answers(pupil))
    assert logs["agreed"] == pytest.approx(np.mean(values * np.exp(-spread)), rel=1e-4)


@pytest.mark.slow
def test_learned_weights_find_the_better_member_and_leave_it_alone():
    good, bad = classifier("good", scale=3.0), classifier("bad", scale=3.0)
    labels = answers(good).argmax(-1)
    teacher = kd.ensemble([good, bad], weights="learned")
    assert [v.path.split("/")[-1] for v in teacher.trainable_variables] == ["scores"]
    of_members = len(good.weights) + len(bad.weights)
    assert len(teacher.non_trainable_variables) == len(teacher.non_trainable_weights) == of_members
    before = good.get_weights() + bad.get_weights()
    teacher.compile(keras.optimizers.AdamW(0.3, weight_decay=0.1), loss=cross_entropy())
    losses = teacher.fit(X, labels, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    weights = np.asarray(keras.ops.softmax(teacher.get_layer("average").scores))
    assert weights[0] > 0.8
    after = good.get_weights() + bad.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert good.trainable
    assert good.trainable_variables


def test_an_ensemble_without_learned_weights_has_nothing_to_train():
    teacher = kd.ensemble([classifier("a"), classifier("b")])
    assert teacher.trainable_variables == []


def test_files(tmp_path):
    members = {"a": classifier("a"), "b": classifier("b", units=2)}
    resizing = keras.layers.Rescaling(0.5)
    teacher = kd.ensemble(
        members, "learned", classes={"b": [2, 0]}, preprocess={"a": resizing}, inputs=(4,), name="both"
    )
    teacher.get_layer("average").scores.assign([1.0, -1.0])
    teacher.save(tmp_path / "both.keras")
    loaded = keras.models.load_model(tmp_path / "both.keras")
    assert loaded.name == "both"
    assert [w.path.split("/")[-1] for w in loaded.trainable_variables] == ["scores"]
    assert kd.tap_names(loaded) == kd.tap_names(teacher)
    np.testing.assert_allclose(answers(loaded), answers(teacher), atol=1e-6)


def test_teachers_of_some_classes():
    low, high = classifier("low", "softmax", units=2), classifier("high", units=3)
    teacher = kd.ensemble([low, high], classes=[[0, 1], [2, 3, 4]])
    p = softmax(answers(teacher))
    assert p.shape == (6, 5)
    np.testing.assert_allclose(p[:, :2], answers(low) / 2, atol=1e-6)
    np.testing.assert_allclose(p[:, 2:], softmax(answers(high)) / 2, atol=1e-6)
    logs = one_step(kd.Distiller(classifier("student", units=5), teacher), X)
    assert np.isfinite(logs["soft_targets"])


def test_several_outputs_and_members_with_inputs_of_their_own():
    def two(name, size):
        inputs = keras.Input((size,), name=f"in_{size}")
        outputs = {
            "kind": keras.layers.Dense(3, "softmax", name="kind")(inputs),
            "size": keras.layers.Dense(1, name="size")(inputs),
        }
        return keras.Model(inputs, outputs, name=name)

    a, b = two("a", 4), two("b", 2)
    teacher = kd.ensemble([a, b], average={"size": "values"}, preprocess={"b": lambda x: x[:, ::2]})
    found, of_a, of_b = answers(teacher), answers(a), answers(b, X[:, ::2])
    np.testing.assert_allclose(found["kind"], np.log((of_a["kind"] + of_b["kind"]) / 2), atol=1e-5)
    np.testing.assert_allclose(found["size"], (of_a["size"] + of_b["size"]) / 2, atol=1e-6)
    names = kd.tap_names(teacher)
    assert {"disagreement_kind", "disagreement_size", "a/kind", "b/size"} <= set(names)
    data = {"in_4": keras.Input((4,), name="in_4"), "in_2": keras.Input((2,), name="in_2")}
    by_name = kd.ensemble([a, b], average={"size": "values"}, inputs=data)
    found = answers(by_name, {"in_4": X, "in_2": X[:, ::2]})
    np.testing.assert_allclose(found["size"], (of_a["size"] + of_b["size"]) / 2, atol=1e-6)


def test_labels_of_sigmoids():
    a, b = classifier("a", "sigmoid"), classifier("b", "sigmoid")
    mean = (answers(a) + answers(b)) / 2
    found = 1 / (1 + np.exp(-answers(kd.ensemble([a, b]))))
    np.testing.assert_allclose(found, mean, atol=1e-6)
    distiller = kd.Distiller(classifier("s", "sigmoid"), kd.ensemble([a, b]), ["binary_soft_targets"])
    assert np.isfinite(one_step(distiller, X)["binary_soft_targets"])

"""`kd.Cluster` while training: as few values as were asked for, after every step, and nothing else."""

import contextlib
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.compression.kernel_constraint import constraints_of
from tests.compression.pruning.test_prune import (
    STEPS,
    WAYS,
    Bomb,
    Interrupted,
    X,
    Y,
    check_resumed,
    compiled,
    cross_entropy,
    fit,
    kernels,
    lr,
    network,
)
from tests.graphs.topologies import TOPOLOGIES


class Watch(keras.callbacks.Callback):
    """After each step from `begin` on: few values in each kernel, and the same weights share them."""

    def __init__(self, most, begin=1, reassign=False):
        super().__init__()
        self.most, self.begin, self.values, self.step, self.reassign = most, begin, [], 0, reassign

    def on_train_batch_end(self, batch, logs=None):
        self.step += self.model.steps_per_execution
        found = kernels(getattr(self.model, "student", self.model))
        found = {path: np.asarray(value, "float32") for path, value in found.items()}
        if self.step < self.begin:
            return
        for path, value in found.items():
            assert len(np.unique(value)) <= self.most, path
            if self.values and not self.reassign:
                shared = np.unique(self.values[-1][path], return_inverse=True)[1].ravel()
                first = np.unique(shared, return_index=True)[1]
                np.testing.assert_array_equal(value.ravel(), value.ravel()[first[shared]], err_msg=path)
        self.values.append(found)


def counts(model):
    return {kernel.layer: kernel.distinct for kernel in kd.sparsity(model).kernels}


def is_clean(model):
    return not any(list(constraints_of(variable)) for variable in model.trainable_variables)


DISTILLED = "plain", "steps_per_execution, gradient accumulation", "float16, averages"
CASES = [pytest.param(way, id=way, marks=[pytest.mark.slow] if way != "plain" else []) for way in WAYS]


@pytest.mark.parametrize("way", CASES)
def test_weights_of_a_cluster_are_equal_after_every_step_and_move(way):
    options = dict(WAYS[way])
    policy, optimizer = options.pop("policy", "float32"), options.pop("optimizer", lambda: None)()
    keras.config.set_dtype_policy(policy)
    try:
        student = network()
        model = kd.Distiller(student, network(1, name="teacher")) if way in DISTILLED else student
    finally:
        keras.config.set_dtype_policy("float32")
    compiled(model, optimizer, **options)
    before = kernels(student)
    watch = Watch(5)
    fit(model, kd.Cluster(5), watch, epochs=2)
    assert counts(student) == {"conv": 5, "hidden": 5, "head": 5}
    first, last = watch.values[0], watch.values[-1]
    for path, value in before.items():
        assert not np.array_equal(first[path], last[path])
        assert np.corrcoef(np.asarray(value, "float32").ravel(), last[path].ravel())[0, 1] > 0.8
    assert is_clean(student)


# With accumulated gradients there are too few steps.
CHANGING = [
    pytest.param(w, marks=[pytest.mark.slow] if w != "plain" else []) for w in WAYS if "accum" not in w
]


@pytest.mark.parametrize("way", CHANGING)
def test_weights_change_clusters_and_their_values_stay_few_after_every_step(way):
    options = dict(WAYS[way])
    policy, optimizer = options.pop("policy", "float32"), options.pop("optimizer", lambda: None)()
    keras.config.set_dtype_policy(policy)
    try:
        model = with_zeros(network())
    finally:
        keras.config.set_dtype_policy("float32")
    compiled(model, optimizer, built=way != "plain", **options)
    before, watch = kernels(model), Watch(3, reassign=True)
    fit(model, kd.Cluster(3, reassign=True), watch, epochs=2)
    changed = []
    for path, value in kernels(model).items():
        value, start = np.asarray(value, "float32"), np.asarray(before[path], "float32")
        assert (value[start == 0] == 0).all()
        assert len(np.unique(value)) <= 3
        first, last = (np.unique(v, return_inverse=True)[1] for v in (watch.values[0][path], value))
        changed.append(not np.array_equal(first, last))
    assert any(changed)
    assert is_clean(model)


@pytest.mark.slow
@pytest.mark.parametrize("per", ["layer", "channel"])
def test_weights_that_change_clusters_are_pruned_and_restored(per):
    """They are those of the best epoch, whose clusters are not those of the last."""
    model, seen = compiled(network()), []
    best = keras.callbacks.EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True)
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(kernels(model)))
    prune = kd.Prune(0.5, end=4, frequency=2)
    fit(model, prune, note, best, kd.Cluster(4, per=per, begin=6, reassign=True), epochs=3)
    for path, value in kernels(model).items():
        np.testing.assert_array_equal(value, seen[0][path])
        assert (value == 0).mean() >= 0.5
        for column in value.reshape(-1, value.shape[-1]).T if per == "channel" else [value]:
            assert len(np.unique(column)) <= 4


def distinct_by_output(value):
    return {len(np.unique(column)) for column in value.reshape(-1, value.shape[-1]).T}


@pytest.mark.parametrize("initial", ["kmeans++", "linear", "density"])
def test_each_channel_has_values_of_its_own(initial):
    model = compiled(network(), keras.optimizers.SGD(0.1), run_eagerly=True)
    fit(model, kd.Cluster(3, per="channel", initial=initial), epochs=1, x=X[:16], y=Y[:16])
    for layer in ("conv", "hidden", "head"):
        assert distinct_by_output(model.get_layer(layer).kernel.numpy()) <= {2, 3}
    assert counts(model)["conv"] > 3


def test_layers_have_the_clusters_that_a_mapping_gives_them():
    model = compiled(network(), keras.optimizers.SGD(0.1), run_eagerly=True)
    some = kd.Cluster(None, layers={"h*": 8, "head": 4})
    fit(model, some, epochs=1, x=X[:8], y=Y[:8])
    assert counts(model) == {"conv": 288, "hidden": 8, "head": 4}
    fit(model, kd.Cluster(6, layers={"head": 3}, skip="hidden"), epochs=1, x=X[:8], y=Y[:8])
    assert {layer: counts(model)[layer] for layer in ("conv", "head")} == {"conv": 6, "head": 3}
    assert counts(model)["hidden"] > 8  # it was trained without sharing


def test_small_kernels_are_left_alone():
    model = compiled(network(), keras.optimizers.SGD(0.0), run_eagerly=True)
    fit(model, kd.Cluster(24), epochs=1, x=X[:8], y=Y[:8])
    assert counts(model) == {"conv": 24, "hidden": 24, "head": 24}
    fit(model, kd.Cluster(23, per="channel", initial="linear"), epochs=1, x=X[:8], y=Y[:8])
    assert counts(model)["hidden"] == 24


def test_it_begins_when_it_is_told_to():
    model = compiled(network())
    watch, plain = Watch(4, begin=5), compiled(network())
    fit(model, kd.Cluster(4, begin=5), watch, epochs=1)
    assert len(watch.values) == STEPS - 4
    both = [kd.Cluster(4, begin=9), keras.callbacks.Callback()]
    model = compiled(network())
    with pytest.warns(UserWarning, match="has 8 steps, but kd.Cluster needs 9: nothing will be clustered"):
        fit(model, *both, epochs=1)
    fit(plain, epochs=1)
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


# ---- zeros


def with_zeros(model):
    for layer in ("conv", "hidden"):
        kernel = model.get_layer(layer).kernel
        kernel.assign(np.where(np.abs(kernel) < np.median(np.abs(kernel)), 0.0, kernel))
    return model


@pytest.mark.parametrize("initial", ["kmeans++", "linear", "density"])
def test_zeros_stay_zero_unless_they_are_not_to(initial):
    model = with_zeros(compiled(network(), keras.optimizers.SGD(0.1), run_eagerly=True))
    before = kernels(model)
    fit(model, kd.Cluster(5, initial=initial), Watch(5), epochs=1, x=X[:24], y=Y[:24])
    for path, value in kernels(model).items():
        assert (value[before[path] == 0] == 0).all()
        assert not np.signbit(value[value == 0]).any()
    assert (model.get_layer("head").kernel.numpy() != 0).all()  # it had no zeros
    model = with_zeros(compiled(network(), keras.optimizers.SGD(0.1), run_eagerly=True))
    fit(model, kd.Cluster(5, initial=initial, keep_zeros=False), epochs=1, x=X[:24], y=Y[:24])
    assert kd.sparsity(model).zeros == 0


ORDERS = {
    "ramp, then clusters": ({"sparsity": 0.5, "end": 6, "frequency": 2}, {"begin": 7}),
    "both at once": ({"sparsity": 0.5, "begin": 3, "end": 9, "frequency": 3}, {}),
    "clusters that keep no zeros": ({"sparsity": 0.5, "end": 6}, {"begin": 7, "keep_zeros": False}),
    "clusters of 2:4": ({"pattern": "2:4", "layers": ["conv", "hidden"]}, {"begin": 2}),
}


@pytest.mark.parametrize("first", [pytest.param("prune", marks=pytest.mark.slow), "cluster"])
@pytest.mark.parametrize(
    "order", [pytest.param(o, marks=[pytest.mark.slow] if o != "both at once" else []) for o in ORDERS]
)
def test_zeros_of_prune_stay_and_count_as_one_of_the_values(first, order):
    pruning, clustering = ORDERS[order]
    model = compiled(network(), lr(use_ema=True, ema_momentum=0.9)())
    callbacks = [kd.Prune(**pruning), kd.Cluster(5, **clustering)]
    zeros = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: zeros.append({p: v == 0 for p, v in kernels(model).items()})
    )
    watch = Watch(5, begin=1 + max(clustering.get("begin", 0), pruning.get("end", 2)))
    later = pytest.warns(UserWarning, match="zeros after kd.Cluster has begun.* List kd.Prune first")
    with later if "both" in order else contextlib.nullcontext():
        fit(model, *(callbacks if first == "prune" else callbacks[::-1]), watch, note, epochs=2)
    for path, value in kernels(model).items():
        assert len(np.unique(value)) <= 5
        assert all((now[path] >= then[path]).all() for then, now in itertools.pairwise(zeros))
        if "head" not in path or "layers" not in pruning:
            # Weights that are equal are pruned together or, while that would be too many, not at all.
            assert (value == 0).mean() >= (0.2 if "both" in order else 0.5)
    assert watch.values
    assert is_clean(model)


# ---- nothing remains


def test_constraints_of_the_user_are_applied_and_put_back_and_the_file_is_plain(tmp_path):
    own = keras.constraints.NonNeg()
    model = compiled(network(constraint=own))
    fit(model, kd.Cluster(6), Watch(7), epochs=1)
    assert (model.get_layer("conv").kernel.numpy() >= 0).all()
    assert model.get_layer("conv").kernel.constraint is own
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert kd.sparsity(loaded) == kd.sparsity(model)


@pytest.mark.slow
def test_training_again_keeps_the_clusters_and_training_without_is_plain():
    model = compiled(network())
    cluster = kd.Cluster(4)
    fit(model, cluster, epochs=1)
    before = kernels(model)
    fit(model, cluster, Watch(4), epochs=1)
    for path, value in kernels(model).items():
        groups = [np.unique(found, return_inverse=True)[1] for found in (before[path], value)]
        assert len({*zip(*(g.ravel() for g in groups), strict=True)}) == 4  # the same ones
    fit(model, epochs=1)
    assert min(counts(model).values()) > 4


@pytest.mark.slow
def test_a_model_of_an_interrupted_training_can_be_clustered_or_pruned_again():
    constraint = keras.constraints.MaxNorm(2.0)
    for again in (kd.Cluster(4), kd.Prune("keep"), kd.Cluster(3, layers="head")):
        model = with_zeros(compiled(network(constraint=constraint)))
        with pytest.raises(Interrupted):
            fit(model, kd.Cluster(5), kd.Prune("keep"), Bomb(0, 0))
        fit(model, again, epochs=1)
        assert model.get_layer("conv").kernel.constraint is constraint
        assert is_clean(model)


@pytest.mark.slow
def test_two_of_them_cluster_what_each_names():
    model = compiled(network())
    fit(model, kd.Cluster(4, layers="conv"), kd.Cluster(3, layers="h*", per="channel"), epochs=1)
    assert counts(model)["conv"] == 4
    assert distinct_by_output(model.get_layer("head").kernel.numpy()) == {3}


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 2])
def test_weights_that_are_restored_at_the_end_are_clustered(epoch):
    model = compiled(network())
    best = keras.callbacks.EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True)
    fit(model, best, kd.Cluster(4, begin=9 * (epoch - 1)), epochs=3)
    assert counts(model) == {"conv": 4, "hidden": 4, "head": 4}


@pytest.mark.slow
def test_swapped_averages_are_clustered_too():
    seen = []
    model = network()
    note = keras.callbacks.LambdaCallback()
    note.on_test_end = lambda logs: seen.append(counts(model))
    compiled(model, keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.9))
    fit(model, keras.callbacks.SwapEMAWeights(), kd.Cluster(4), note, epochs=3, validation_data=(X, Y))
    assert seen == [{"conv": 4, "hidden": 4, "head": 4}] * 3


# ---- resuming


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "options", "kind"),
    [
        ((0, 6), {}, "model"),
        ((1, 3), {"per": "channel", "begin": 4}, "distiller"),
        ((0, 3), {"begin": 10}, "model"),
        ((1, 3), {"per": "channel", "begin": 4, "reassign": True}, "model"),
        ((0, 6), {"reassign": True}, "distiller"),
    ],
    ids=str,
)
def test_resumed_by_full_state_equals_uninterrupted(tmp_path, at, options, kind):
    check_resumed(tmp_path, at, lambda: kd.Cluster(4, **options), kind)


@pytest.mark.slow
@pytest.mark.parametrize("begin", [0, 4, 12])
def test_resumed_by_backup_and_restore_keeps_clusters_and_steps(tmp_path, begin):
    def callbacks(*more):
        return kd.Cluster(4, begin=begin), keras.callbacks.BackupAndRestore(tmp_path), *more

    whole = compiled(network())
    fit(whole, kd.Cluster(4, begin=begin), epochs=3)
    model = compiled(network(), built=False)
    with pytest.raises(Interrupted):
        fit(model, *callbacks(Bomb(1, 0)), epochs=3)
    model = compiled(network(), built=False)
    fit(model, *callbacks(), epochs=3)
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert counts(model) == {"conv": 4, "hidden": 4, "head": 4}


OTHERS = {"layers": ({"layers": ["conv"]}, {"layers": ["hidden"]}), "number": ({}, {"layers": ["conv"]})}
OTHERS["fewer"] = ({"clusters": 6}, {"clusters": 3})
OTHERS["more"] = ({"clusters": 3}, {"clusters": 6})


@pytest.mark.slow
@pytest.mark.parametrize("what", OTHERS)
def test_a_checkpoint_of_other_clusters_is_refused(tmp_path, what):
    other = pytest.raises(ValueError, match="clusters of the checkpoint belong to other weights")
    for options, expected in zip(OTHERS[what], (pytest.raises(Interrupted), other), strict=True):
        model = compiled(network(), run_eagerly=True)
        full, cluster = kd.FullState(tmp_path / "state.npz", save_freq=1), kd.Cluster(**options)
        full.watch([full, cluster], None)
        with expected:
            fit(model, full, cluster, Bomb(0, 3))


# ---- unusual trainings and models


@pytest.mark.parametrize("begin", [0, 3])
def test_cluster_in_a_loop_of_ones_own(begin):
    model, optimizer = network(), keras.optimizers.Adam(0.01)
    whole = kd.Distiller(model, network(1, name="teacher"))

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(cross_entropy()(y, model(x, training=True)))
        gradients = tape.gradient(loss, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))

    prune = kd.Prune(0.5, layers=["conv"], schedule="constant", frequency=1)
    callbacks = [prune, kd.Cluster(4, begin=begin)]
    for callback in callbacks:
        callback.set_model(whole)
        callback.on_train_begin()
    for number in range(5):
        for callback in callbacks:
            callback.on_train_batch_begin(number)
        step(X[:8], Y[:8])
    found = {k.layer: (k.distinct, k.zeros >= k.size // 2) for k in kd.sparsity(model).kernels}
    assert found == {"conv": (4, True), "hidden": (4, False), "head": (4, False)}
    for callback in callbacks:
        callback.on_train_end()
    assert is_clean(model)


@pytest.mark.slow
@pytest.mark.parametrize("reassign", [False, True])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_kind_of_graph(name, reassign):
    """One step of SGD at rate 0: nothing but the sharing changes."""
    model = TOPOLOGIES[name]()
    model.compile(keras.optimizers.SGD(0.0))
    cluster = kd.Cluster(2, keep_zeros=False, reassign=reassign)
    cluster.set_model(model)
    if all(kernel.size <= 2 for kernel in kd.sparsity(model).kernels):
        with pytest.raises(ValueError, match="more weights than clusters"):
            cluster.on_train_begin()
        return
    cluster.on_train_begin()
    cluster.on_train_batch_begin(0)
    variables = model.trainable_variables
    model.optimizer.apply([keras.ops.zeros_like(v) for v in variables], variables)
    cluster.on_train_end()
    chosen = [kernel.variable for kernel, _ in cluster._kernels]
    assert all(len(np.unique(variable)) == 2 for variable in chosen)
    assert is_clean(model)

"""`kd.Prune` while training: the zeros that were asked for, zero after every step, and nothing else."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.compression.pruning.mask_constraint import MaskConstraint
from tests.selection import rest_slow

random = np.random.default_rng(0)
X, Y = random.random((64, 8, 8, 4)).astype("float32"), random.integers(0, 3, 64)
STEPS = 8  # in an epoch


def network(seed=0, constraint=None, name="net"):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            keras.layers.Conv2D(8, 3, strides=2, use_bias=False, kernel_constraint=constraint, name="conv"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(8, activation="relu", kernel_constraint=constraint, name="hidden"),
            keras.layers.Dense(3, name="head"),
        ],
        name=name,
    )


def cross_entropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def fit(model, *callbacks, epochs=3, x=X, y=Y, **options):
    data = {"x": x} if y is None else {"x": x, "y": y, "batch_size": 8}
    options = {"callbacks": list(callbacks), "verbose": 0, "shuffle": False} | options
    return model.fit(**data, epochs=epochs, **options)


def compiled(model, optimizer=None, built=True, **options):
    """With `built=False` Keras makes the variables of the optimizer in a first trace, and traces again."""
    model.compile(optimizer or keras.optimizers.SGD(0.1, momentum=0.9), cross_entropy(), **options)
    if built:
        model.optimizer.build(model.trainable_variables)
    return model


def kernels(model):
    return {v.path: np.array(v) for v in model.trainable_variables if v.path.endswith("kernel")}


class Watch(keras.callbacks.Callback):
    """After each step: the zeros, which may only grow, and no negative zeros."""

    def __init__(self):
        super().__init__()
        self.zeros = []

    def on_train_batch_end(self, batch, logs=None):
        student = getattr(self.model, "student", self.model)
        found = {path: np.asarray(value, "float32") for path, value in kernels(student).items()}
        now = {path: value == 0 for path, value in found.items()}
        assert not any(np.signbit(value[value == 0]).any() for value in found.values())
        if self.zeros:
            lost = [path for path, zeros in self.zeros[-1].items() if (zeros & ~now[path]).any()]
            assert not lost, f"batch {batch}: {lost}"
        self.zeros.append(now)


def lr(**options):
    return lambda: keras.optimizers.AdamW(1e-2, weight_decay=0.1, **options)


# Each row traces a training; what does not depend on each other stands in one.
WAYS = {
    "plain": {},
    "averages": {"optimizer": lr(use_ema=True, ema_momentum=0.9)},
    "XLA, averages that overwrite": {
        "jit_compile": True,
        "optimizer": lr(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5),
    },
    "XLA, steps_per_execution, clipping": {
        "jit_compile": True,
        "steps_per_execution": 3,
        "optimizer": lr(global_clipnorm=0.1),
    },
    "steps_per_execution, gradient accumulation": {
        "steps_per_execution": 3,
        "optimizer": lr(gradient_accumulation_steps=3),
    },
    "eager, nesterov": {
        "run_eagerly": True,
        "optimizer": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    },
    "float16, averages": {"policy": "mixed_float16", "optimizer": lr(use_ema=True)},
    "bfloat16 weights": {"policy": "bfloat16"},
}
FAST = [("plain", "distiller")]
# The Distiller trains by a step of its own; what the optimizer does with constraints is the same in both.
DISTILLED = (
    "XLA, steps_per_execution, clipping",
    "steps_per_execution, gradient accumulation",
    "float16, averages",
)
PAIRS = [*FAST]
PAIRS += [(way, "distiller" if way in DISTILLED else "model") for way in WAYS if way not in dict(FAST)]
CASES = [
    pytest.param(*pair, id=", ".join(pair), marks=[] if pair in FAST else [pytest.mark.slow])
    for pair in PAIRS
]


@pytest.mark.parametrize(("way", "kind"), CASES)
def test_sparsity_is_reached_and_zeros_stay_zero(way, kind):
    options = dict(WAYS[way])
    policy, optimizer = options.pop("policy", "float32"), options.pop("optimizer", lambda: None)()
    keras.config.set_dtype_policy(policy)
    try:
        student = network()
        model = student if kind == "model" else kd.Distiller(student, network(1, name="teacher"))
    finally:
        keras.config.set_dtype_policy("float32")
    compiled(model, optimizer, built=False, **options)
    watch = Watch()
    history = fit(model, kd.Prune(0.75, begin=2, end=14, frequency=4), watch, epochs=2).history
    expected = {path: value.size - round(value.size * 0.25) for path, value in kernels(student).items()}
    assert {path: int((value == 0).sum()) for path, value in kernels(student).items()} == expected
    counts = [sum(z.sum() for z in zeros.values()) for zeros in watch.zeros]
    assert counts[0] < counts[-1]
    total = sum(value.size for value in kernels(student).values())
    assert history["sparsity"][-1] == pytest.approx(sum(expected.values()) / total)


PATTERNS = {
    "2:4": ({"pattern": "2:4", "skip": "head"}, "2:4"),
    "1:4": ({"pattern": "1:4", "skip": "head"}, "1:4"),
    "blocks": ({"sparsity": 0.5, "pattern": "1x4", "end": 8, "skip": ["head"]}, "1x4"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(p, marks=[pytest.mark.slow] if p != "2:4" else []) for p in PATTERNS]
)
def test_zeros_have_the_structure_of_the_pattern(name):
    options, structure = PATTERNS[name]
    model = compiled(network())
    fit(model, kd.Prune(**options), Watch(), epochs=1)
    found = {kernel.layer: kernel.structure for kernel in kd.sparsity(model).kernels}
    pruned = [layer for layer in found if layer not in options.get("skip", ())]
    assert all(structure in found[layer] for layer in pruned), found


def test_scope_global_prunes_small_weights_wherever_they_are():
    model = network()
    model.get_layer("hidden").kernel.assign(model.get_layer("hidden").kernel * 1e-5)
    compiled(model, keras.optimizers.SGD(0.0), run_eagerly=True)
    fit(model, kd.Prune(0.1, schedule="constant", scope="global"), epochs=1, x=X[:8], y=Y[:8])
    found = kd.sparsity(model)
    assert found.zeros == round(0.1 * found.size)
    assert {k.layer for k in found.kernels if k.zeros} == {"hidden"}


@pytest.mark.slow
def test_sparsity_by_layer():
    model = compiled(network())
    fit(model, kd.Prune(0.5, end=8, layers={"h*": 0.25, "head": 0.75}), epochs=2)
    found = {k.layer: k.fraction for k in kd.sparsity(model).kernels}
    assert found == {"conv": 0.5, "hidden": 0.25, "head": 0.75}


# ---- nothing remains


@pytest.mark.slow
def test_constraints_of_the_user_are_applied_and_nothing_remains_but_zeros(tmp_path):
    model = network()
    model.get_layer("conv").kernel.constraint = keras.constraints.UnitNorm(axis=[0, 1, 2])
    model.get_layer("hidden").kernel.constraint = keras.constraints.MaxNorm(2.0)
    compiled(model)
    names, count = [w.path for w in model.weights], len(model.layers)
    before = [v.constraint for v in model.trainable_variables]
    fit(model, kd.Prune(0.5, end=6, frequency=2), Watch(), epochs=1)
    kernel = np.array(model.get_layer("conv").kernel)
    np.testing.assert_allclose((kernel**2).sum((0, 1, 2)), 1, atol=1e-5)
    assert (kernel == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert ([w.path for w in model.weights], len(model.layers)) == (names, count)
    assert [v.constraint for v in model.trainable_variables] == before
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert kd.sparsity(loaded) == kd.sparsity(model)
    np.testing.assert_array_equal(loaded(X), model(X))


@pytest.mark.slow
def test_training_on_without_it_is_plain_training():
    pruned = compiled(network(), keras.optimizers.SGD(0.1))
    fit(pruned, kd.Prune(0.5, end=8), epochs=2)
    plain = compiled(network(), keras.optimizers.SGD(0.1))
    plain.set_weights(pruned.get_weights())
    for model in (pruned, plain):
        fit(model, epochs=1)
    for a, b in zip(pruned.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert kd.sparsity(pruned).fraction < 0.1


@pytest.mark.slow
def test_keep_holds_the_zeros_of_a_model_that_was_trained_without_and_with_prune():
    model = compiled(network())
    x, y = X[:32], Y[:32]
    fit(model, epochs=1, x=x, y=y)  # traces a step without masks
    fit(model, kd.Prune(0.5, end=4, frequency=1), Watch(), epochs=1, x=x, y=y)
    assert kd.sparsity(model).fraction == pytest.approx(0.5, abs=0.01)
    before = kernels(model)
    fit(model, kd.Prune("keep"), Watch(), epochs=1, x=x, y=y)
    after = kernels(model)
    assert all(np.array_equal(before[path] == 0, after[path] == 0) for path in before)
    assert not any(np.array_equal(before[path], after[path]) for path in before)


class Interrupted(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "layers"), [("polynomial", None), ("constant", ["head"])], ids=["all layers", "one layer"]
)
def test_a_model_of_an_interrupted_training_can_be_pruned_again(schedule, layers):
    """What is not pruned any more gets its own constraint back as well."""
    constraint = keras.constraints.MaxNorm(2.0)
    model = compiled(network(constraint=constraint))
    with pytest.raises(Interrupted):
        fit(model, kd.Prune(0.5, schedule=schedule), Bomb(0, 0))
    watch = [Watch()] if layers is None else []  # weights that were pruned, and are not any more, may grow
    fit(model, kd.Prune(0.5, layers=layers, end=4, frequency=1), *watch, epochs=1)
    assert model.get_layer("conv").kernel.constraint is constraint
    assert not any(isinstance(v.constraint, MaskConstraint) for v in model.trainable_variables)


@pytest.mark.slow
def test_two_of_them_prune_what_each_names():
    model = compiled(network())
    conv = kd.Prune(0.9, layers=["conv"], end=8)
    dense = kd.Prune(pattern="2:4", layers=["hidden"])
    fit(model, conv, dense, epochs=2)
    found = {k.layer: (round(k.fraction, 1), k.structure) for k in kd.sparsity(model).kernels}
    assert found == {"conv": (0.9, ()), "hidden": (0.5, ("2:4",)), "head": (0.0, ())}


@pytest.mark.slow
def test_weights_that_are_restored_at_the_end_are_pruned():
    model = compiled(network())
    best = keras.callbacks.EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True)
    fit(model, best, kd.Prune(0.5, begin=9, end=20, frequency=1), epochs=3)
    assert kd.sparsity(model).fraction == pytest.approx(0.5, abs=0.01)


@pytest.mark.slow
def test_swapped_averages_are_sparse_too():
    seen = []
    model = network()
    zeros = keras.callbacks.LambdaCallback()
    zeros.on_test_end = lambda logs: seen.append(kd.sparsity(model).fraction)
    compiled(model, keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_momentum=0.9))
    swap = keras.callbacks.SwapEMAWeights()
    prune = kd.Prune(0.5, end=8, frequency=2)
    fit(model, swap, prune, zeros, epochs=3, validation_data=(X, Y))
    assert seen[-2:] == pytest.approx([0.5, 0.5], abs=0.01)


# ---- resuming


def state(model):
    return [np.array(v) for v in [*model.variables, *model.optimizer.variables]]


class Bomb(keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise Interrupted


RESUMED = {
    "end": {"end": 14, "frequency": 3},
    "no end": {"frequency": 5},
    "global": {"scope": "global", "frequency": 1, "end": 13},
}


def optimized(kind):
    student = network()
    model = student if kind == "model" else kd.Distiller(student, network(1, name="teacher"))
    return compiled(model, lr(use_ema=True)(), built=False)


class Keep(keras.callbacks.Callback):
    """Copies a file as it is after a step: what is left of a training that ends there."""

    def __init__(self, at, file, copy):
        super().__init__()
        self.at, self.epoch, self.file, self.copy = at, 0, file, copy

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            shutil.copy(self.file, self.copy)


def fit_with_state(model, make, file, *callbacks):
    """The history of two epochs with a callback that `make()` returns, and with its state in a file."""
    full, callback = kd.FullState(file, save_freq=1), make()
    full.watch([full, callback], None)
    return fit(model, full, callback, *callbacks, epochs=2).history


def check_resumed(folder, at, make, kind):
    """A training that goes on in a fresh model from what was left of it ends as it would have."""
    whole, resumed = optimized(kind), optimized(kind)
    left = folder / "left.npz"
    history = fit_with_state(whole, make, folder / "state.npz", Keep(at, folder / "state.npz", left))
    assert left.exists()
    assert fit_with_state(resumed, make, left) == history
    for a, b in zip(state(whole), state(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "options", "kind"),
    [
        ((0, 6), "global", "model"),
        ((1, 3), "no end", "distiller"),
        ((1, 7), "end", "model"),
    ],
    ids=str,
)
def test_resumed_by_full_state_equals_uninterrupted(tmp_path, at, options, kind):
    check_resumed(tmp_path, at, lambda: kd.Prune(0.75, **RESUMED[options]), kind)


@pytest.mark.slow
def test_resumed_by_backup_and_restore_keeps_masks_and_steps(tmp_path):
    def callbacks(*more):
        return kd.Prune(0.75, end=20, frequency=4), keras.callbacks.BackupAndRestore(tmp_path), *more

    whole = compiled(network())
    fit(whole, kd.Prune(0.75, end=20, frequency=4), epochs=3)
    model = compiled(network(), built=False)
    with pytest.raises(Interrupted):
        fit(model, *callbacks(Bomb(1, 0)), epochs=3)
    model = compiled(network(), built=False)
    fit(model, *callbacks(Watch()), epochs=3)
    for a, b in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_what_is_pruned_does_not_come_back_when_others_become_zero():
    model = network(constraint="non_neg")  # which makes zeros of its own
    compiled(model)
    held = []
    prune = kd.Prune(0.4, schedule="constant", frequency=2)
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: held.append([m.copy() for m in prune._masks])
    )
    fit(model, prune, note, epochs=2)
    first = held[0]
    assert all(not (now & ~then).any() for masks in held for now, then in zip(masks, first, strict=True))


# ---- unusual trainings


@pytest.mark.slow
def test_an_execution_longer_than_an_epoch_does_not_hurry():
    model = compiled(network(), steps_per_execution=100)
    history = fit(model, kd.Prune(0.5, end=20, frequency=1), epochs=4).history["sparsity"]
    assert history[0] < history[1] < history[-1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.slow
def test_the_same_list_of_callbacks_prunes_again():
    model = compiled(network())
    prune = kd.Prune(0.5, end=8, frequency=2)
    listed = keras.callbacks.CallbackList([prune], model=model, add_history=True, epochs=2, steps=STEPS)
    for _ in range(2):
        model.set_weights(network().get_weights())
        history = fit(model, epochs=1, callbacks=listed).history
        assert history["sparsity"][-1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.slow
def test_prune_in_a_training_loop_of_ones_own():
    model = compiled(network())
    listed = keras.callbacks.CallbackList([kd.Prune(0.5, end=6, frequency=2)], model=model)
    listed.on_train_begin()
    for step in range(8):
        listed.on_train_batch_begin(step)
        model.train_on_batch(X[:8], Y[:8])
        listed.on_train_batch_end(step)
    listed.on_train_end()
    assert kd.sparsity(model).fraction == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("traced", rest_slow({"eager": False, "tf.function": True}, "eager"))
def test_prune_in_a_loop_without_compile(traced):
    """Two of them, on what each names, and a student inside a Distiller; zero after every step."""
    model, optimizer = network(), keras.optimizers.Adam(0.01)
    whole = kd.Distiller(model, network(1, name="teacher")) if traced else model

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(cross_entropy()(y, model(x, training=True)))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_weights), model.trainable_weights, strict=True)
        )

    step = tf.function(step) if traced else step
    prunes = [kd.Prune(0.75, end=4, frequency=2, layers=["conv"]), kd.Prune(pattern="2:4", layers=["hidden"])]
    for prune in prunes:
        prune.set_model(whole)
        prune.on_train_begin()
    for number in range(6):
        for prune in prunes:
            prune.on_train_batch_begin(number)
        step(X[:8], Y[:8])
    found = {k.layer: (round(k.fraction, 2), k.structure) for k in kd.sparsity(model).kernels}
    assert found == {"conv": (0.75, ()), "hidden": (0.5, ("2:4",)), "head": (0.0, ())}
    for prune in prunes:
        prune.on_train_end()
    assert not any(isinstance(v.constraint, MaskConstraint) for v in model.trainable_variables)


def test_prune_that_was_given_no_model_says_what_is_missing():
    with pytest.raises(RuntimeError, match=r"Call `set_model\(model\)` and `on_train_begin\(\)`"):
        kd.Prune(0.5, end=4).on_train_batch_begin(0)


@pytest.mark.slow
def test_a_checkpoint_of_other_layers_is_refused(tmp_path):
    for layers in (["conv"], ["hidden"]):
        model = compiled(network(), run_eagerly=True)
        full, prune = kd.FullState(tmp_path / "state.npz", save_freq=1), kd.Prune(0.5, layers=layers)
        full.watch([full, prune], None)
        other = pytest.raises(ValueError, match="masks of the checkpoint belong to other weights")
        with pytest.raises(Interrupted) if layers == ["conv"] else other:
            fit(model, full, prune, Bomb(0, 3))

"""Adversarial distillation: a student that is to withstand attacks learns from a teacher's clean answers."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.configuration import arguments_of, config_of
from keras_kd.distillation.data_checks import require_labels
from keras_kd.distillation.distilled import Kept
from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.hinton import as_objectives, default_objectives
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.tapped import Tapped
from keras_kd.keras_internals import compiled_loss
from keras_kd.messages import did_you_mean
from keras_kd.schemes.attack import Attack
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Scheduled, Tensor, Tensors

_MAXIMIZE = "labels", "objectives"


@keras.saving.register_keras_serializable("keras_kd")
class Adversarial(Distiller):
    """Train a student to withstand attacks, on what a teacher says of the inputs as they were.

    In each step the inputs are moved within a box of `epsilon` (projected gradient descent, inside the
    compiled step) to where the student's loss is large. The `objectives` compare the student on these inputs
    with the teacher on the clean ones, and `clean_objectives` compare both on the clean ones, on which the
    compiled loss is computed too. An objective with `from_student=True` compares the student on the attacked
    inputs with itself on the clean ones; the losses of `kd.losses` let no gradient flow through the latter.

    With `soft = kd.losses.SoftTargets(1.0)`:

    - ARD is `temperature=30.0, alpha=0.0`, with a teacher that withstands attacks itself.
    - RSLAD is `objectives=[kd.Objective(soft, weight=5 / 6)]`, `maximize="objectives"` and
      `clean_objectives=[kd.Objective(soft, weight=1 / 6, name="clean")]`, without a compiled loss.
    - TRADES is `objectives=[kd.Objective(Divergence(), from_student=True, weight=6.0)]` and
      `maximize="objectives"`, without a teacher. `soft` in place of `Divergence()` lets the gradient flow
      through the attacked answer only; TRADES's flows through both, which takes a `kd.losses.SignalLoss` of
      your own, whose `call(clean, attacked)` returns the Kullback-Leibler divergence.

    All else is as for `kd.Distiller`: `evaluate` and `predict` are of the student on the inputs as they are.
    `perturb` gives the attacked ones.

    While it is attacked the student runs as in inference, as in TRADES's and RSLAD's code: attacks move no
    statistics of BatchNorm and meet no dropout. ARD's code attacks in training mode. The search starts
    anywhere in the box, as in ARD's code; TRADES and RSLAD start closer to the input.

    Source: ARD, Goldblum, Fowl, Feizi, Goldstein 2020, "Adversarially Robust Distillation", arXiv 1905.09747.
    RSLAD, Zi et al. 2021, "Revisiting Adversarial Robustness Distillation: Robust Soft Labels Make Student
    Better", arXiv 2108.07969. TRADES, Zhang et al. 2019, "Theoretically Principled Trade-off between
    Robustness and Accuracy", arXiv 1901.08573. The attack, Madry et al. 2018, arXiv 1706.06083.

    Args:
        student: The model to train, on one input of floating-point numbers.
        teacher: A trained model that withstands attacks itself, or `None`.
        objectives: `Objective`s that read the student on attacked inputs.
        clean_objectives: `Objective`s that read it on the inputs as they are.
        epsilon: Half the side of the box, in the unit of the data.
        step_size: How far each step moves every value.
        steps: Steps of an attack.
        value_range: The lowest and the highest value of the data.
        maximize: What attacks make large: `"labels"`, the compiled loss, or `"objectives"`, the sum of
            weight times objective.
        random_start: Whether the search starts anywhere in the box; else at the input itself.
        seed: Of the random starts.
        name: Name of this model.
        **options: `temperature`, `alpha` and `teacher_preprocess`, as for `kd.Distiller`.

    Raises:
        ValueError: An attack outside the range of the data, or data outside `value_range`; an attack on
            labels without a compiled loss; otherwise as for `kd.Distiller`.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16), keras.layers.Dense(3)])
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> adversarial = kd.Adversarial(student, teacher, epsilon=0.1, step_size=0.03, temperature=30.0)
        >>> adversarial.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.random.rand(32, 4).astype("float32"), np.random.randint(0, 3, 32)
        >>> history = adversarial.fit(x, y, verbose=0)
        >>> attacked = adversarial.perturb(x, y)
        >>> bool(abs(attacked - x).max() <= 0.1 + 1e-6)
        True
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None = None,
        objectives: Sequence[Objective | LossLike] | None = None,
        clean_objectives: Sequence[Objective | LossLike] = (),
        *,
        epsilon: float = 8 / 255,
        step_size: float = 2 / 255,
        steps: int = 10,
        value_range: tuple[float, float] = (0.0, 1.0),
        maximize: str = "labels",
        random_start: bool = True,
        seed: int | None = None,
        name: str = "adversarial",
        **options: Any,
    ) -> None:
        attack = Attack(epsilon, step_size, steps, value_range)
        if maximize not in _MAXIMIZE:
            raise ValueError(
                f"`maximize` is 'labels' or 'objectives'. Received: {maximize!r}."
                f"{did_you_mean(str(maximize), _MAXIMIZE)}"
            )
        self.__dict__.update({"_attack": attack, "_clean": tuple(clean_objectives)})
        super().__init__(student, teacher, objectives, name=name, **options)
        self.maximize, self.random_start, self.seed = maximize, bool(random_start), seed
        self._seed_generator = keras.random.SeedGenerator(seed)
        self._check_start()

    def _check_start(self) -> None:
        own = all(term.own_taps for term in self._attacked_objectives())
        if self.maximize == "objectives" and not self.random_start and own:
            raise ValueError(
                "Attacks that start at the input itself find no way from what the student says of it: the "
                "gradient is zero there. Leave out random_start=False."
            )

    def _attacked_objectives(self) -> list[Objective]:
        return list(self.objectives[: len(self.objectives) - len(self._clean)])

    def perturb(self, x: Tensor, y: Tensor | None = None) -> np.ndarray:
        """Attack the student on a batch, as in training, and return the attacked inputs.

        Args:
            x: Inputs `(batch, ...)`.
            y: Their labels, if the attack reads them.
        """
        self.require_compiled("perturb")
        labels = None if y is None else tf.convert_to_tensor(y)
        batch = Batch(tf.cast(tf.convert_to_tensor(x), keras.config.floatx()), labels)
        self._check_attack(batch)
        self._prepare(batch)
        return np.asarray(self._show(batch, self._wiring.run_teacher(batch)))

    def _terms(
        self, objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
    ) -> list[Objective]:
        attacked = default_objectives(objectives, temperature, alpha, several_views=True)
        terms = as_objectives([*attacked, *self._clean])
        self.__dict__.update({"_clean": tuple(terms[len(attacked) :])})
        return terms

    def _check_batch(self, batch: Batch) -> None:
        self._check_attack(batch)
        super()._check_batch(batch)

    def _check_attack(self, batch: Batch) -> None:
        self._attack.check(batch.inputs)
        if self.maximize == "labels":
            if not self.compiled_with_loss or keras.tree.is_nested(self.loss):
                raise ValueError(
                    "maximize='labels' attacks the loss given to `compile`, one loss of one output. "
                    f"Received: loss={self.loss!r}. Pass maximize='objectives', or such a loss."
                )
            require_labels(batch.labels)

    def _show(self, batch: Batch, teacher: Tapped) -> Tensors:
        inputs: Any = batch.inputs
        start, size = inputs, self._attack.epsilon
        if self.random_start:
            start += keras.random.uniform(tf.shape(inputs), -size, size, inputs.dtype, self._seed_generator)
        _, clean = self._wiring.run_student(inputs, training=False)

        def loss(moved: Tensor) -> Tensor:
            outputs, attacked = self._wiring.run_student(moved, training=False)
            value = self._to_maximize(batch, outputs, self._beside(attacked, clean), teacher)
            return tf.cast(value, "float32") * tf.cast(batches.count_samples(inputs), "float32")

        return self._attack.perturb(inputs, start, loss)

    def _to_maximize(self, batch: Batch, outputs: Tensors, student: Tapped, teacher: Tapped) -> Tensor:
        hard = compiled_loss(self)
        if self.maximize == "labels" and hard is not None:
            return hard(batch.labels, outputs, batch.sample_weight)
        unlogged = [Kept() for _ in self.objectives]
        return self._wiring.compute_loss(student, teacher, batch, self.optimizer.iterations, unlogged)

    def _learn(self, batch: Batch, shown: Tensors) -> tuple[Tensors, Tapped]:
        _, attacked = self._wiring.run_student(shown)
        outputs, clean = self._wiring.run_student(batch.inputs)  # last: its losses are those that are added
        return outputs, self._beside(attacked, clean)

    def _beside(self, attacked: Tapped, clean: Tapped) -> "_Attacked":
        found = _Attacked(*attacked)
        found.clean, found.clean_names = clean, {objective.name for objective in self._clean}
        return found

    def get_config(self) -> dict[str, Any]:
        serialize, attack = keras.saving.serialize_keras_object, self._attack
        return {
            **config_of(self, None if self._blend else self._attacked_objectives()),
            "clean_objectives": [serialize(objective) for objective in self._clean],
            "epsilon": attack.epsilon,
            "step_size": attack.step_size,
            "steps": attack.steps,
            "value_range": attack.value_range,
            "maximize": self.maximize,
            "random_start": self.random_start,
            "seed": self.seed,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "Adversarial":
        deserialize = keras.saving.deserialize_keras_object
        arguments = arguments_of(config, custom_objects)
        clean = [deserialize(objective, custom_objects) for objective in arguments["clean_objectives"]]
        return cls(**{**arguments, "clean_objectives": clean})


class _Attacked(Tapped):
    """The signals of a student on attacked inputs, with those on the inputs as they were beside them."""

    clean: Tapped
    clean_names: set[str]

    def read_by(self, objective: Objective) -> dict[str, Any]:
        return (
            self.clean.read_by(objective)
            if objective.name in self.clean_names
            else super().read_by(objective)
        )

    def own_targets(self, objective: Objective) -> dict[str, Any]:
        """What the student says of the clean inputs; a gradient may flow there, as in TRADES."""
        read = self.clean.read_by(objective)
        return {tap: read[tap] for tap in objective.own_taps}

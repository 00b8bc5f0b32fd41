"""Deep mutual learning: peers that teach one another in every step."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_kd.distillation.configuration import arguments_of, config_of
from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.hinton import Default, default_objectives
from keras_kd.distillation.objective_arguments import LossLike, Tap
from keras_kd.distillation.objectives import Objective
from keras_kd.schemes.peers import Peers
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Scheduled, Tensors

TEMPERATURE, ALPHA = Default(1.0), Default(0.5)


@keras.saving.register_keras_serializable("keras_kd")
class Mutual(Distiller):
    """Train peers that teach one another, with `compile` and `fit` as for any Keras model.

    Each peer learns the labels, and what every other one says in the same step; no gradient flows into the
    one that teaches. The loss of a peer is `alpha * hard + (1 - alpha) * soft`, where `soft` is the mean of
    `SoftTargets(temperature)` over the other peers: with the default `alpha` half of the paper's sum.
    With `objectives` it is `hard` (weighted by `compile(loss_weights=...)`) plus the sum of weight times
    objective, each the mean over the other peers. They are written as for two models: `student` and
    `teacher` are taps of two peers, and every peer is either in turn.

    The peers update together, from what all of them said before the step. One optimizer trains them all. For
    SGD, Adam and every optimizer that treats weights one by one that is the same as an optimizer for each;
    `global_clipnorm` would take the norm over all peers.

    `compile` takes one loss and one list of metrics, for each peer, or a dictionary by peer. The logs name
    them: `loss` (the total), `a_loss` (the hard loss of `a`), `a_accuracy`, and
    `a_soft_targets_from_b`. `call` and `predict` return `{"a": ..., "b": ...}`, and `evaluate` the figures of
    each. The peers stay models of their own: predict with, save and export the ones that you gave,
    or `mutual.peer("a")` of a file that was loaded. All else is as for `kd.Distiller`.

    Source: Zhang, Xiang, Hospedales, Lu 2018, "Deep Mutual Learning", arXiv 1706.00384, whose peers update in
    turns. Mean over the other peers: there, equation 8.

    Args:
        models: Two or more models, with different names, that take the same inputs and whose outputs have
            the same shapes.
        objectives: `Objective`s between two peers, or bare losses that read output against output.
        temperature: The temperature of the soft targets; only without `objectives`.
        alpha: Weight of the hard losses, in [0, 1]; only without `objectives`.
        name: Name of this model.

    Raises:
        TypeError: A peer that is not a Keras model.
        ValueError: Peers of one name, or whose inputs or outputs differ; otherwise as for `kd.Distiller`.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> def classifier(name, units):
        ...     return keras.Sequential(
        ...         [keras.Input((4,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(3)], name=name
        ...     )
        >>> mutual = kd.Mutual([classifier("a", 8), classifier("b", 16)])
        >>> hard = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> mutual.compile("adam", loss=hard, metrics=["accuracy"])
        >>> history = mutual.fit(np.random.rand(32, 4), np.random.randint(0, 3, 32), verbose=0).history
        >>> sorted(history)[:5]
        ['a_accuracy', 'a_loss', 'a_soft_targets_from_b', 'b_accuracy', 'b_loss']
        >>> {name: answer.shape for name, answer in mutual.predict(np.ones((2, 4)), verbose=0).items()}
        {'a': (2, 3), 'b': (2, 3)}
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        objectives: Sequence[Objective | LossLike] | None = None,
        *,
        temperature: Scheduled = TEMPERATURE,
        alpha: float = ALPHA,
        name: str = "mutual",
    ) -> None:
        peers = Peers(models)
        self.__dict__.update({"_peers": peers})
        super().__init__(peers.model, objectives=objectives, temperature=temperature, alpha=alpha, name=name)

    def peer(self, name: str) -> keras.Model:
        """The peer of this name."""
        return self.student.get_layer(name)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        **options: Any,
    ) -> None:
        """Configure for training as `keras.Model.compile` does; see there for the arguments.

        A loss, its weight and metrics that are not given by peer are those of each peer.
        """
        super().compile(
            optimizer,
            loss=self._peers.spread(loss),
            loss_weights=self._peers.spread(loss_weights),
            metrics=self._peers.spread(metrics, _copied),
            weighted_metrics=self._peers.spread(weighted_metrics, _copied),
            **options,
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def batch_of(self, data: object) -> Batch:
        batch = super().batch_of(data)
        return batch._replace(labels=self._peers.spread(batch.labels))

    def adapt_batch(self, batch: Tensors) -> Tensors:
        x, y, sample_weight, _ = self.batch_of(super().adapt_batch(batch))
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def _check_data(self, arguments: Mapping[str, Any]) -> None:
        super()._check_data({**arguments, "y": self._peers.spread(arguments.get("y"))})

    def _terms(
        self, objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
    ) -> list[Objective]:
        given = default_objectives(objectives, temperature, alpha)
        self.__dict__.update({"_given": None if objectives is None else tuple(given)})
        return [term for objective in given for term in _between(self._peers, objective)]

    def get_config(self) -> dict[str, Any]:
        return {**config_of(self, self._given), "peers": list(self._peers.names)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Mutual":
        arguments = arguments_of(config, custom_objects)
        joined, names = arguments.pop("student"), arguments.pop("peers")
        return cls([joined.get_layer(name) for name in names], **arguments)


def _between(peers: Peers, objective: Objective) -> list[Objective]:
    """An objective for each two peers; for each peer if it reads but one model."""
    if not objective.teacher_taps:
        return [_of_pair(peers, objective, name, name, 1) for name in peers.names]
    pairs = [(a, b) for a in peers.names for b in peers.names if a != b]
    return [_of_pair(peers, objective, a, b, len(peers.names) - 1) for a, b in pairs]


def _of_pair(peers: Peers, objective: Objective, student: str, teacher: str, others: int) -> Objective:
    """An objective between two peers, whose value counts as one of those of the `others`."""

    def taps(name: str, given: Tap) -> Tap:
        return peers.tap(name, given) if isinstance(given, str) else tuple(peers.tap(name, t) for t in given)

    weight = objective.weight
    return Objective(
        objective.loss,
        student=taps(student, objective.student_tap),
        teacher=taps(teacher, objective.teacher_tap),
        weight=(lambda step: weight(step) / others) if callable(weight) else weight / others,
        project=_copied(objective.project),
        project_teacher=_copied(objective.project_teacher),
        mask=None if objective.mask is None else peers.tap(student, objective.mask),
        from_student=bool(objective.teacher_taps or objective.own_taps),
        use_sample_weight=objective.use_sample_weight,
        name=f"{student}_{objective.name}" + (f"_from_{teacher}" if student != teacher else ""),
    )


def _copied(value: Any) -> Any:
    """A new metric or layer like this one; a list of them; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_copied(each) for each in value]
    if isinstance(value, (keras.metrics.Metric, keras.layers.Layer)):
        return type(value).from_config(value.get_config())
    return value

"""Data-free distillation: a student learns from what a generator makes to please a teacher."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_kd.distillation.configuration import arguments_of, config_of
from keras_kd.distillation.distiller import Distiller
from keras_kd.distillation.evaluation import without
from keras_kd.distillation.hinton import Default, default_objectives
from keras_kd.distillation.model_inputs import can_run
from keras_kd.distillation.objective_arguments import LossLike
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess
from keras_kd.distillation.update import scaled_loss, update_weights
from keras_kd.legacy import all_layers_of, require_keras_model
from keras_kd.schemes.generator_losses import GeneratorWeights, generator_loss, statistics_gap
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.signals.logits import logits_of
from keras_kd.signals.recording import record
from keras_kd.signals.taps import Taps
from keras_kd.signals.tracing import input_spec, output_activation
from keras_kd.tensors import Scheduled, Tensor, Tensors

TEMPERATURE = Default(1.0)


@keras.saving.register_keras_serializable("keras_kd")
class DataFree(Distiller):
    """Train a student without data: a generator makes inputs to which a teacher has clear answers.

    `fit` takes codes, such as `kd.random_codes`. In each step the generator makes inputs of them; its loss is
    DAFL's: that the teacher is sure of them (`one_hot`), of all classes alike (`entropy`), and that a layer
    of it, if you name one as `feature`, responds strongly (`activation`). With `statistics` each BatchNorm of
    the teacher should also meet the means and variances that it kept of its training data. The student
    learns what the teacher says of them, by the `objectives`; its gradient does not reach the generator. One
    optimizer trains both.

    `compile(loss=..., metrics=...)` serve `evaluate`, and `validation_data` of `fit`: the student alone, on
    real inputs. In training there are no labels. The logs contain `loss` (the student's), `generator_loss`
    and each objective. Files contain the student and the generator, never the teacher. All else is as for
    `kd.Distiller`. Under a `tf.distribute` strategy each replica judges its own part of the batch.

    Source: Chen et al. 2019, "Data-Free Learning of Student Networks", arXiv 1904.01186. The default weights
    are those of its code for MNIST. The statistics, here relative to their spread: Yin et al. 2020,
    "Dreaming to Distill", arXiv 1912.08795. Who repeated DAFL found it to depend on how the generator is
    normalized, and the teacher's answers to be far from those to real inputs: look at the accuracy.

    Args:
        student: The model to train.
        teacher: A trained model with one output, the scores of classes.
        generator: A model from codes to inputs of both.
        objectives: As for `kd.Distiller`. Default: `SoftTargets(temperature)`.
        feature: A tap of the teacher, whose activations the generator makes strong.
        one_hot: Weight of the cross-entropy against the teacher's first class.
        entropy: Weight of the negative entropy (base 10) of the mean answer to the batch.
        activation: Weight of the mean absolute value of `feature`.
        statistics: Weight of how far the teacher's BatchNorms are from what they kept: the mean over layers
            and channels of `(mean - kept mean)^2 / kept variance + (deviation / kept deviation - 1)^2`.
        temperature: The temperature of the soft targets; only without `objectives`.
        name: Name of this model.

    Raises:
        ValueError: A generator whose outputs the student or the teacher cannot take, or codes that are not
            its own; `statistics` of a teacher without BatchNorm; otherwise as for `kd.Distiller`.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> Input, Dense = keras.Input, keras.layers.Dense
        >>> teacher = keras.Sequential([Input((4,)), Dense(16, "relu", name="hidden"), Dense(3)])
        >>> student = keras.Sequential([Input((4,)), Dense(3)])
        >>> generator = keras.Sequential([Input((8,)), Dense(16, "relu"), Dense(4, "sigmoid")])
        >>> data_free = kd.DataFree(student, teacher, generator, feature="hidden")
        >>> data_free.compile("adam")
        >>> history = data_free.fit(kd.random_codes(8), steps_per_epoch=2, verbose=0)
        >>> sorted(history.history)
        ['generator_loss', 'loss', 'soft_targets']
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None,
        generator: keras.Model,
        objectives: Sequence[Objective | LossLike] | None = None,
        *,
        feature: str | None = None,
        one_hot: float = 1.0,
        entropy: float = 5.0,
        activation: float = 0.1,
        statistics: float = 0.0,
        temperature: Scheduled = TEMPERATURE,
        name: str = "data_free",
    ) -> None:
        require_keras_model(generator, "generator")
        codes, made = _specs_of(generator)
        for role, model in (("student", student), ("teacher", teacher)):
            if isinstance(model, keras.Model):
                _check_takes(role, model, generator, made)
        weights = GeneratorWeights(*map(float, (one_hot, entropy, activation, statistics)))
        self.__dict__.update({"_codes": codes, "_made": made, "_generator_weights": weights})
        self.__dict__.update({"_feature": feature})
        super().__init__(student, teacher, objectives, temperature=temperature, name=name)
        self.generator = generator
        self._generator_tracker = keras.metrics.Mean(name="generator_loss")

    def _terms(
        self, objectives: Sequence[Objective | LossLike] | None, temperature: Scheduled, alpha: float
    ) -> list[Objective]:
        return default_objectives(objectives, temperature, 0.0 if objectives is None else alpha)

    def _set_teacher(self, teacher: keras.Model | None, preprocess: Preprocess | None) -> None:
        super()._set_teacher(teacher, preprocess)
        if teacher is not None:
            require_keras_model(teacher, "teacher")
            read = Taps(teacher, [self._feature] if self._feature else [])
            norms = _norms_of(teacher) if self._generator_weights.statistics else []
            self.__dict__.update({"_read": (read, output_activation(teacher), norms)})

    def batch_of(self, data: object, training: bool = False) -> Batch:
        codes: Any = batches.unpack(data).inputs
        self._require_codes(codes)
        if isinstance(codes, tf.TensorSpec):
            return Batch(self._made)
        return Batch(self.generator(codes, training=training))

    def adapt_batch(self, batch: Tensors) -> Tensors:
        x: Any = batches.unpack(batch).inputs
        return self.batch_of(batch).inputs if self._are_codes(x) else super().adapt_batch(batch)

    def _are_codes(self, x: Any) -> bool:
        shape = tuple(getattr(x, "shape", ()))
        return self._codes.is_compatible_with(shape) and not self._made.shape.is_compatible_with(shape)

    def _require_codes(self, codes: Any) -> None:
        if not self._codes.is_compatible_with(getattr(codes, "shape", ())):
            raise ValueError(
                f"The generator {self.generator.name!r} takes codes {tuple(self._codes)}, and the data has "
                f"{getattr(codes, 'shape', type(codes).__name__)}. Give codes alone: "
                f"fit(kd.random_codes({tuple(self._codes)[1:]}), steps_per_epoch=...)."
            )

    def validate_first_batch(self, data: Tensors) -> None:
        batch = self.batch_of(data)
        self._prepare(batch)
        self._check_batch(batch)
        if not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    def train_step(self, data: Tensors) -> dict[str, Tensor]:
        """One step of both: generator, teacher and student forward, backward, update."""
        self.require_compiled("train_step")
        taps, activation, norms = self._read
        with tf.GradientTape() as tape:
            batch = self.batch_of(data, training=True)
            with tf.init_scope():
                self._wiring.prepare(batch)
            with record([self.teacher, *norms]) as whole, taps.record() as recording:
                teacher = self._wiring.run_teacher(batch, carry=True)
            outputs = whole.of(self.teacher)[0].outputs
            features = taps.signals(outputs, recording).get(self._feature)
            gaps = [statistics_gap(norm, call.inputs) for norm in norms for call in whole.of(norm)]
            weights = self._generator_weights
            of_generator = generator_loss(logits_of(outputs, activation), features, gaps, weights)
            self._generator_tracker.update_state(of_generator, batches.count_samples(batch.inputs))
            shown = keras.tree.map_structure(tf.stop_gradient, batch.inputs)
            y_pred, student = self._wiring.run_student(shown)
            loss = self._total_loss(batch, y_pred, student, teacher)
            # Optimizers add up the gradients of replicas; the losses of objectives are divided already.
            loss += of_generator / self.distribute_strategy.num_replicas_in_sync
            scaled = scaled_loss(self, loss)
        update_weights(self, tape, scaled)
        self._end_step()
        return self._logs_of_step(batch, y_pred)

    def _weighted_hard_loss(self, batch: Batch, y_pred: Tensors) -> Any:
        return 0.0  # there are no labels

    def logs_of_epoch(self, logs: dict[str, Tensor]) -> dict[str, Tensor]:
        # The compiled metrics see nothing in training.
        trained = self._generator_tracker.name in logs
        return self._trained_logs() if trained else super().logs_of_epoch(logs)

    def test_step(self, data: Tensors) -> dict[str, Tensor]:
        """Evaluate the student alone."""
        return without(super().test_step(data), [self._generator_tracker])

    def _logs_of_step(self, batch: Batch, y_pred: Tensors) -> dict[str, Tensor]:
        return self._trained_logs()

    def _trained_logs(self) -> dict[str, Tensor]:
        trained = "loss", "generator_loss", *(objective.name for objective in self.objectives)
        return {metric.name: metric.result() for metric in self.metrics if metric.name in trained}

    def get_config(self) -> dict[str, Any]:
        config = config_of(self, None if self._blend else self.objectives)
        config.pop("alpha", None)
        generator = keras.saving.serialize_keras_object(self.generator)
        weights = self._generator_weights._asdict()
        return {**config, "generator": generator, "feature": self._feature, **weights}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "DataFree":
        arguments = arguments_of(config, custom_objects)
        generator = keras.saving.deserialize_keras_object(arguments.pop("generator"), custom_objects)
        return cls(teacher=None, generator=generator, **arguments)


def _specs_of(generator: keras.Model) -> tuple[tf.TensorShape, tf.TensorSpec]:
    """The shape of codes, and the spec of what a generator makes of them."""
    outputs = list(getattr(generator, "outputs", None) or [])
    codes = input_spec(generator)
    if not isinstance(codes, tf.TensorSpec) or len(outputs) != 1:
        raise ValueError(
            f"The generator {generator.name!r} is a functional or sequential model with one input and one "
            "output, from codes to what the student and the teacher take."
        )
    return codes.shape, tf.TensorSpec((None, *outputs[0].shape[1:]), outputs[0].dtype)


def _norms_of(teacher: keras.Model) -> list[keras.layers.BatchNormalization]:
    layers = {id(layer): layer for layer in all_layers_of(teacher)}.values()
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.built]
    if not norms:
        raise ValueError(
            "`statistics` are those of BatchNorms, of which the teacher "
            f"{teacher.name!r} has none. Leave it out."
        )
    return norms


def _check_takes(role: str, model: keras.Model, generator: keras.Model, made: tf.TensorSpec) -> None:
    taken = input_spec(model)
    if taken is None:
        fits = not model.built or can_run(model, made)
    else:
        fits = isinstance(taken, tf.TensorSpec) and taken.shape.is_compatible_with(made.shape)
    if not fits:
        shapes = keras.tree.map_structure(lambda spec: tuple(spec.shape), taken)
        raise ValueError(
            f"The generator {generator.name!r} makes {tuple(made.shape)}, which the {role} {model.name!r} "
            f"cannot take: it takes {shapes}."
        )

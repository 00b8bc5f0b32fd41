"""Several teachers as one model."""

from collections.abc import Mapping, Sequence

import keras

from keras_kd.keras_internals import Functional
from keras_kd.legacy import KerasModel
from keras_kd.parts import parts, with_parts
from keras_kd.teachers.averaging import Average, Averaging
from keras_kd.teachers.class_maps import Classes
from keras_kd.teachers.combination import Combination, Stated, activations_of, require_same_structure
from keras_kd.teachers.member import Preprocess
from keras_kd.teachers.members import (
    answer_of,
    by_member,
    check_weights,
    find_inputs,
    models_by_name,
    preprocess_by_member,
)
from keras_kd.teachers.outcomes import Activation
from keras_kd.tensors import Shape, Tensors


@keras.saving.register_keras_serializable("keras_kd")
class Ensemble(Functional):
    """The model that `kd.ensemble` returns. Only learned weights of members are trained, never a member."""

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        own = [weight for layer in self.layers if isinstance(layer, Averaging) for weight in layer.weights]
        return own if self.trainable else []

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[keras.Variable]:
        trained = set(map(id, self.trainable_weights))
        return [weight for weight in self.weights if id(weight) not in trained]

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        trained = set(map(id, self.trainable_weights))
        return [variable for variable in self.variables if id(variable) not in trained]


def ensemble(
    models: Sequence[KerasModel] | Mapping[str, KerasModel],
    weights: Mapping[str, float] | Sequence[float] | str | None = None,
    *,
    average: Average | Mapping[str, Average] = "probabilities",
    activation: Activation | Mapping[str, Activation] | None = None,
    classes: Mapping[str, Classes] | Sequence[Classes] | None = None,
    preprocess: Preprocess | Mapping[str, Preprocess] | Sequence[Preprocess | None] | None = None,
    inputs: Tensors | Shape = None,
    names: Sequence[str] | None = None,
    name: str = "ensemble",
) -> keras.Model:
    """Make one teacher of several.

    The ensemble answers with logits: the logarithm of the mean probability, computed without leaving log
    space, so that logits of any size are exact, and losses can apply any temperature. Members may end in a
    softmax or sigmoid, or answer with logits, in any mixture.

    The layers of members are tapped as `"NAME/layer"` and their outputs as `"NAME"`, so that an objective can
    read a single one. `"disagreement"`, `(batch,)`, tells how far the members are apart on each sample: the
    weighted mean of their Kullback-Leibler divergences from the mean (the Jensen-Shannon divergence, if
    probabilities are averaged), or the variance of numbers. `"average/1"` are the weights of members,
    `(batch, members, ...)`.

    Members run as in inference, keep their weights, and are not copied. `fit` trains learned weights only.

    A member that knows some of the classes is completed by Jeffrey's rule: it decides how the probability of
    its classes is shared among them, and the mean of the members that know all classes decides the rest.
    Where no member knows all, the answers are mixed as they are, and a sample gets equal probability from
    each member, or by weights: with `"entropy"`, more from those that are sure.

    Source: the arithmetic and the geometric mean ("logits"), Hinton, Vinyals, Dean 2015, arXiv 1503.02531,
    and You, Xu, Xu, Tao, "Learning from Multiple Teacher Networks", KDD 2017,
    doi 10.1145/3097983.3098135. Weights by entropy, Kwon, Na, Lee, Kim, "Adaptive Knowledge Distillation
    Based on Entropy", ICASSP 2020, doi 10.1109/ICASSP40776.2020.9054698. Members with other classes, Shen et
    al. 2018, "Amalgamating Knowledge towards Comprehensive Classification", arXiv 1811.02796, and
    Vongkulbhisal et al. 2019, "Unifying Heterogeneous Classifiers with Distillation", arXiv 1904.06062, who
    solve for probabilities of all classes where this uses Jeffrey's rule. Fukuda et al. 2017, "Efficient
    Knowledge Distillation from an Ensemble of Teachers", doi 10.21437/Interspeech.2017-614, read one member
    at a time, as an objective for each does.

    Args:
        models: The members, a list or a dictionary by name: built models of Keras 3 or tf_keras, or what
            `kd.as_teacher` makes. Their outputs `(batch, ..., classes)` have the same structure; each one is
            averaged by itself.
        weights: Numbers, as a list or by name, which are made to sum to 1; default: equal ones. For each
            sample and position, `"confidence"`: the highest probability; `"entropy"`: the inverse of the
            entropy. `"learned"`: the same for all samples, trained by `compile` and `fit` of the ensemble.
        average: `"probabilities"`, `"logits"` (the geometric mean of probabilities), or `"values"`, for
            numbers. For several outputs, also by their names.
        activation: `"softmax"` or `"sigmoid"`, what probabilities are computed with; for several outputs,
            also by their names. Default: what members end in, or else a softmax.
        classes: For members that do not know all classes, as a list or by name: the classes that one knows,
            in its order; or a matrix `(its classes, all classes)` that is above 0 where a class belongs to
            one of its own, for coarser, finer or other label sets.
        preprocess: Makes the inputs of a member of those of the ensemble: a function or layer for all of
            them, or for each, as a list or by name.
        inputs: What the ensemble takes: the shape of a sample, or a structure of `keras.Input`s. Default:
            what members take; several inputs go by their names.
        names: The names of members. Default: those of the models.
        name: The name of the ensemble.

    Raises:
        TypeError: A member that is not a model.
        ValueError: Members whose inputs, outputs or classes do not fit each other, or arguments that do not
            fit the members.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> def classifier(name):
        ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")], name=name)
        >>> teacher = kd.ensemble([classifier("a"), classifier("b")], weights=[2, 1])
        >>> teacher.predict(np.ones((5, 4)), verbose=0).shape
        (5, 3)
        >>> kd.tap_names(teacher)
        ['a/head', 'a', 'b/head', 'b', 'answers', 'average/0', 'average/1', 'disagreement', 'mean']
    """
    named = models_by_name(models, names)
    own_preprocess = preprocess_by_member(preprocess, list(named))
    shared = find_inputs(named, own_preprocess, inputs)
    answers = {
        member: answer_of(member, model, own_preprocess[member], shared) for member, model in named.items()
    }
    paths = require_same_structure(answers)
    combination = Combination(
        Stated.by_output(paths, average, activation),
        check_weights(weights, list(named)),
        by_member(classes, list(named), "classes"),
        {member: activations_of(shared, answer) for member, answer in answers.items()},
    )
    means = [combination.mean(path, {m: parts(a)[path] for m, a in answers.items()}) for path in paths]
    first = next(iter(answers.values()))
    return Ensemble(shared, with_parts(first, means), name=name)

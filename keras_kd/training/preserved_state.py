"""What running a model moves (recurrent states, seeds, counters of a layer), and how to undo exactly that."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_kd.keras_internals import own_seed_generators
from keras_kd.legacy import all_layers_of, own_variables_of
from keras_kd.tensorflow_internals import resources_written
from keras_kd.tensors import Tensor


def recurrent_states(model: keras.Model) -> list[keras.Variable]:
    """The states that stateful recurrent layers keep between batches; no list of weights contains them."""
    recurrent = [layer for layer in all_layers_of(model) if getattr(layer, "stateful", False)]
    states = [state for layer in recurrent for state in keras.tree.flatten(getattr(layer, "states", []))]
    return [state for state in states if state is not None]


class _Moved(NamedTuple):
    """A variable that running the model moves."""

    variable: tf.Variable  # perhaps with a copy in each replica
    carried: tf.Variable  # its value after the last pass that carries on
    found: tf.Variable  # its value, as others left it, before that pass


class PreservedState:
    """Lets a model run as if it were a function: what a pass moves is put back when the pass ends.

    The graph of the first pass tells which variables a pass writes. With `training=False` most models write
    none, and then nothing is done. Of a model that cannot be traced, so that its first pass is eager, it may
    write any that is not trained. All that others assign to the model between two passes remains.

    Passes that carry on start where the previous one ended, as if nothing had been put back: a stateful
    recurrent layer continues from batch to batch, and random numbers differ from step to step. If somebody
    has assigned another value in between, they start from that.

    Args:
        model: A model of Keras 3 or tf_keras.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._moved: list[_Moved] | None = None  # unknown before the first pass

    @contextlib.contextmanager
    def preserved(self, carry: bool = False) -> Iterator[None]:
        """A context in which the model runs once.

        Args:
            carry: Whether this pass starts where the last one that carried on ended.
        """
        if self._moved is None and tf.executing_eagerly():  # a model that cannot be traced
            variables = {id(_parts(v)[0].handle): v for v in _variables(self._model) if not v.trainable}
            self._moved = _copied(variables.values())
        if self._moved is None:
            graph = tf.compat.v1.get_default_graph()
            earlier = len(graph.get_operations())
            yield
            self._moved = self._find_moved(graph, graph.get_operations()[earlier:])
            return
        before = self._read()
        after: list[Tensor] = []
        try:
            if carry:
                self._go_on(before)
            yield
            after = self._read() if carry else []
        finally:
            for moved, value in zip(self._moved, before, strict=True):
                moved.variable.assign(value)
        # Not earlier: under a strategy, assigning to these lets the next replica begin its pass.
        for moved, found, end in zip(self._moved, before, after, strict=False):
            moved.found.assign(found)
            moved.carried.assign(end)

    def _read(self) -> list[Tensor]:
        return [tf.identity(moved.variable) for moved in self._moved or ()]

    def _go_on(self, found: Iterable[Tensor]) -> None:
        for moved, value in zip(self._moved or (), found, strict=True):
            untouched = tf.reduce_all(tf.equal(value, moved.found))
            moved.variable.assign(tf.where(untouched, moved.carried, value))

    def restart(self) -> None:
        """Let the next pass start from the values that the model has now."""
        for variable, *copies in self._moved or ():
            for copy in copies:
                copy.assign(tf.identity(variable))

    def _find_moved(self, graph: tf.Graph, operations: Iterable[tf.Operation]) -> list[_Moved]:
        written = {id(handle) for operation in operations for handle in resources_written(operation)}
        outside = {id(captured) for captured, inside in graph.captures if id(inside) in written}
        found = {}
        for variable in [*graph.variables, *_variables(self._model)]:
            if any(id(part.handle) in outside for part in _parts(variable)):
                found[id(_parts(variable)[0].handle)] = variable
        return _copied(found.values())


def _variables(model: keras.Model) -> list[tf.Variable]:
    """All variables of a model, with those that are no weights, as TensorFlow's."""
    layers = all_layers_of(model)
    variables = [variable for layer in layers for variable in own_variables_of(layer)]
    variables += recurrent_states(model)
    for layer in layers:
        if isinstance(layer, keras.layers.Layer):
            variables += [seed.state for seed in own_seed_generators(layer)]
    return [v.value if isinstance(v, keras.Variable) else v for v in variables]


def _parts(variable: tf.Variable) -> Sequence[tf.Variable]:
    """The variables of the replicas, or the variable itself."""
    return getattr(variable, "values", None) or [variable]


def _copied(variables: Iterable[tf.Variable]) -> list[_Moved]:
    return [_Moved(variable, _copy(variable), _copy(variable)) for variable in variables]


def _copy(variable: tf.Variable) -> tf.Variable:
    with tf.init_scope():
        return tf.Variable(
            tf.identity(variable), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )

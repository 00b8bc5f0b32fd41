"""Shapes of signals without running a model: the model is traced, not executed."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.activations import activation_of, is_gated, is_linear
from keras_kd.activations import is_distribution as _is_distribution
from keras_kd.keras_internals import functional_of, mask_of, runs_as_wired
from keras_kd.parts import parts
from keras_kd.paths import layers_by_path
from keras_kd.signals.recording import Recording
from keras_kd.signals.taps import Taps
from keras_kd.tensors import Shape, Tensors, TensorSpecs

_SAMPLES = 13  # of random inputs; few other axes have this size


class SignalSpec(NamedTuple):
    """What a trace reveals about one signal."""

    shape: Shape
    dtype: str
    activation: str | None  # "softmax" or "sigmoid" if the signal is the output of such an operation
    mask: Shape | None = None  # the shape of the padding mask that it carries
    linear: bool = False  # whether it is the output of a dense layer or a convolution: not a probability
    gated: bool = False  # whether it depends on a sigmoid, with nothing linear in between
    given: bool = False  # whether it comes with the data, so that only its values tell what it is


def symbolic_inputs(model: keras.Model) -> TensorSpecs:
    """The symbolic inputs of a functional or sequential model, in its structure, else `None`.

    A subclassed model may have an attribute `inputs` of its own; a Sequential with its own `call` may take
    others than it was built with.
    """
    if isinstance(model, keras.Model) and functional_of(model) is None:
        return None
    if isinstance(model, keras.Sequential) and not runs_as_wired(model):
        return None
    if not getattr(model, "inputs", None):
        return None
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def input_spec(model: keras.Model) -> TensorSpecs:
    """The structure of `tf.TensorSpec`s that a functional or sequential model takes, else `None`."""
    inputs = symbolic_inputs(model)
    return keras.tree.map_structure(lambda t: None if t is None else tf.TensorSpec(t.shape, t.dtype), inputs)


def trace(function: Callable[..., Any], *specs: TensorSpecs) -> Any:
    """Trace `function` on specs and return the concrete function; nothing is run."""
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def trace_model(function: Callable[[Any], Any], spec: TensorSpecs) -> None:
    """Trace a function that calls a model; one that only runs eagerly is run, on random inputs.

    Args:
        function: Called with the model's inputs.
        spec: Their specs. What has free sizes besides the batch is not run.
    """
    try:
        trace(function, spec)
    except Exception as error:
        if not is_of_model(error) or has_free_sizes(spec):
            raise
        try:
            function(_random_inputs(spec))
        except Exception:  # so it is no matter of tracing
            raise error from error.__cause__


def is_of_model(error: BaseException) -> bool:
    """Whether an error in a trace may come from the code of a model, which reads sizes or values there."""
    cause = error.__cause__ or error
    return isinstance(cause, (TypeError, AttributeError, NotImplementedError)) or str(cause).startswith(
        "Exception encountered when calling"
    )


def has_free_sizes(spec: TensorSpecs) -> bool:
    """Whether an axis besides the batch is free, or the number of axes is."""
    specs = [each for each in keras.tree.flatten(spec) if each is not None]
    return any(each.shape.rank is None or None in each.shape[1:] for each in specs)


def _random_inputs(spec: TensorSpecs) -> Tensors:
    """A few samples; free sizes are 32."""
    random = np.random.default_rng(0)

    def draw(s: tf.TensorSpec) -> tf.Tensor:
        sizes = (d or 32 for d in s.shape[1:])
        return tf.cast(random.random((s.shape[0] or _SAMPLES, *sizes)), s.dtype)

    return keras.tree.map_structure(draw, spec)


def _shape(tensor: tf.Tensor) -> Shape:
    """The shape of a tensor; the number of random samples is a free one."""
    shape = tuple(tensor.shape)
    return (None, *shape[1:]) if tf.executing_eagerly() and shape[:1] == (_SAMPLES,) else shape


def trace_signals(
    call: Callable[[Any], tuple[Any, Recording]], taps: Taps, spec: TensorSpecs
) -> dict[str, SignalSpec]:
    """The signals by tap, from tracing `call(inputs) -> (outputs, recording)` on `spec`."""
    found: dict[str, SignalSpec] = {}

    def run(inputs: Tensors) -> None:
        for tap, tensor in taps.signals(*call(inputs)).items():
            if tensor.shape.rank is None:
                raise ValueError(
                    f"The signal {tap!r} of {taps.model.name!r} has an unknown number of axes, as after "
                    "tf.py_function or tf.numpy_function. Return tf.ensure_shape(signal, (None, ...)) there."
                )
            mask = mask_of(tensor)
            found[tap] = SignalSpec(
                _shape(tensor),
                tensor.dtype.name,
                "softmax" if tap in taps.distributions else activation_of(tensor),
                None if mask is None else _shape(mask),
                is_linear(tensor),
                is_gated(tensor),
            )

    trace_model(run, spec)
    return found


def probed(
    call: Callable[[Any], tuple[Any, Recording]],
    taps: Taps,
    spec: TensorSpecs,
    signals: dict[str, SignalSpec],
    wanted: Iterable[str],
) -> dict[str, SignalSpec]:
    """The signals by tap, with softmaxes and sigmoids that only their values reveal marked as such.

    Not every softmax or sigmoid is visible in the graph: an average of them, one inside `TimeDistributed`,
    one that is clipped. The taps in `wanted` that come from no known operation are run on random inputs.
    """
    unsure = [tap for tap in wanted if not (signals[tap].activation or signals[tap].linear)]
    if not unsure or any(getattr(layer, "stateful", False) for layer in layers_by_path(taps.model).values()):
        return signals
    try:
        values = taps.signals(*call(_random_inputs(spec)))
    except Exception:  # a model may accept only real data; then only the graph can tell
        return signals
    found = dict(signals)
    for tap in unsure:
        value = np.asarray(values[tap], "float64")
        if _is_distribution(value):
            found[tap] = found[tap]._replace(activation="softmax")
        elif found[tap].gated and (value >= 0).all() and (value <= 1).all():
            found[tap] = found[tap]._replace(activation="sigmoid")
    return found


def output_activation(model: keras.Model) -> str | None:
    """`"softmax"` or `"sigmoid"` if a model with one output and known inputs ends in one, else `None`."""
    return output_activations(model, ["output"])["output"]


def output_activations(model: keras.Model, outputs: Iterable[str]) -> dict[str, str | None]:
    """The same for each output of a model with known inputs, by its tap."""
    taps, spec = Taps(model, outputs), input_spec(model)

    def call(inputs: Any) -> tuple[Any, Recording]:
        with taps.record() as recording:
            return model(inputs, training=False), recording

    signals = probed(call, taps, spec, trace_signals(call, taps, spec), taps.names)
    return {tap: signals[tap].activation for tap in taps.names}


def trace_activations(call: Callable[[Any], Tensors], spec: TensorSpecs) -> dict[str, str | None]:
    """What the outputs of a call come from, `"softmax"`, `"sigmoid"` or `None`, by their path."""
    found: dict[str, str | None] = {}

    def run(inputs: Tensors) -> None:
        found.update({path: activation_of(output) for path, output in parts(call(inputs)).items()})

    trace_model(run, spec)
    return found

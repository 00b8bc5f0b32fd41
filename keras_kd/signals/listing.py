"""All that can be tapped in a model, from tracing it once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_kd.keras_internals import output_spec
from keras_kd.parts import parts
from keras_kd.paths import layers_by_path
from keras_kd.signals.addresses import SCORES, find_address, offers_scores
from keras_kd.signals.recording import RecordedCall, Recording, record
from keras_kd.signals.tracing import input_spec, is_of_model, trace
from keras_kd.tensors import Shape, Tensors


class TracedModel(NamedTuple):
    """A model after one trace.

    Attributes:
        taps: What can be tapped, in call order: symbolic TensorFlow tensors, or specs on other backends.
        inputs: The model's inputs, likewise.
        outputs: The model's outputs, likewise.
        elements: If only the first tensor of each call was asked for: which it is, where there are several.
        function: The function that the tensors belong to, which must outlive them.
    """

    taps: dict[str, Any]
    inputs: Tensors
    outputs: Tensors
    elements: dict[str, str]
    function: object = None


def trace_taps(
    model: keras.Model, layers: Mapping[str, keras.layers.Layer], every: bool = False
) -> TracedModel:
    """Trace a model once, and collect what each of its layers returns.

    Args:
        model: A model with known inputs.
        layers: Its layers by path.
        every: Whether to collect every tensor that a layer returns, and attention scores, each by its own
            tap. Otherwise the first tensor stands for the layer.
    """
    paths = {id(layer): path for path, layer in reversed(list(layers.items()))}
    scored = [layer for layer in layers.values() if every and offers_scores(layer)]
    hidden = _run_for_scores(layers, scored)
    calls: list[tuple[str, list[str]]] = []  # the path of each layer, and the elements that it returns
    noted: list[Any] = []

    def run(inputs: Tensors) -> tuple[Tensors, ...]:
        graph = tf.compat.v1.get_default_graph()
        with record(layers.values(), scored) as recording:
            outputs = model(inputs, training=False)
        found = [(paths[call.layer_id], _elements(call)) for call in _readable(recording, graph)]
        found = [(path, elements) for path, elements in found if path not in hidden]
        calls[:] = [(path, list(elements)) for path, elements in found]  # JAX traces twice
        return [list(elements.values()) for _, elements in found], inputs, outputs

    spec, function = input_spec(model), None
    if keras.backend.backend() == "tensorflow":
        function = trace(lambda inputs: noted.extend(run(inputs)), spec)
    else:
        noted.extend(output_spec(run, keras.tree.map_structure(_symbol, spec)))
    tensors, inputs, outputs = noted
    found = _by_call(calls, tensors)
    taps, elements = (dict(_flat(found, layers)), {}) if every else _first_of_each(found)
    return TracedModel(taps, inputs, outputs, elements, function)


def _by_call(
    calls: Sequence[tuple[str, Sequence[str]]], tensors: Sequence[Sequence[Any]]
) -> dict[str, dict[str, Any]]:
    """The tensors of each call by element, under the name of the call."""
    names = _number_calls([path for path, _ in calls])
    elements = [
        dict(zip(keys, values, strict=True)) for (_, keys), values in zip(calls, tensors, strict=True)
    ]
    return dict(zip(names, elements, strict=True))


def _run_for_scores(
    layers: Mapping[str, keras.layers.Layer], scored: Iterable[keras.layers.Layer]
) -> set[str]:
    """The softmax and dropout inside attention layers, which may run only if scores are asked for."""
    around = {path for path, layer in layers.items() if any(layer is other for other in scored)}
    return {path for path, layer in layers.items() if path.rpartition("/")[0] in around and not layer.weights}


def _readable(recording: Recording, graph: tf.Graph) -> list[RecordedCall]:
    """The calls that return tensors, without those of layers that also run in a loop or a tf.function.

    Tensors of such a graph cannot be read outside it.
    """
    tensors = {
        id(call): [value for value in keras.tree.flatten(call.outputs) if keras.ops.is_tensor(value)]
        for call in recording.calls
    }
    hidden = {
        call.layer_id
        for call in recording.calls
        if any(getattr(tensor, "graph", graph) is not graph for tensor in tensors[id(call)])
    }
    return [call for call in recording.calls if tensors[id(call)] and call.layer_id not in hidden]


def _elements(call: RecordedCall) -> dict[str, Any]:
    """The tensors of a call, by element; `""` for a single one."""
    found = {path: value for path, value in parts(call.outputs).items() if keras.ops.is_tensor(value)}
    if len(found) == 1:
        found = dict.fromkeys([""], *found.values())
    if call.scores is None:
        return found
    return {path: tensor for path, tensor in found.items() if tensor is not call.scores} | {
        SCORES: call.scores
    }


def _flat(
    found: Mapping[str, Mapping[str, Any]], layers: Mapping[str, keras.layers.Layer]
) -> Iterator[tuple[str, Any]]:
    """Each element by the name of its tap."""
    for name, elements in found.items():
        for element, tensor in elements.items():
            tap = f"{name}/{element}" if element else name
            means_it = not element or find_address("", layers, tap).element == element
            yield tap if means_it else f"{name}/output/{element}", tensor


def _first_of_each(found: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The first tensor of each call by its name, and its element where there are several."""
    first = {name: next(iter(elements)) for name, elements in found.items()}
    taps = {name: found[name][element] for name, element in first.items()}
    return taps, {name: element for name, element in first.items() if element}


def _symbol(spec: tf.TensorSpec) -> keras.KerasTensor:
    return keras.KerasTensor(spec.shape, spec.dtype.name)


def _number_calls(paths: list[str]) -> Iterator[str]:
    """The tap of each call: the path, with the number of the call if there are several."""
    totals, counts = Counter(paths), Counter[str]()
    for path in paths:
        yield path if totals[path] == 1 else f"{path}:{counts[path]}"
        counts[path] += 1


def tap_shapes(model: keras.Model) -> dict[str, Shape | None]:
    """Every path of `model` that can be tapped, in call order, with the shape of its signal.

    Args:
        model: As for `tap_names`.

    Returns:
        `{path: shape}`. The batch axis is `None`. The shapes of a subclassed model, or of one that reads free
        sizes of its inputs in Python, are not known before it sees data, so they are `None`.

    Examples:
        >>> import keras
        >>> from keras_kd.signals.listing import tap_shapes
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden")])
        >>> tap_shapes(model)
        {'hidden': (None, 3)}
    """
    layers = layers_by_path(model)
    if input_spec(model) is None:
        return dict.fromkeys(layers)
    try:
        traced = trace_taps(model, layers, every=True)
    except Exception as error:
        if not is_of_model(error):
            raise
        return dict.fromkeys(layers)  # it reads sizes that are free, or runs only eagerly
    return {tap: tuple(tensor.shape) for tap, tensor in traced.taps.items()}


def tap_names(model: keras.Model) -> list[str]:
    """List every path of `model` that can be tapped, in call order.

    Args:
        model: A built model. Functional and sequential models are listed by layer name; the
            layers of a subclassed model or layer by attribute name (`"block1/conv"`,
            `"blocks/0"`). A layer that runs more than once is listed as `"name:0"`, `"name:1"`,
            one that returns several tensors as `"name/0"`, `"name/1"` or by their keys, and the
            scores of an attention layer as `"name/scores"`.
            A subclassed model is listed in the order of its attributes, because its inputs, and
            therefore its calls, are not known before it sees data.

    Returns:
        The paths, without `"output"` and `"labels"`, which are always available.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> hidden, logits = keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2, name="logits")
        >>> model = keras.Sequential([keras.Input((4,)), hidden, logits])
        >>> kd.tap_names(model)
        ['hidden', 'logits']
    """
    return list(tap_shapes(model))

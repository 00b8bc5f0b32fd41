"""Functions of TensorFlow, such as those of a SavedModel, as a layer: they run inside the step."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_kd.contents import content_digest
from keras_kd.messages import some_of
from keras_kd.teachers.host import OwnFingerprint
from keras_kd.tensors import Tensors

_SERVING = "serving_default"


class TensorFunction(NamedTuple):
    """A function of tensors.

    Attributes:
        run: Takes tensors in the structure of the inputs.
        inputs: Specs of them; `None` if they are not known.
        owner: What holds its variables, which must outlive it.
        fingerprint: What tells it from others.
    """

    run: Callable[[Any], Any]
    inputs: Any
    owner: object
    fingerprint: OwnFingerprint = None


def open_saved_model(path: str | os.PathLike[str]) -> TensorFunction:
    """The serving signature of a SavedModel. It is code that TensorFlow runs: open those that you trust.

    Raises:
        ValueError: It does not load, or has no such signature.
    """
    try:
        loaded = tf.saved_model.load(os.fspath(path))
    except Exception as error:  # of whatever file of it is damaged
        raise ValueError(f"{os.fspath(path)!r} does not load as a SavedModel: {error}") from error
    digest = functools.partial(content_digest, path)
    return of_loaded(loaded, os.fspath(path))._replace(fingerprint=digest)


def of_loaded(loaded: Any, name: str) -> TensorFunction:
    """The same of what `tf.saved_model.load` returned."""
    signatures: Mapping[str, Any] = loaded.signatures
    names = list(signatures)
    chosen = _SERVING if _SERVING in names else names[0] if len(names) == 1 else None
    if chosen is None:
        advice = "Pass one of them: keras.layers.TFSMLayer(PATH, call_endpoint='NAME')." if names else ""
        raise ValueError(
            f"{name!r} has no signature {_SERVING!r}. It has these: {some_of(names) or 'none'}. {advice}"
        )
    return of_signature(signatures[chosen], loaded)


def of_signature(function: Any, owner: object = None) -> TensorFunction:
    """A signature, called by the names of its inputs. Of a single output, the tensor is returned.

    Raises:
        ValueError: Its variables are gone with the SavedModel that held them.
    """
    try:
        _ = function.graph.variables
    except AssertionError as error:  # as TensorFlow says of variables that were deleted
        raise ValueError(
            "A signature does not keep the variables of its SavedModel, and they are gone. Keep what "
            "tf.saved_model.load returned, or pass keras.layers.TFSMLayer(PATH, call_endpoint='NAME')."
        ) from error
    _, named = function.structured_input_signature
    specs = {key: keras.KerasTensor(_free(s.shape), s.dtype.name, name=key) for key, s in named.items()}
    single = next(iter(specs)) if len(specs) == 1 else None

    def run(x: Any) -> Tensors:
        found = function(**({single: x} if single is not None else x))
        return next(iter(found.values())) if isinstance(found, dict) and len(found) == 1 else found

    return TensorFunction(run, specs[single] if single is not None else specs, owner or function)


def of_tf_function(function: Any) -> TensorFunction:
    """A `tf.function`, or another callable of TensorFlow, called with its inputs as its only argument."""
    signature = getattr(function, "structured_input_signature", None)
    given = signature[0] if signature else getattr(function, "input_signature", None)
    return TensorFunction(function, _only(given), function)


def of_layer(layer: Any) -> TensorFunction:
    """A layer, such as a `keras.layers.TFSMLayer`: of a single named output, the tensor is returned.

    Raises:
        ValueError: It was not built, so that its weights would be random ones.
    """
    endpoint = getattr(layer, "call_endpoint_fn", None)
    if not layer.built and _makes_weights(layer):
        raise ValueError(
            f"The layer {layer.name!r} has no weights yet, so it has nothing to teach. Train it, load its "
            "weights, or call it once on data."
        )
    if endpoint is not None and is_signature(endpoint):
        return of_signature(endpoint, layer)
    concrete = getattr(endpoint, "concrete_functions", None)
    given = concrete[0].structured_input_signature[0] if concrete else None

    def run(x: Tensors) -> Tensors:
        return layer(x, training=False)

    return TensorFunction(run, _only(given), layer)


def _makes_weights(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Layer) and type(layer).build is not keras.layers.Layer.build


def _only(arguments: Any) -> Any:
    """The specs of the only argument of a function, if it is known."""
    if not arguments or any(not isinstance(spec, tf.TensorSpec) for spec in keras.tree.flatten(arguments[0])):
        return None
    return keras.tree.map_structure(
        lambda spec: keras.KerasTensor(_free(spec.shape), spec.dtype.name, name=spec.name), arguments[0]
    )


def _free(shape: tf.TensorShape) -> tuple[int | None, ...]:
    if shape.rank is None:
        raise ValueError("The signature says nothing of the shape of an input: give `inputs`.")
    return (None, *shape[1:])


def is_signature(source: object) -> bool:
    """Whether this is a function of TensorFlow that is called by the names of its inputs."""
    signature = getattr(source, "structured_input_signature", None)
    return signature is not None and not signature[0] and bool(signature[1])


class Foreign(keras.layers.Layer):
    """A function of TensorFlow.

    Args:
        function: The function.
    """

    def __init__(self, function: TensorFunction, **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, trainable=False, **kwargs)
        self.__dict__["function"] = function  # Keras would track, and save, what it holds
        self.fingerprint = function.fingerprint

    def build(self, input_shape: object) -> None:
        """Do nothing: the function has its variables."""
        self.built = True

    def call(self, inputs: Tensors) -> Tensors:
        return self.__dict__["function"].run(inputs)

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"The teacher {self.name!r} is a function of TensorFlow, which no file of Keras can hold. Save "
            "the student, and make the teacher anew with kd.as_teacher."
        )

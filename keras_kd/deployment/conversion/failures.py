"""What `export` says when a conversion fails, and what it suggests trying."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.conversion.replacements import replacements_in
from keras_kd.deployment.conversion.request import Failure, Request
from keras_kd.deployment.source.input_shapes import is_free
from keras_kd.deployment.source.source_model import recurrent_layer
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.legacy import all_layers_of, keras_classes
from keras_kd.tensors import Shape

# Layers that compute another height and width from those of their input.
_RESIZING = ("UpSampling1D", "UpSampling2D", "UpSampling3D", "Resizing")

# As the converter spells operators when it misses them, except for capitals.
_BUILT_IN = {name.replace("_", "") for name in vars(schema.BuiltinOperator) if name.isupper()}
_MISSING = re.compile("TensorFlow Lite does not have these operators: ([^.;]*)")

_LARGEST = float(np.finfo("float16").max)

_WHAT_FAILED = {
    "convert": "The converter cannot make {article} file of {model!r}",
    "crash": "The converter crashed while making {article} file of {model!r}",
    "run": "The {label} file of {model!r} converts and then fails to run",
}


def failure_message(
    model: keras.Model,
    request: Request,
    failure: Failure,
    inputs: tuple[TensorDetails, ...] = (),
    samples: Mapping[str, Shape] | None = None,
) -> str:
    """One line: what failed, why, and what to try.

    Args:
        model: the model.
        request: what was to be converted.
        failure: what happened.
        inputs: its inputs, whose free sizes may be the cause.
        samples: the shape of one sample of each input that the model could be run on.
    """
    quantization = request.quantization
    what = _WHAT_FAILED[failure.stage].format(
        article=quantization.with_article, label=quantization.label, model=model.name
    )
    if precision := about_precision(model):
        return f"{what}: {failure.reason.rstrip('.')}. {precision}"
    advice, is_known = about_free_sizes(model, inputs, samples)
    reason = _of_fixed_size(failure.reason) if is_known else failure.reason
    if not is_known or (reason == failure.reason and _MISSING.search(reason)):
        advice = f"{_advice(model, request, failure)} {advice}".rstrip()
    return f"{what}: {reason.rstrip('.')}. {advice}"


def _of_fixed_size(reason: str) -> str:
    """A reason that says of operators which TensorFlow Lite does have that the sizes are what it lacks."""
    missing = _MISSING.search(reason)
    names = [name.strip() for name in missing[1].split(",")] if missing else []
    if not names or any(name.upper() not in _BUILT_IN for name in names):
        return reason
    return f"TensorFlow Lite needs known sizes for {', '.join(names)}"


def about_precision(model: keras.Model) -> str:
    """What to do about weights in another precision than that of files, float32; empty if there are none."""
    for weight in model.weights:
        dtype = tf.as_dtype(weight.dtype)
        if dtype.is_floating and dtype != tf.float32:
            return (
                f"Its weight {_path(weight)!r} is {dtype.name}, and files compute in float32: make the same "
                "model with dtype='float32', or 'mixed_float16', and copy its weights, "
                "new.set_weights(model.get_weights())."
            )
    return ""


def about_float16(model: keras.Model, file: Path) -> str:
    """What of a model float16 cannot hold, and what to do about it; empty if it holds all.

    Args:
        model: the model.
        file: its float16 file, in which the converter has put the largest float16 instead.
    """
    found = [(float(np.abs(weight).max(initial=0)), _path(weight)) for weight in model.weights]
    largest, path = max(found, default=(0.0, ""))
    if largest > _LARGEST:
        what = f"Its weight {path!r} reaches {largest:.3g}"
    elif _is_full(file):
        what = (
            "Weights that are multiplied into one, as those of a layer and its BatchNormalization, reach more"
        )
    else:
        return ""
    return (
        f"{what}, and float16 ends at {_LARGEST:.0f}: scale it down, or use quantization='dynamic' or None."
    )


def _path(weight: object) -> str:
    return str(getattr(weight, "path", None) or getattr(weight, "name", ""))


def _is_full(file: Path) -> bool:
    """Whether a constant of a file holds the largest float16, or infinity."""
    model = schema.Model.GetRootAs(file.read_bytes(), 0)
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            buffer = model.Buffers(tensor.Buffer())
            if tensor.Type() == schema.TensorType.FLOAT16 and buffer.DataLength():
                values = np.abs(np.frombuffer(buffer.DataAsNumpy().tobytes(), "float16"))
                if (values >= _LARGEST).any():
                    return True
    return False


def about_free_sizes(
    model: keras.Model, inputs: tuple[TensorDetails, ...], samples: Mapping[str, Shape] | None = None
) -> tuple[str, bool]:
    """Advice to fix the sizes that a model leaves free, if any; and whether a layer is known to need that.

    The sizes are those of the samples, as the calibration data must have them, too.
    """
    free = next((tensor for tensor in inputs if is_free(tensor)), None)
    if free is None:
        return "", False
    sizes = {tensor.name: (samples or {}).get(tensor.name) or _any_size(tensor) for tensor in inputs}
    shape = sizes[free.name] if len(inputs) == 1 else sizes
    classes = tuple(kind for name in _RESIZING for kind in keras_classes(f"layers.{name}"))
    names = [layer.name for layer in all_layers_of(model) if isinstance(layer, classes)]
    if names:
        return f"Layer {names[0]!r} needs an input {free.name!r} of fixed size: input_shape={shape}.", True
    return f"A fixed size of input {free.name!r} may help: input_shape={shape}.", False


def _any_size(tensor: TensorDetails) -> Shape:
    return tuple(size or 64 for size in tensor.shape[1:])


def _advice(model: keras.Model, request: Request, failure: Failure) -> str:
    quantization = request.quantization
    instead = replacements_in(failure.reason)
    if instead:
        return f"What exports: {'; '.join(instead)}."
    if "TensorFlow Lite does not have" in failure.reason:
        return "Replace the layers that use them; allow_flex=True writes a file that Python cannot run."
    if "even with Flex" in failure.reason:
        return "Replace the layers that use them."
    if "SIGKILL" in failure.reason:
        return "Something killed the process, perhaps for lack of memory; try again with more of it."
    if quantization.alternative:
        recurrent = recurrent_layer(model) if quantization.integer_activations else None
        unroll = f", or unroll=True in layer {recurrent!r}" if recurrent else ""
        return f"Try {quantization.alternative}{unroll}."
    if failure.stage == "run" and request.batch_size is None:
        return "A fixed batch may help: batch_size=1."
    return "Replace the layer that the converter cannot handle."

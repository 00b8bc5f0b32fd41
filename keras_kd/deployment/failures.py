"""What `export` says when a conversion fails, and what it suggests trying."""

from __future__ import annotations

import keras

from keras_kd.deployment.input_shapes import is_free
from keras_kd.deployment.request import Failure, Request
from keras_kd.deployment.serving import Serving
from keras_kd.deployment.source_model import recurrent_layer
from keras_kd.legacy import all_layers_of, keras_classes

# Layers that compute another height and width from those of their input.
_RESIZING = ("UpSampling1D", "UpSampling2D", "UpSampling3D", "Resizing")

_WHAT_FAILED = {
    "convert": "The converter cannot make {article} file of {model!r}",
    "crash": "The converter crashed while making {article} file of {model!r}",
    "run": "The {label} file of {model!r} converts and then fails to run",
}


def failure_message(model: keras.Model, request: Request, failure: Failure, advice: str = "") -> str:
    """One line: what failed, why, and what to try, which is this advice if there is any."""
    quantization = request.quantization
    what = _WHAT_FAILED[failure.stage].format(
        article=quantization.with_article, label=quantization.label, model=model.name
    )
    return f"{what}: {failure.reason.rstrip('.')}. {advice or _advice(model, request, failure)}"


def about_free_sizes(served: Serving) -> str:
    """Advice to fix the sizes that a model leaves free, for the layer that needs them; or nothing."""
    free = next((tensor for tensor in served.inputs if is_free(tensor)), None)
    if free is None:
        return ""
    classes = tuple(kind for name in _RESIZING for kind in keras_classes(f"layers.{name}"))
    names = [layer.name for layer in all_layers_of(served.model) if isinstance(layer, classes)]
    if not names:
        return ""
    example = tuple(size or 64 for size in free.shape[1:])
    return f"Layer {names[0]!r} needs an input {free.name!r} of fixed size: input_shape={example}."


def _advice(model: keras.Model, request: Request, failure: Failure) -> str:
    quantization = request.quantization
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

"""What `export` says when a conversion fails, and what it suggests trying."""

from __future__ import annotations

import keras

from keras_kd.deployment.replacements import replacements_in
from keras_kd.deployment.request import Failure, Request
from keras_kd.deployment.source_model import recurrent_layer

_WHAT_FAILED = {
    "convert": "The converter cannot make {article} file of {model!r}",
    "crash": "The converter crashed while making {article} file of {model!r}",
    "run": "The {label} file of {model!r} converts and then fails to run",
}


def failure_message(model: keras.Model, request: Request, failure: Failure) -> str:
    """One line: what failed, why, and what to try."""
    quantization = request.quantization
    what = _WHAT_FAILED[failure.stage].format(
        article=quantization.with_article, label=quantization.label, model=model.name
    )
    return f"{what}: {failure.reason.rstrip('.')}. {_advice(model, request, failure)}"


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

"""Which teacher it is: what a manifest says of it, so that its answers are not taken for another one's."""

from collections.abc import Mapping
from typing import Any

from keras_kd.deployment.source.fingerprint import Fingerprint
from keras_kd.legacy import KerasLayer, all_layers_of, is_tf_keras
from keras_kd.teachers.foreign import Foreign
from keras_kd.teachers.hosted import Hosted
from keras_kd.teachers.member import Member
from keras_kd.teachers.outputs import AsLogits
from keras_kd.teachers.taught.answering import AnswersInNumpy

UNKNOWN = "unknown"


def identify(teacher: Any) -> dict[str, str]:
    """What a manifest says of a teacher, whose weights exist.

    Its fingerprint is the digest of the file, folder or estimator that it was made of, or what it says
    itself, and `UNKNOWN` if a part of it says nothing, as a plain function. Models of Keras have it if a part
    of them is computed elsewhere.
    """
    if isinstance(teacher, AnswersInNumpy):
        return {"kind": type(teacher).__name__, "fingerprint": _own(teacher) or UNKNOWN}
    layers, weights, version = Fingerprint.of(teacher)
    found = {"kind": type(teacher).__name__, "layers": layers, "weights": weights, "keras": version}
    parts = [part for layer in all_layers_of(teacher) for part in _not_of_keras(layer)]
    if parts:
        found["fingerprint"] = UNKNOWN if None in parts else " ".join(map(str, parts))
    return found


def is_identified(identity: Mapping[str, str]) -> bool:
    """Whether what a manifest says of a teacher tells it from all others."""
    return identity.get("fingerprint") != UNKNOWN


def _not_of_keras(layer: KerasLayer) -> list[str | None]:
    """What the digests of layers and weights do not see of a layer; `None` is what nobody knows."""
    if isinstance(layer, Hosted):
        return [_own(layer.teacher), str(getattr(layer.teacher, "outputs", ""))]
    if isinstance(layer, Foreign):
        return [_own(layer)]
    if isinstance(layer, Member) and is_tf_keras(layer.tapped_model):
        return list(Fingerprint.of(layer.tapped_model)[:2])
    return [str(layer.kinds)] if isinstance(layer, AsLogits) else []


def _own(source: object) -> str | None:
    own = getattr(source, "fingerprint", None)
    found = own() if callable(own) else own
    return None if found is None else str(found)

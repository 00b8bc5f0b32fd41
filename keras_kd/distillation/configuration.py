"""What a Keras 3 Distiller saves about itself, besides weights: everything but the teacher."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from keras_kd.distillation.distiller import Distiller
    from keras_kd.distillation.objectives import Objective


def config_of(distiller: "Distiller", objectives: Sequence["Objective"] | None) -> dict[str, Any]:
    """The arguments of a Distiller, serialized.

    Args:
        distiller: The Distiller.
        objectives: Those it was given; `None`: it was made without, so that temperature and alpha define the
            loss.
    """
    serialize = keras.saving.serialize_keras_object
    config: dict[str, Any] = {"student": serialize(distiller.student), "name": distiller.name}
    if distiller.student_inputs is not None:
        config["student_inputs"] = distiller.student_inputs
    if objectives is not None:
        return {**config, "objectives": [serialize(objective) for objective in objectives]}
    scheduled = callable(distiller.temperature)
    config["temperature"] = serialize(distiller.temperature) if scheduled else distiller.temperature
    return {**config, "alpha": distiller.alpha}


def arguments_of(config: dict[str, Any], custom_objects: dict[str, Any] | None) -> dict[str, Any]:
    """The constructor arguments, deserialized from what `config_of` returned."""
    deserialize = keras.saving.deserialize_keras_object
    arguments = dict(config)
    arguments["student"] = deserialize(config["student"], custom_objects=custom_objects)
    if isinstance(config.get("temperature"), dict):
        arguments["temperature"] = deserialize(config["temperature"], custom_objects=custom_objects)
    if "objectives" in config:
        arguments["objectives"] = [deserialize(o, custom_objects) for o in config["objectives"]]
    return arguments

"""What is compared: Keras models and `.tflite` files, each with a name and a way to predict."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.belonging import OwnedFile, Owner
from keras_kd.deployment.edges import read_edges
from keras_kd.deployment.elements import Inputs
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.origin import Origin
from keras_kd.deployment.scoring.evidence import Evidence, evidence_of
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.source.source_model import is_automatic, student_keys
from keras_kd.legacy import is_model
from keras_kd.locations import MODEL_SUFFIXES
from keras_kd.messages import did_you_mean
from keras_kd.model_files import load_model
from keras_kd.tensors import Tensors

BASELINE = "baseline"

ModelOrFile: TypeAlias = keras.Model | str | os.PathLike[str]


@dataclass(frozen=True)
class Subject:
    """One model or file under comparison.

    Args:
        name: The name of its row.
        kind: As in `Row`.
        predict: Batch of inputs -> output name -> array.
        model: The Keras model, or None for a file.
        path: The file, or None for a Keras model.
        batch_size: The batch size, if it is fixed.
        evidence: A function that says what is known of each output, by name.
        ranges: The range of each quantized input of a file, by name.
        limits: A function that says what each output of a file can reach, by name; `None` for a float.
        inputs: What data for it consists of.
        exported: What is exported to size and time it: the `Distiller`, if `model` is the student of one.
        owner: What files of it have their names and order from; `None` if it knows none.
        owned: The file as one of its owner, if another tool wrote it.
        lite: The file, opened.
    """

    name: str
    kind: str
    predict: Callable[[Tensors], dict[str, np.ndarray]]
    model: keras.Model | None = None
    path: Path | None = None
    batch_size: int | None = None
    evidence: Callable[[], Mapping[str, Evidence]] = dict
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    limits: Callable[[], Mapping[str, tuple[float, float] | None]] = dict
    inputs: Inputs | None = None
    exported: keras.Model | None = None
    owner: Owner | None = None
    owned: OwnedFile | None = None
    lite: LiteModel | None = None

    @property
    def made_from(self) -> Origin | None:
        """What a file says of the model that it was made from."""
        return None if self.lite is None else self.lite.made_from


def open_subjects(
    models: Mapping[str, ModelOrFile], baseline: ModelOrFile | None
) -> tuple[list[Subject], str | None]:
    """Open everything that is compared; the baseline comes first if it is not one of the models.

    Returns:
        The subjects, and the name of the baseline.
    """
    if (
        isinstance(baseline, str)
        and baseline not in models
        and Path(baseline).suffix not in (".tflite", *MODEL_SUFFIXES)
    ):
        raise ValueError(
            f"The baseline must be a model, a .tflite or .keras file or one of the names {list(models)}. "
            f"Received: {baseline!r}{did_you_mean(baseline, models)}"
        )
    by_name = isinstance(baseline, str) and baseline in models
    own = "" if baseline is None or by_name else _own_name(baseline, models)
    if own in models:
        raise ValueError(
            f"Two models are named {BASELINE!r}: rename one, or pass baseline={BASELINE!r} alone."
        )
    named = {own: baseline, **models} if own else dict(models)
    if not named:
        raise ValueError("There is nothing to compare: pass models or files, such as student=model.")
    reference = str(baseline) if by_name else own or None
    return [open_subject(key, value) for key, value in named.items()], reference


def _own_name(baseline: ModelOrFile, taken: Mapping[str, ModelOrFile]) -> str:
    """What a baseline is called that nobody gave a name: what it calls itself, if that tells it apart."""
    if isinstance(baseline, str | os.PathLike):
        name = Path(baseline).stem
    else:
        student = getattr(baseline, "student", None)
        name = str(getattr(student if is_model(student) else baseline, "name", ""))
    return BASELINE if not name.strip() or is_automatic(name) or name in taken else name


def open_subject(name: str, value: ModelOrFile) -> Subject:
    """A model, a `.tflite` file or a `.keras` file, ready to predict."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"A model needs a readable name. Received: {name!r}")
    if isinstance(value, str | os.PathLike):
        return _open_file(name, Path(value))
    if not is_model(value):
        raise TypeError(f"{name!r} must be a keras.Model or the path of a .tflite file. Received: {value!r}")
    student = getattr(value, "student", None)
    model = student if is_model(student) else value
    served = make_serving(model, keys=student_keys(value))
    run = served.runner()
    return Subject(
        name=name,
        kind="keras",
        predict=lambda x: run(served.arrays(x)),
        model=model,
        batch_size=served.batch_size,
        evidence=lambda: evidence_of(value, served),
        inputs=served.data_inputs(),
        exported=value,
        owner=Owner.of_model(served, run),
    )


def _open_file(name: str, path: Path) -> Subject:
    if path.suffix in MODEL_SUFFIXES or path.is_dir():
        try:
            model = load_model(path)
        except (ValueError, FileNotFoundError) as error:
            raise type(error)(f"{name!r}: {error}") from error
        return open_subject(name, model)
    if path.suffix != ".tflite":
        raise ValueError(
            f"{name!r} must be a .tflite file or a Keras model (.keras, .h5, .hdf5). Received: {str(path)!r}"
        )
    lite = LiteModel(path)
    edges = read_edges(path)
    names = [tensor.name for tensor in lite.outputs]
    known = {name: Evidence(edges.activations.get(name)) for name in names}
    # Each output is here, as they may go by their order: that of floats, too.
    limits = {name: edges.limits.get(name) for name in names}
    return Subject(
        name=name,
        kind=file_kind(path),
        predict=lite.predict_by_name,
        path=path,
        batch_size=lite.batch_size,
        evidence=lambda: known,
        ranges=edges.ranges,
        limits=lambda: limits,
        inputs=lite.data_inputs(),
        owner=None if lite.interface.guessed else Owner.of_file(lite),
        lite=lite,
    )


def file_kind(path: Path) -> str:
    """The number format that a `.tflite` file computes in, judging by the types of its tensors."""
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    computed: set[tuple[int, bool]] = set()
    stored: set[tuple[int, bool]] = set()
    for number in range(model.SubgraphsLength()):
        graph = model.Subgraphs(number)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            constant = model.Buffers(tensor.Buffer()).DataLength() > 0
            (stored if constant else computed).add((tensor.Type(), _is_scaled(tensor)))
    if (schema.TensorType.INT16, True) in computed:
        return "int16x8"
    if (schema.TensorType.INT8, True) in computed:
        return "int8"
    if (schema.TensorType.INT8, True) in stored:
        return "dynamic"
    return "float16" if (schema.TensorType.FLOAT16, False) in stored else "float32"


def _is_scaled(tensor: Any) -> bool:
    quantization = tensor.Quantization()
    return quantization is not None and quantization.ScaleLength() > 0

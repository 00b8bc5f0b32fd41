"""Anything that answers, as a model that a Distiller takes as its teacher."""

from typing import Any

import keras

from keras_kd.keras_internals import output_spec, runs_as_wired
from keras_kd.legacy import KerasModel, is_model, is_tf_keras
from keras_kd.parts import parts
from keras_kd.signals.tracing import symbolic_inputs
from keras_kd.teachers.foreign import Foreign, TensorFunction
from keras_kd.teachers.host import HostTeacher
from keras_kd.teachers.hosted import Hosted, try_out
from keras_kd.teachers.member import Preprocess
from keras_kd.teachers.members import answer_of, as_inputs
from keras_kd.teachers.outputs import AsLogits, Kinds, check_kinds
from keras_kd.teachers.sources import find_source
from keras_kd.tensors import Shape, Tensors


def as_teacher(
    source: object,
    *,
    preprocess: Preprocess | None = None,
    outputs: Kinds = None,
    inputs: Tensors | Shape = None,
    host: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Make a teacher of anything that answers for a batch.

    The result is a `keras.Model` for `kd.Distiller(student, teacher)`, `kd.ensemble` and `predict`. Like any
    teacher, it is neither trained nor saved with the student.

    Inside the compiled step run models of Keras 3 and tf_keras, `.keras` and `.h5` files (those of early
    versions, too), the serving signature of a SavedModel, a `keras.layers.TFSMLayer`, a `tf.function`.

    On the host, so that each step waits for it, run `.tflite` and `.onnx` files, a `kd.LiteModel`, an
    `onnxruntime.InferenceSession`, estimators in the way of scikit-learn, and functions of NumPy arrays, in
    which a PyTorch module or a remote service answers. These need `host=True`, and run without XLA. An answer
    that is NaN is an error that names the sample. `kd.precompute` takes all of these as they are, and asks
    once for each sample.

    Probabilities, where they are stated, become log-probabilities; one of 0 becomes a logit of -85.

    Args:
        source: A path; the object itself; or anything with `answer(batch) -> {tap: array}`, `name` and
            `inputs`, as `keras_kd.teachers.host.HostTeacher` describes it.
        preprocess: Makes the inputs of the source of the data's: a function of tensors, or a layer. `inputs`
            are then those of the data.
        outputs: What the source answers with: `"logits"`; `"probabilities"` of classes (of a single output,
            that of a yes); `"sigmoid"`, probabilities of labels, each by itself; `"values"`, numbers. Of
            several outputs, also by their names. Default: `predict_proba` answers with probabilities; those
            of models are recognized by how they are computed, and by their values.
        inputs: The shape of a sample, or a structure of `keras.Input`s, where the source does not tell.
        host: Whether a source that answers on the host may be asked in each step.
        name: The name of the teacher. Default: that of the source.

    Raises:
        ImportError: An `.onnx` file, without onnxruntime (`pip install 'keras-kd[onnx]'`).
        OSError: There is no such file.
        TypeError: The source is nothing that answers.
        ValueError: It does not load, it answers on the host and `host` is not set, its inputs are not known,
            or it fails on a small random batch.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> x, labels = np.random.rand(60, 4), np.arange(60) % 3
        >>> forest = RandomForestClassifier(5, random_state=0).fit(x, labels)
        >>> teacher = kd.as_teacher(forest, host=True)
        >>> student = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> distiller = kd.Distiller(student, teacher)
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = distiller.fit(x, labels, verbose=0)
    """
    check_kinds(outputs)
    found, name, outputs = find_source(source, name, outputs)
    if is_model(found):
        return _of_model(found, name, preprocess, outputs, inputs)
    if isinstance(found, HostTeacher) and not isinstance(found, TensorFunction) and not host:
        raise ValueError(
            f"{name!r} answers on the host, outside TensorFlow, so that each step would wait for it. "
            "kd.precompute(teacher, data, folder) takes it as it is, and asks once for each sample; for a "
            "Distiller that waits, pass host=True."
        )
    shared = as_inputs(inputs) if inputs is not None else None
    of_source = _inputs_of_source(found, name, preprocess, shared)
    if isinstance(found, TensorFunction):
        answers = Foreign(found, name=name)(of_source)
    else:
        answers = Hosted(found, try_out(found, of_source), name=name)(of_source)
    model = keras.Model(of_source, _with_logits(answers, outputs), name=name)
    return model if preprocess is None else _around(model, name, preprocess, None, shared)


def _of_model(
    model: KerasModel, name: str, preprocess: Preprocess | None, outputs: Kinds, inputs: Tensors | Shape
) -> keras.Model:
    if not model.built:
        raise ValueError(
            f"The teacher {name!r} has no weights yet, so it has nothing to teach. Train it, load its "
            "weights, or call it once on data."
        )
    as_it_is = preprocess is None and outputs is None and name == model.name
    if as_it_is and not is_tf_keras(model):
        return _with_plain_input(model)
    return _around(model, name, preprocess, outputs, as_inputs(inputs) if inputs is not None else None)


def _with_plain_input(model: keras.Model) -> keras.Model:
    """The model; of early Keras, it may take a list of one input, where data is one tensor."""
    symbols = symbolic_inputs(model)
    if not isinstance(symbols, (list, tuple)) or len(symbols) != 1 or not runs_as_wired(model):
        return model
    return keras.Model(
        symbols[0], model.outputs[0] if len(model.outputs) == 1 else model.output, name=model.name
    )


def _around(
    model: KerasModel, name: str, preprocess: Preprocess | None, outputs: Kinds, shared: Any
) -> keras.Model:
    """A model as the only member of another one."""
    if shared is None:
        symbols = symbolic_inputs(model)
        if symbols is None:
            raise ValueError(_unknown_inputs(name))
        fresh = keras.tree.map_structure(_fresh, symbols)
        flat = list(parts(fresh).values())
        shared = flat[0] if len(flat) == 1 and not isinstance(fresh, dict) else fresh
    answers = answer_of(name, model, preprocess, shared)
    return keras.Model(shared, _with_logits(answers, outputs), name=name)


def _inputs_of_source(
    source: TensorFunction | HostTeacher, name: str, preprocess: Preprocess | None, shared: Any
) -> Any:
    """Symbolic inputs of what is neither model: those that it tells, or that it is given."""
    if source.inputs is not None and (shared is None or preprocess is not None):
        return keras.tree.map_structure(_fresh, source.inputs)
    if shared is None:
        raise ValueError(_unknown_inputs(name))
    if preprocess is None:
        return shared
    return keras.tree.map_structure(_fresh, output_spec(preprocess, shared))


def _unknown_inputs(name: str) -> str:
    return (
        f"What the teacher {name!r} takes is not known. State the shape of a sample: "
        "kd.as_teacher(..., inputs=(28, 28, 1)), or keras.Input(...)s for other types than floats and for "
        "several inputs."
    )


def _fresh(spec: keras.KerasTensor) -> keras.KerasTensor:
    dtype = keras.backend.standardize_dtype(spec.dtype)
    return keras.Input(batch_shape=(None, *spec.shape[1:]), dtype=dtype, name=spec.name)


def _with_logits(answers: Any, outputs: Kinds) -> Any:
    if outputs is None:
        return answers
    kinds = outputs if isinstance(outputs, str) else dict(outputs)
    named = parts(answers)
    unknown = [] if isinstance(kinds, str) else [path for path in kinds if path not in named]
    if unknown:
        raise ValueError(f"`outputs` names {unknown[0]!r}, and the teacher answers with {list(named)}.")
    return AsLogits(kinds, name="logits")(answers)

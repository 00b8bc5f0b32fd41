"""SimKD: the student imitates the teacher's last map, and is deployed with the teacher's classifier."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from keras_kd.messages import did_you_mean, one_line
from keras_kd.projections.projection import Projection, normalization, pool_to, whole

_CONVOLUTIONS = {3: layers.Conv1D, 4: layers.Conv2D, 5: layers.Conv3D}


@keras.saving.register_keras_serializable("keras_kd")
class SimKDProjector(Projection):
    """SimKD's projector: convolutions of size 1, 3 and 1, each with BatchNorm and ReLU.

    The inner two are `reduction` times narrower than the teacher. A student's map that is larger
    than the teacher's is average-pooled first. A smaller one keeps its size, as in the authors'
    code: the loss pools the teacher's. The result is not negative, as the teacher's map after its
    last ReLU.

    Unlike other projections this one stays in the model that is deployed; see `reuse_classifier`.

    Source: Chen, Mei, Zhang, Wang, Feng, Chen 2022, "Knowledge Distillation with the Reused Teacher
    Classifier", arXiv 2203.14001; the layers are those of the authors' code.

    Args:
        units: The width of the result. `None`: the teacher's.
        reduction: How many times narrower the inner convolutions are; 2 in the authors' code.
        **kwargs: As for `Projection`.

    Shapes:
        Student: sequences, maps or volumes `(batch, ...positions, width)`, of the teacher's rank.
        Result: `(batch, ...positions, units)`, with positions pooled to the teacher's.

    Raises:
        ValueError: Vectors, ranks that differ, an unknown width.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> layer = kd.projections.SimKDProjector()
        >>> layer.size_for((None, 4, 4, 64))
        >>> tuple(layer(np.ones((2, 8, 8, 16))).shape)
        (2, 4, 4, 64)
    """

    def __init__(self, units: int | None = None, reduction: int = 2, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.reduction = whole("reduction", reduction)

    def build(self, input_shape: Any) -> None:
        shape = self.require(
            input_shape, (3, 4, 5), "sequences, maps or volumes (batch, ...positions, width)"
        )
        units = self.width_of(0)
        inner = max(units // self.reduction, 1)
        self.convolutions, self.norms = [], []
        # Not dense layers: this is deployed, and converters know convolutions best.
        for width, kernel in ((inner, 1), (inner, 3), (units, 1)):
            convolution = _CONVOLUTIONS[len(shape)](
                width,
                kernel,
                padding="same",
                use_bias=False,
                data_format="channels_last",
                dtype=self.dtype_policy,
            )
            convolution.build(shape)
            shape = (*shape[:-1], width)
            norm = normalization(self.dtype_policy)
            norm.build(shape)
            self.convolutions.append(convolution)
            self.norms.append(norm)

    def call(self, signal: Any, training: bool | None = None) -> Any:
        teacher = self.shape_of(0)
        signal = signal if teacher is None else pool_to(signal, teacher[1:-1])
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            signal = ops.relu(norm(convolution(signal), training=training))
        return signal


def reuse_classifier(
    student: keras.Model,
    teacher: keras.Model,
    *,
    student_tap: str,
    teacher_tap: str,
    projector: keras.layers.Layer | None = None,
) -> keras.Model:
    """SimKD's student: its layers up to a tap, a projector, then the teacher's own classifier.

    Train it as shown below, on the features alone, without a hard loss: the classifier is already
    trained, and frozen. Then export it as it is.

    Source: Chen et al. 2022, arXiv 2203.14001.

    Args:
        student: A functional or sequential model. Its layers are shared with the result.
        teacher: A trained functional or sequential model. What follows `teacher_tap` is copied, with
            its weights; the teacher itself is not changed.
        student_tap: The student's layer to project, usually the one that gives its last map.
        teacher_tap: The teacher's layer to imitate, usually the one that gives its last map.
        projector: `None`: a `SimKDProjector` in the precision of the student's layer. Or a layer of
            your own. It is given the name `"projector"`.

    Returns:
        A model from the student's inputs to what the teacher's classifier says: its layers are the
        student's, then `"projector"` and the frozen model `"classifier"`.

    Raises:
        TypeError: A model that is neither functional nor sequential.
        ValueError: A layer that does not exist; a classifier that needs more of the teacher than
            this tap, or that cannot take the projected signal or be copied; a layer of the student
            that is named as what is joined to it.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = kd.models.digits_teacher(), kd.models.digits_student()
        >>> model = kd.projections.reuse_classifier(
        ...     student, teacher, student_tap="stage3", teacher_tap="stage3"
        ... )
        >>> imitate = kd.Objective("mse", student="projector", teacher="stage3")
        >>> distiller = kd.Distiller(model, teacher, [imitate])
        >>> distiller.compile("adam")
        >>> images = np.random.default_rng(0).random((32, 8, 8, 1), "float32")
        >>> history = distiller.fit(images, verbose=0)
        >>> tuple(model(images).shape)
        (32, 10)
    """
    features = _tensor_of(student, student_tap, "student")
    imitated = _tensor_of(teacher, teacher_tap, "teacher")
    if projector is None:
        projector = SimKDProjector(dtype=_layer_of(student, student_tap).dtype_policy)
    projector.name = "projector"
    if hasattr(projector, "size_for"):
        projector.size_for(tuple(imitated.shape))
    projected = projector(features)
    classifier = _rest(teacher, teacher_tap, imitated, projected)
    inputs = _graph(student).input
    _check_names(student, keras.Model(inputs, features))
    name = f"{student.name}_with_{teacher.name}_classifier"
    return keras.Model(inputs, classifier(projected, training=False), name=name)


def _check_names(student: keras.Model, kept: keras.Model) -> None:
    """That no layer of the student, up to its tap, has the name of one that is joined to it."""
    for name in ("projector", "classifier"):
        if any(layer.name == name for layer in kept.layers):
            raise ValueError(
                f"The student {student.name!r} has a layer {name!r} of its own, and what is joined to it "
                f"gets that name. Rename the student's: student.get_layer({name!r}).name = 'student_{name}'."
            )


def _graph(model: keras.Model) -> Any:
    return getattr(model, "_functional", None) or model


def _layer_of(model: keras.Model, tap: str) -> keras.layers.Layer:
    return next(layer for layer in model.layers if layer.name == tap)


def _tensor_of(model: keras.Model, tap: str, side: str) -> Any:
    """What a layer of a model's own graph returns; a layer may be in the graphs of other models too."""
    graph = _graph(model)
    if not hasattr(graph, "_nodes_by_depth"):
        raise TypeError(
            f"The {side} must be a functional or sequential model with known inputs, because its layers are "
            f"joined to others. Received: {model!r}."
        )
    calls = [node for depth in graph._nodes_by_depth.values() for node in depth if not node.is_input]
    nodes = [node for node in calls if node.operation.name == tap]
    if not nodes:
        names = [layer.name for layer in model.layers]
        raise ValueError(
            f"The {side} {model.name!r} has no layer {tap!r} of its own."
            f"{did_you_mean(tap, names, 3)} A nested model cannot be cut inside. "
            f"Its layers are: {', '.join(names)}."
        )
    if len(nodes) > 1 or len(nodes[0].output_tensors) > 1:
        raise ValueError(
            f"The layer {tap!r} of the {side} {model.name!r} runs {len(nodes)} times and returns "
            f"{len(nodes[0].output_tensors)} tensors. Choose a layer that runs once and returns one."
        )
    return nodes[0].output_tensors[0]


def _rest(teacher: keras.Model, tap: str, imitated: Any, projected: Any) -> keras.Model:
    """A frozen copy of the teacher's layers between a tap and its outputs, for a signal of this shape."""
    try:
        path = keras.Function(imitated, teacher.outputs if len(teacher.outputs) > 1 else teacher.outputs[0])
    except ValueError as error:
        raise ValueError(
            f"What follows {tap!r} in the teacher {teacher.name!r} also reads other layers, so it cannot run "
            f"on one signal: {one_line(error)} Choose the layer that the classifier begins after."
        ) from error
    copies: dict[int, tuple[Any, Any]] = {}
    inputs = keras.Input(tuple(projected.shape[1:]), dtype=projected.dtype, name="features")
    operations = [node.operation for nodes in path._nodes_by_depth.values() for node in nodes]
    copied = {id(op): _copied(op, teacher, copies) for op in operations}
    try:
        outputs = path._run_through_graph(inputs, operation_fn=lambda op: copied[id(op)])
        for original, copy in copies.values():
            copy.set_weights(original.get_weights())
    except ValueError as error:
        raise ValueError(
            f"What follows {tap!r} in the teacher {teacher.name!r} takes signals of the shape "
            f"{tuple(imitated.shape)}, and the projected student has {tuple(projected.shape)}: "
            f"{one_line(error)} {_advice(tuple(imitated.shape), tuple(projected.shape))}"
        ) from error
    classifier = keras.Model(inputs, outputs, name="classifier")
    classifier.trainable = False
    return classifier


def _advice(wanted: tuple[int | None, ...], got: tuple[int | None, ...]) -> str:
    if len(got) != len(wanted):
        return f"The projector must return {len(wanted)} axes, the batch among them."
    if got[-1] != wanted[-1]:
        return f"The projector must return the teacher's width, {wanted[-1]}."
    pairs = [(g, w) for g, w in zip(got[1:-1], wanted[1:-1], strict=True) if g is not None and w is not None]
    if any(g < w for g, w in pairs):
        return "Choose a student's layer with a map of at least that size."
    if any(g > w for g, w in pairs):
        return "The projector must pool it to that size, as `SimKDProjector` does."
    return "Choose another `teacher_tap`, or replace the layer that refuses it."


def _copied(operation: Any, teacher: keras.Model, copies: dict[int, tuple[Any, Any]]) -> Callable[..., Any]:
    """A layer's copy, or any other operation itself; `copies` holds each layer with its copy."""
    if not isinstance(operation, keras.layers.Layer):
        return operation
    if id(operation) not in copies:
        try:
            copy = type(operation).from_config(operation.get_config())
        except (ValueError, TypeError, NotImplementedError) as error:
            raise ValueError(
                f"The layer {operation.name!r} ({type(operation).__name__}) of the teacher {teacher.name!r} "
                f"cannot be copied: {one_line(error)} Choose a `teacher_tap` after it, or write it as a "
                "layer whose `get_config` returns what its `__init__` takes."
            ) from error
        copies[id(operation)] = (operation, copy)
    return copies[id(operation)][1]

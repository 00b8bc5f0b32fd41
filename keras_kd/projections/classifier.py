"""SimKD: a student that is deployed with the teacher's classifier."""

from collections.abc import Callable

import keras

from keras_kd.messages import did_you_mean, one_line
from keras_kd.projections.simkd import SimKDProjector
from keras_kd.tensors import Shape, Tensors


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
        A model from the student's inputs to the output of the teacher's classifier: its layers are the
        student's, then `"projector"` and the frozen model `"classifier"`.

    Raises:
        TypeError: A model that is neither functional nor sequential.
        ValueError: A layer that does not exist; a classifier that needs more of the teacher than
            this tap, or that cannot take the projected signal or be copied; a layer of the student
            that has the name of one that is joined to it.

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
    """Raise a `ValueError` if a layer of the student up to its tap has the name of an added one."""
    for name in ("projector", "classifier"):
        if any(layer.name == name for layer in kept.layers):
            raise ValueError(
                f"The student {student.name!r} has a layer {name!r} of its own, and one that is added to it "
                f"gets that name. Rename the student's: student.get_layer({name!r}).name = 'student_{name}'."
            )


def _graph(model: keras.Model) -> keras.Function:
    return getattr(model, "_functional", None) or model


def _layer_of(model: keras.Model, tap: str) -> keras.layers.Layer:
    return next(layer for layer in model.layers if layer.name == tap)


def _tensor_of(model: keras.Model, tap: str, side: str) -> keras.KerasTensor:
    """The output of a layer in the model's own graph; the layer may be in other graphs too."""
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


def _rest(
    teacher: keras.Model, tap: str, imitated: keras.KerasTensor, projected: keras.KerasTensor
) -> keras.Model:
    """A frozen copy of the teacher's layers between a tap and its outputs, for a signal of this shape."""
    try:
        path = keras.Function(imitated, teacher.outputs if len(teacher.outputs) > 1 else teacher.outputs[0])
    except ValueError as error:
        raise ValueError(
            f"What follows {tap!r} in the teacher {teacher.name!r} also reads other layers, so it cannot run "
            f"on one signal: {one_line(error)} Choose the layer that the classifier begins after."
        ) from error
    copies: dict[int, tuple[keras.layers.Layer, keras.layers.Layer]] = {}
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
            f"{one_line(error)} {_advise(tuple(imitated.shape), tuple(projected.shape))}"
        ) from error
    classifier = keras.Model(inputs, outputs, name="classifier")
    classifier.trainable = False
    return classifier


def _advise(wanted: Shape, received: Shape) -> str:
    if len(received) != len(wanted):
        return f"The projector must return {len(wanted)} axes, the batch axis included."
    if received[-1] != wanted[-1]:
        return f"The projector must return the teacher's width, {wanted[-1]}."
    pairs = zip(received[1:-1], wanted[1:-1], strict=True)
    known = [(r, w) for r, w in pairs if r is not None and w is not None]
    if any(r < w for r, w in known):
        return "Choose a student's layer with a map of at least that size."
    if any(r > w for r, w in known):
        return "The projector must pool it to that size, as `SimKDProjector` does."
    return "Choose another `teacher_tap`, or replace the layer that refuses it."


def _copied(
    operation: keras.Operation,
    teacher: keras.Model,
    copies: dict[int, tuple[keras.layers.Layer, keras.layers.Layer]],
) -> Callable[..., Tensors]:
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

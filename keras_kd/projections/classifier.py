"""SimKD: a student that is deployed with the teacher's classifier."""

import keras

from keras_kd.graphs import Graph, NotCopied, Slot, graph_of, is_graph, rebuild, slots_in
from keras_kd.messages import did_you_mean, one_line
from keras_kd.projections.simkd import SimKDProjector
from keras_kd.tensors import Shape


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
    trained, and frozen. Then export it as is.

    Source: Chen et al. 2022, arXiv 2203.14001.

    Args:
        student: A functional or sequential model. Its layers are shared with the result.
        teacher: A trained functional or sequential model. What follows `teacher_tap` is copied, with
            its weights; the teacher itself is not changed.
        student_tap: The student's layer to project, usually the one that returns its last map.
        teacher_tap: The teacher's layer to imitate, usually the one that returns its last map.
        projector: `None`: a `SimKDProjector` in the precision of the student's layer. Or a custom
            layer. It is renamed to `"projector"`.

    Returns:
        A model from the student's inputs to the output of the teacher's classifier: its layers are the
        student's, then `"projector"` and the frozen model `"classifier"`.

    Raises:
        TypeError: A model that is neither functional nor sequential.
        ValueError: A layer that does not exist; a classifier that needs more of the teacher than
            this tap, or that cannot take the projected signal or be copied; a layer of the student
            that has the name of an added one.

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
    learned, features = _find_signal(student, student_tap, "student")
    taught, imitated = _find_signal(teacher, teacher_tap, "teacher")
    if projector is None:
        projector = SimKDProjector(dtype=learned.calls_at(student_tap)[0].operation.dtype_policy)
    projector.name = "projector"
    if hasattr(projector, "size_for"):
        projector.size_for(taught.shape(imitated))
    projected = projector(learned.symbol(features))
    classifier = _copy_rest(taught, teacher_tap, imitated, projected)
    _check_names(learned.cut(learned.inputs, features))
    inputs = keras.tree.map_structure(learned.symbol, learned.inputs)
    name = f"{student.name}_with_{teacher.name}_classifier"
    return keras.Model(inputs, classifier(projected, training=False), name=name)


def _check_names(kept: Graph) -> None:
    """Raise a `ValueError` if a layer of the student up to its tap has the name of an added one."""
    for name in ("projector", "classifier"):
        if any(call.path == name for call in kept.calls):
            raise ValueError(
                f"The student {kept.name!r} already has a layer {name!r}, and one that is added to it "
                f"gets that name. Rename the student's: student.get_layer({name!r}).name = 'student_{name}'."
            )


def _find_signal(model: keras.Model, tap: str, side: str) -> tuple[Graph, Slot]:
    """The graph of a model, and the output of one of its layers, which may be in other graphs too."""
    if not is_graph(model):
        raise TypeError(
            f"The {side} must be a functional or sequential model with known inputs, because its layers are "
            f"connected to others. Received: {model!r}."
        )
    graph = graph_of(model)
    calls = [call for call in graph.calls if call.path == tap]
    if not calls:
        names = [layer.name for layer in model.layers]
        raise ValueError(
            f"The {side} {model.name!r} has no layer {tap!r} of its own."
            f"{did_you_mean(tap, names, 3)} A nested model cannot be cut inside. "
            f"Its layers are: {', '.join(names)}."
        )
    if len(calls) > 1 or len(calls[0].results) > 1:
        raise ValueError(
            f"The layer {tap!r} of the {side} {model.name!r} runs {len(calls)} times and returns "
            f"{len(calls[0].results)} tensors. Choose a layer that runs once and returns one."
        )
    return graph, calls[0].results[0]


def _copy_rest(teacher: Graph, tap: str, imitated: Slot, projected: keras.KerasTensor) -> keras.Model:
    """A frozen copy of the teacher's layers from a tap to its outputs, for the projected signal."""
    outputs = slots_in(teacher.outputs)
    try:
        rest = teacher.cut(imitated, list(outputs) if len(outputs) > 1 else outputs[0])
    except ValueError as error:
        raise ValueError(
            f"What follows {tap!r} in the teacher {teacher.name!r} also reads other layers, so it cannot run "
            f"on one signal: {one_line(error)} Choose the layer after which the classifier begins."
        ) from error
    wanted, received = teacher.shape(imitated), tuple(projected.shape)
    shapes = {teacher.symbol(imitated).name: (None, *received[1:])}
    try:
        classifier = rebuild(rest, input_shapes=shapes, name="classifier")
    except NotCopied as error:
        raise ValueError(f"{error} Or choose a `teacher_tap` after it.") from error
    except ValueError as error:
        raise ValueError(
            f"What follows {tap!r} in the teacher {teacher.name!r} takes signals of the shape {wanted}, and "
            f"the projected student has {received}: {one_line(error)} {_advise(wanted, received)}"
        ) from error
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
    return "Choose another `teacher_tap`, or replace the layer that rejects it."

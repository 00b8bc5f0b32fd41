"""The wires of a Distiller: which signals of two models meet in which objective."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_kd.distillation.objectives import Objective, logits_of
from keras_kd.distillation.shape_inference import fit_together
from keras_kd.legacy import as_tf_keras_runs
from keras_kd.losses.loss import join_masks
from keras_kd.losses.samples import fits
from keras_kd.messages import one_line
from keras_kd.signals import batches
from keras_kd.signals.activations import activation_in
from keras_kd.signals.taps import Taps
from keras_kd.signals.tracing import Signal, probed, trace, trace_signals


class Tapped(NamedTuple):
    """What the taps of one model gave in one pass, by tap."""

    raw: dict[str, Any]
    logits: dict[str, Any]  # the same, with a softmax or sigmoid undone
    masks: dict[str, Any]  # the padding masks that came along

    def read(self, objective: Objective) -> dict[str, Any]:
        return self.logits if getattr(objective.loss, "reads_logits", False) else self.raw


NOTHING = Tapped({}, {}, {})


class Wiring:
    """The teacher and the taps of both models.

    It is a plain object, so that Keras does not track what it holds: the teacher is not trained,
    not in `weights`, not in any file.

    Args:
        student: The model whose layers are tapped.
        call: Runs the student, `call(inputs, training=...)`.
        teacher: The teacher, or `None`.
        preprocess: Turns the student's inputs into the teacher's, or `None`.
        objectives: What the taps are for.
    """

    __slots__ = (
        "_call",
        "_objectives",
        "_said",
        "_signals",
        "_taps",
        "_waiting",
        "preprocess",
        "student",
        "teacher",
    )

    def __init__(
        self,
        student: keras.Model,
        call: Callable[..., Any],
        teacher: keras.Model | None,
        preprocess: Callable[[Any], Any] | None,
        objectives: Sequence[Objective],
    ) -> None:
        self.student, self._call, self._objectives = student, call, objectives
        self.teacher, self.preprocess = teacher, preprocess
        self._taps: tuple[Taps, Taps | None] | None = None  # of the student and the teacher, once known
        self._signals: dict[str, Signal] = {}
        self._said: list[str] = []  # taps of the teacher that come with the data
        self._waiting: list[Objective] = []  # for data, which some losses read

    def prepare(self, inputs: Any, labels: Any = None, said: Any = None) -> None:
        """Resolve the taps, build the projections and check that every objective can be computed.

        Args:
            inputs: Specs of the student's inputs.
            labels: Specs of the labels, once they are known.
            said: Specs of the teacher's signals by tap, if they come with the data.

        Raises:
            ValueError: Taps, shapes or signals that do not fit.
        """
        if said is not None and self.teacher is not None:
            raise ValueError(
                "The data carries a teacher's signals, and this Distiller has a teacher of its own. Make it "
                "without a teacher, or give the inputs alone."
            )
        if self._taps is None:
            self._resolve(inputs, said)
        waiting = []
        for objective in self._waiting:
            known = labels is not None or all(tap.startswith("input") for tap in objective.data_taps)
            read = objective.data_taps if known else ()
            specs = {f"data:{tap}": batches.read(tap, inputs, labels) for tap in read}
            signals = {key: Signal(tuple(spec.shape), spec.dtype.name, None) for key, spec in specs.items()}
            if not fit_together(objective, self._signals | signals):
                waiting.append(objective)
        self._waiting = waiting

    def _resolve(self, inputs: Any, said: Any) -> None:
        wanted = list(dict.fromkeys(tap for o in self._objectives for tap in o.teacher_taps))
        if self.teacher is None and wanted:
            batches.check_said(wanted, said)
        if not self.student.built:
            trace(self.student, inputs)  # its first call runs every layer twice, which would be recorded
        of_masks = [o.mask for o in self._objectives if o.mask and not batches.comes_with_data(o.mask)]
        seen = [tap for o in self._objectives for tap in o.student_taps]
        student, teacher = Taps(self.student, [*seen, *of_masks]), None
        signals = self._traced("student", lambda x: self._run_student(x, student), student, inputs)
        if self.teacher is None:
            signals |= {f"teacher:{tap}": _said_signal(said[tap]) for tap in wanted}
        elif wanted:
            teacher = Taps(self.teacher, wanted)
            signals |= self._traced("teacher", lambda x: self._run_teacher(x, teacher), teacher, inputs)
        self._said = wanted if self.teacher is None else []
        self._signals, self._taps, self._waiting = signals, (student, teacher), list(self._objectives)

    def _traced(self, side: str, call: Callable[[Any], Any], taps: Taps, inputs: Any) -> dict[str, Signal]:
        signals = trace_signals(call, taps, inputs, side)
        told_apart = [o for o in self._objectives if tells_logits_apart(o)]
        keys = {tap: f"{side}:{tap}" for o in told_apart for tap in getattr(o, f"{side}_taps")}
        return probed(call, taps, inputs, signals, keys)

    def look_at(self, said: Any) -> None:
        """See from values whether signals that come with the data are logits or probabilities."""
        for objective in self._objectives:
            if tells_logits_apart(objective):
                for tap in set(objective.teacher_taps) & set(self._said):
                    key = f"teacher:{tap}"
                    signal = self._signals[key]
                    seen = activation_in(said[tap])
                    if seen == "sigmoid" and seen not in getattr(objective.loss, "undoes", ()):
                        seen = None  # logits may lie between 0 and 1 by chance
                    if not signal.given and signal.activation != seen:
                        raise ValueError(
                            f"The data's teacher signals: {tap!r} was {signal.activation or 'logits'} in an "
                            f"earlier `fit`, and looks like {seen or 'logits'} now. Call `compile` and set "
                            "`distiller.teacher = None` to start with other signals."
                        )
                    self._signals[key] = signal._replace(activation=seen, given=False)
                    objective.check({key: self._signals[key]})

    def _check_looked(self) -> None:
        for objective in self._objectives:
            unknown = any(self._signals[f"teacher:{tap}"].given for tap in objective.teacher_taps)
            if unknown and tells_logits_apart(objective):
                raise ValueError(
                    "Whether the signals that come with the data are logits or probabilities is seen in the "
                    "first batch of `fit`, and this was not one. Call `fit`, whose data has tensors only."
                )

    def _run_student(self, inputs: Any, taps: Taps, training: bool = False) -> tuple[Any, Any]:
        with taps.record() as recording, as_tf_keras_runs(self.student):
            recording.inputs = inputs
            return self._call(inputs, training=training), recording

    def _run_teacher(self, inputs: Any, taps: Taps) -> tuple[Any, Any]:
        if self.preprocess is not None:
            inputs = self.preprocess(inputs)
        try:
            with taps.record() as recording, as_tf_keras_runs(self.teacher):
                recording.inputs = inputs
                return self.teacher(inputs, training=False), recording  # type: ignore[misc]
        except ValueError as error:
            raise ValueError(
                f"The teacher {self.teacher.name!r} cannot take the student's inputs: "  # type: ignore[union-attr]
                f"{one_line(error)} Give a `teacher_preprocess` that resizes or converts them."
            ) from error

    def study(self, inputs: Any) -> tuple[Any, Tapped]:
        """Run the student once, in training: its outputs, and what was tapped."""
        assert self._taps is not None
        outputs, recording = self._run_student(inputs, self._taps[0], training=True)
        return outputs, self._tapped("student", self._taps[0], outputs, recording)

    def teach(self, inputs: Any, said: Any = None) -> Tapped:
        """What the teacher says: it runs once, if an objective reads it, or its signals come with the data.

        Nothing of it has a gradient.
        """
        assert self._taps is not None
        if self._said:
            self._check_looked()
            return self._with_logits("teacher", {tap: tf.convert_to_tensor(said[tap]) for tap in self._said})
        taps = self._taps[1]
        if taps is None:
            return NOTHING
        told = self._tapped("teacher", taps, *self._run_teacher(inputs, taps))
        return keras.tree.map_structure(tf.stop_gradient, told)

    def _tapped(self, side: str, taps: Taps, outputs: Any, recording: Any) -> Tapped:
        return self._with_logits(side, taps.signals(outputs, recording))

    def _with_logits(self, side: str, raw: dict[str, Any]) -> Tapped:
        activations = {tap: self._signals[f"{side}:{tap}"].activation for tap in raw}
        masks = {tap: getattr(tensor, "_keras_mask", None) for tap, tensor in raw.items()}
        return Tapped(
            raw,
            {tap: logits_of(tensor, activations[tap]) for tap, tensor in raw.items()},
            {tap: mask for tap, mask in masks.items() if mask is not None},
        )

    def compute(
        self,
        objective: Objective,
        seen: Tapped,
        told: Tapped,
        data: tuple[Any, Any],
        counted: Any = None,
        **call: Any,
    ) -> Any:
        """The unweighted value of an objective.

        Args:
            objective: The objective.
            seen: Of the student.
            told: Of the teacher.
            data: The inputs and the labels of the batch.
            counted: Where the sample weights are not zero, `(batch, ...positions)`, or `None`.
            call: What else `Objective.compute` takes.
        """
        of_data = {tap: batches.read(tap, *data) for tap in objective.data_taps}
        mask = _mask(objective, seen, told, data, counted)
        return objective.compute(seen.read(objective), told.read(objective) | of_data, mask=mask, **call)


def tells_logits_apart(objective: Objective) -> bool:
    """Whether it matters to an objective that a signal is logits, or probabilities."""
    loss = objective.loss
    return getattr(loss, "reads_logits", False) or getattr(loss, "reads_probabilities", False)


def _said_signal(spec: tf.TensorSpec) -> Signal:
    return Signal(tuple(spec.shape), spec.dtype.name, None, given=True)


def _mask(objective: Objective, seen: Tapped, told: Tapped, data: tuple[Any, Any], counted: Any) -> Any:
    """The padding masks of the signals that an objective reads, and its own, in one."""
    masks = [seen.masks[tap] for tap in objective.student_taps if tap in seen.masks]
    masks += [told.masks[tap] for tap in objective.teacher_taps if tap in told.masks]
    if objective.mask is not None:
        of_data = batches.comes_with_data(objective.mask)
        masks.append(batches.read(objective.mask, *data) if of_data else seen.raw[objective.mask])
    takes = counted is not None and objective.loss.takes_mask
    if takes and fits(counted, seen.raw[objective.student_taps[0]]):
        masks.append(counted)
    return join_masks(masks)

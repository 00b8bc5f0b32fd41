"""Which layers of two models correspond: the same fraction of the input's size, then of the depth."""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import keras

from keras_kd.legacy import require_keras_model
from keras_kd.signals.pairing.candidates import TapCandidate
from keras_kd.signals.pairing.descriptions import describe_fraction, describe_stages, format_columns
from keras_kd.signals.pairing.stages import KINDS, Stage, stages_of
from keras_kd.tensors import Shape


class TapPair(NamedTuple):
    """Two taps that could be compared.

    Attributes:
        student: The tap of the student.
        teacher: The tap of the teacher.
        why: What they have in common.
        student_shape: The shape of the student's signal, the batch axis first.
        teacher_shape: The shape of the teacher's.
    """

    student: str
    teacher: str
    why: str
    student_shape: Shape
    teacher_shape: Shape

    @property
    def objective(self) -> str:
        """The line of code for this pair. Losses other than `"mse"` read such pairs too."""
        project = ", project=True" if self.student_shape[-1] != self.teacher_shape[-1] else ""
        return f'kd.Objective("mse", student="{self.student}", teacher="{self.teacher}"{project})'


def pair_taps(teacher: keras.Model, student: keras.Model, n: int = 3, verbose: bool = True) -> list[TapPair]:
    """Propose layers of a student and a teacher to compare, and print why.

    Maps are paired with maps at the same fraction of the input's height and width, from the ends of
    stages, the deepest first. If there are fewer stages than `n`, and for tokens and vectors, ends of
    blocks at the same fraction of the depth are paired too. A block ends at an output that no shortcut
    bypasses: after an addition or concatenation and its activation, or else after an activation. If the
    connections do not show that a stage ends there, `why` says "maps": a strided layer after an
    activation could be in the middle of a block, and an addition that is not a layer has no tap.
    Sequences are paired only with sequences of the same length. The models' own outputs are never
    included: they are tapped as `"output"`.

    The proposal is based on shapes and connections. Nothing is run, and nothing is known about what the
    layers have learned. Copy the lines that suit you.

    Args:
        teacher: A model with known inputs.
        student: The same.
        n: The maximum number of pairs.
        verbose: Whether to print them.

    Returns:
        The pairs, shallow to deep: named tuples with `student`, `teacher`, `why`, both shapes, and
        `objective`, a line of code. Fewer than `n` if no more layers match.

    Raises:
        ValueError: No layers match; a model whose shapes are not known before it sees data.

    Examples:
        >>> import keras_kd as kd
        >>> pairs = kd.pair_taps(kd.models.digits_teacher(), kd.models.digits_student(), n=2)
        student            teacher            why
        stage2 (4x4x16)    stage2 (4x4x48)    maps at 1/2 of the input, depths 55 % and 63 %
        stage3 (2x2x24)    stage3 (2x2x96)    ends of stages at 1/4 of the input, depths 82 % and 93 %
        <BLANKLINE>
        kd.Objective("mse", student="stage2", teacher="stage2", project=True)
        kd.Objective("mse", student="stage3", teacher="stage3", project=True)
        >>> [(pair.student, pair.teacher) for pair in pairs]
        [('stage2', 'stage2'), ('stage3', 'stage3')]
    """
    require_keras_model(teacher, "teacher")
    require_keras_model(student, "student")
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"`n` must be an integer of at least 1. Received: {n!r}.")
    stages = {"teacher": stages_of(teacher), "student": stages_of(student)}
    kind, matches = _select_kind(stages["student"], stages["teacher"])
    if not matches:
        raise ValueError(
            f"No layers of the teacher {teacher.name!r} and the student {student.name!r} match: "
            f"{describe_stages(stages)}. Distill from the outputs alone, or choose taps yourself: "
            "kd.tap_names lists them."
        )
    pairs = _make_pairs(kind, matches, n)
    if verbose:
        missing = ""
        if len(pairs) < n:
            found = describe_stages(stages, KINDS[: KINDS.index(kind) + 1])
            missing = f"\n{len(pairs)} instead of {n}, because no more match: {found}.\n"
        print(_table(pairs), missing, *(pair.objective for pair in pairs), sep="\n")
    return pairs


Match: TypeAlias = tuple[Stage, Stage]  # of the student and of the teacher


def _select_kind(student: dict[str, list[Stage]], teacher: dict[str, list[Stage]]) -> tuple[str, list[Match]]:
    """The kind of signal with the most possible pairs, and its matching stages."""
    matches = {kind: _match_stages(student[kind], teacher[kind]) for kind in KINDS}
    kind = max(KINDS, key=lambda kind: sum(_capacity(match) for match in matches[kind]))
    return kind, matches[kind]


def _capacity(match: Match) -> int:
    return min(len(stage.ends) for stage in match)


def _match_stages(student: Sequence[Stage], teacher: Sequence[Stage]) -> list[Match]:
    """The longest sequence of stages that both models have in this order; among equals, the deepest."""
    best: dict[tuple[int, int], list[Match]] = {}
    for i in range(len(student) + 1):
        for j in range(len(teacher) + 1):
            if i == 0 or j == 0:
                best[i, j] = []
            elif student[i - 1].key == teacher[j - 1].key:
                best[i, j] = [*best[i - 1, j - 1], (student[i - 1], teacher[j - 1])]
            else:
                best[i, j] = max(best[i - 1, j], best[i, j - 1], key=len)
    return best[len(student), len(teacher)]


def _count_pairs(matches: Sequence[Match], n: int) -> list[int]:
    """How many pairs to take from each match: first one, then more within the stages."""
    counts = [1] * len(matches)
    while sum(counts) < n and any(c < _capacity(m) for c, m in zip(counts, matches, strict=True)):
        open_ones = [i for i, match in enumerate(matches) if counts[i] < _capacity(match)]
        # The stage with the fewest so far; among equals, the deepest.
        counts[min(reversed(open_ones), key=lambda i: counts[i])] += 1
    return counts


def _make_pairs(kind: str, matches: Sequence[Match], n: int) -> list[TapPair]:
    matches = matches[-n:]
    pairs = []
    for match, count in zip(matches, _count_pairs(matches, n), strict=True):
        both = zip(*(_spread(stage.ends, count) for stage in match), strict=True)
        for number, (s, t) in enumerate(both, 1):
            depths = f"depths {100 * s.depth:.0f} % and {100 * t.depth:.0f} %"
            why = f"{_reason(kind, match, number == count)}, {depths}"
            pairs.append(TapPair(s.tap, t.tap, why, s.shape, t.shape))
    return pairs


def _spread(ends: Sequence[TapCandidate], count: int) -> list[TapCandidate]:
    """`count` of them, evenly spread, including the last one."""
    return [ends[-(-number * len(ends) // count) - 1] for number in range(1, count + 1)]


def _reason(kind: str, match: Match, last: bool) -> str:
    key = match[0].key
    if kind == "maps":
        ends = "ends of stages" if all(stage.closed for stage in match) else "maps"
        return f"{ends if last else 'within stages'} at {describe_fraction(key)} of the input"
    return f"{'?' if key is None else key} tokens" if kind == "tokens" else "vectors"


def _table(pairs: Sequence[TapPair]) -> str:
    rows = [("student", "teacher", "why")]
    for pair in pairs:
        student, teacher = (f"{tap} ({_size(shape)})" for tap, shape in zip(pair[:2], pair[3:], strict=True))
        rows.append((student, teacher, pair.why))
    return format_columns(rows)


def _size(shape: Shape) -> str:
    return "x".join("?" if axis is None else str(axis) for axis in shape[1:])

"""Where the results of steps go."""

import pytest

from keras_kd.compression.costs.arena import Life
from keras_kd.compression.costs.steps import Plan, Recording


def buffers(note, *, returned=True):
    """Whether what `note` makes of a computed tensor takes the place of that."""
    record = Recording()
    given = record.tensor(8)
    made = record.new([given], 8, takes=True)
    result = note(record, made)
    end = record.new([result], 4)
    plan = Plan(record, [given], [end])
    return plan.buffers[result] == plan.buffers[made]


CASES = {
    "fused": (lambda record, made: record.fused(made), True),
    "fused twice": (lambda record, made: record.fused(record.fused(made)), True),
    "fused into what takes nothing": (lambda record, made: record.fused(record.new([made], 8)), False),
    "fused, but read again": (lambda record, made: record.new([record.fused(made), made], 8), False),
    "over": (lambda record, made: record.over([made], 8), True),
    "over another size": (lambda record, made: record.over([made], 12), False),
    "over what is read twice": (lambda record, made: record.over([made, made], 8), False),
    "view": (lambda record, made: record.view(made), True),
    "new": (lambda record, made: record.new([made], 8), False),
}


@pytest.mark.parametrize(("note", "shared"), CASES.values(), ids=CASES)
def test_places(note, shared):
    assert buffers(note) is shared


def test_inputs_and_outputs_keep_their_own_memory():
    record = Recording()
    given = record.tensor(8)
    seen, over = record.view(given), record.over([given], 8)
    plan = Plan(record, [given], [seen, over])
    assert len({plan.buffers[tensor] for tensor in (given, seen, over)}) == 3
    assert plan.lives() == [Life(8, 0, 2), Life(8, 0, 2), Life(8, 1, 2)]
    assert plan.alive() == [16, 24]


def test_what_nothing_reads_lives_for_its_step():
    record = Recording()
    given = record.tensor(8)
    record.new([given], 4)
    end = record.new([given], 2)
    assert Plan(record, [given], [end]).alive() == [12, 10]

"""What changes for each part of a model, for every way and every shape of graph."""

import keras
import numpy as np
import pytest

from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.arguments import WAYS
from keras_kd.compression.sensitivity.parts import Part
from keras_kd.graphs import rebuild
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of, scrambled


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("name", [n for n in TOPOLOGIES if n not in ("masked", "named_inputs_and_outputs")])
def test_each_part_changes_a_model_that_is_whole_when_its_weights_are_put_back(name, by):
    model = rebuild(scrambled(TOPOLOGIES[name]()))
    dissected = WAYS[by].dissect(model, Selection())
    x = inputs_for(model)
    whole = outputs_of(dissected.model, x)
    assert len({part.layer for part in dissected.parts}) == len(dissected.parts) > 0
    for part in dissected.parts:
        change = part.change(WAYS[by].amounts[-1])
        if isinstance(change, keras.Model):
            continue
        before = [(variable, np.array(variable)) for variable, _ in change]
        assert all(any(v is own for own in dissected.model.variables) for v, _ in change)
        for variable, value in change:
            variable.assign(value)
        changed = outputs_of(dissected.model, x)
        assert any(np.abs(a - b).max() > 1e-7 for a, b in zip(whole, changed, strict=True)), part.layer
        for variable, value in before:
            variable.assign(value)
    for was, now in zip(whole, outputs_of(dissected.model, x), strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_part_is_tied_to_nothing_unless_it_says_so():
    assert Part("conv", lambda amount: []).tied == ()

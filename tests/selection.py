"""Which cases of a table the fast tests run; the slow tests run the others."""

import pytest


def rest_slow(cases, *quick):
    """The cases as parameters, slow but for the `quick` ones.

    Args:
        cases: Names, or a dict of values by name; a tuple is the values of several arguments.
        quick: Names.
    """
    table = cases if isinstance(cases, dict) else {name: name for name in cases}
    assert set(quick) <= set(table), f"no cases: {set(quick) - set(table)}"
    return [
        pytest.param(
            *(row if type(row) is tuple else [row]), id=name, marks=() if name in quick else pytest.mark.slow
        )
        for name, row in table.items()
    ]

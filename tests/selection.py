"""Which cases of a table the fast tests run; the slow tests run the others."""

import pytest


def rest_slow(table, *quick):
    """The rows of a dict as parameters with their names as ids, slow but for the `quick` ones."""
    assert set(quick) <= set(table), f"no rows: {set(quick) - set(table)}"
    return [
        pytest.param(
            *(row if type(row) is tuple else [row]), id=name, marks=() if name in quick else pytest.mark.slow
        )
        for name, row in table.items()
    ]

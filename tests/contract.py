"""One table of losses: each row buys every test of `tests/losses/test_contract.py`.

An exported loss without a row fails. The rows stand with their oracles, family by family, in
`tests/oracles`; the oracles are NumPy float64 and share no code with the losses. `benchmarks/losses.py`,
`benchmarks/training.py` and the page of losses read the rows too.
"""

from tests.oracles import correlations, features, labels, logits, maps, relations, tokens
from tests.oracles.row import Row as Row

FAMILIES = {
    "outputs": (logits, labels, correlations),
    "features": (features, maps, tokens),
    "relations": (relations,),
}
LOSSES: dict[str, Row] = {
    name: row for family in FAMILIES.values() for module in family for name, row in module.ROWS.items()
}

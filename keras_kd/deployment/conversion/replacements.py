"""Functions of Keras that TensorFlow Lite has no operator for, and what exports instead.

`tests/deployment/conversion/test_replacements.py` exports every expression here, and gets the same values.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Replacement(NamedTuple):
    """What to write instead of a function.

    Args:
        functions: What needs the operator.
        expression: What exports instead, of a float tensor `x` with `ops` for `keras.ops`.
        remark: When it is the same.
    """

    functions: str
    expression: str
    remark: str = ""

    def __str__(self) -> str:
        remark = f" ({self.remark})" if self.remark else ""
        return f"for {self.functions}, {self.expression.replace('ops.', 'keras.ops.')}{remark}"


# The operator that the converter misses -> what to write.
REPLACEMENTS = {
    "BitwiseAnd": Replacement(
        "keras.ops.argmax", "ops.top_k(x, 1)[1][..., 0]", "of the last axis; of -x for argmin; or tf.argmax"
    ),
    "Ceil": Replacement("keras.ops.median and quantile", "ops.sort(x)[..., k]", "the k-th of the last axis"),
    "InTopKV2": Replacement(
        "keras.ops.in_top_k",
        "ops.any(ops.top_k(x, 2)[1] == labels[:, None], -1)",
    ),
    "Roll": Replacement(
        "keras.ops.roll", "ops.concatenate([x[..., -1:], x[..., :-1]], -1)", "by 1 along the last axis"
    ),
    "Cumprod": Replacement("keras.ops.cumprod", "ops.exp(ops.cumsum(ops.log(x), -1))", "of positive values"),
    "DenseBincount": Replacement("keras.ops.bincount", "ops.sum(ops.one_hot(labels, 4), -2)", "of 4 classes"),
    "LowerBound": Replacement("keras.ops.searchsorted", "ops.digitize(x, edges)"),
    "UpperBound": Replacement("keras.ops.searchsorted", "ops.digitize(x, edges)"),
    "Erf": Replacement(
        "keras.ops.erf", "2 * ops.gelu(x * 2**0.5, approximate=False) / (x * 2**0.5) - 1", "where x is not 0"
    ),
    "Tan": Replacement("keras.ops.tan", "ops.sin(x) / ops.cos(x)"),
    "Sinh": Replacement("keras.ops.sinh", "(ops.exp(x) - ops.exp(-x)) / 2"),
    "Cosh": Replacement("keras.ops.cosh", "(ops.exp(x) + ops.exp(-x)) / 2"),
    "Atan": Replacement("keras.ops.arctan", "ops.arctan2(x, ops.ones_like(x))"),
    "Asin": Replacement("keras.ops.arcsin", "ops.arctan2(x, ops.sqrt(1 - x * x))"),
    "Acos": Replacement("keras.ops.arccos", "ops.arctan2(ops.sqrt(1 - x * x), x)"),
    "Asinh": Replacement("keras.ops.arcsinh", "ops.log(x + ops.sqrt(x * x + 1))"),
    "Acosh": Replacement("keras.ops.arccosh", "ops.log(x + ops.sqrt(x * x - 1))"),
    "Atanh": Replacement("keras.ops.arctanh", "0.5 * ops.log((1 + x) / (1 - x))"),
}


def replacements_in(reason: str) -> list[str]:
    """What to write instead of the operators that the converter's message says are missing.

    Examples:
        >>> replacements_in("TensorFlow Lite does not have these operators: Tan.")
        ['for keras.ops.tan, keras.ops.sin(x) / keras.ops.cos(x)']
    """
    missing = [names.split(",") for names in re.findall(r"does not have these operators: ([^.;]*)", reason)]
    known = [REPLACEMENTS.get(name.strip()) for names in missing for name in names]
    return [str(found) for found in dict.fromkeys(known) if found is not None]

"""Every quantization that `export` offers: one row each, which the rest of the package reads.

A new quantization is a new row. TensorFlow names are strings here, so that nothing needs to be imported.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras_kd.deployment.spread import FLOAT16_STEP, FLOAT32_STEP
from keras_kd.messages import did_you_mean


@dataclass(frozen=True)
class ErrorBound:
    """How far the outputs of a file may be from Keras's.

    Args:
        of_spread: Largest allowed |error| of a channel, as a fraction of how far Keras's outputs for the
            samples differ. `None` where only what is lost of that spread counts.
        of_largest: What is added for rounding, as a fraction of the largest |output|.
        step: The rounding step of Keras's outputs, as a fraction of the largest.
        floor: What is added for outputs that do not differ, or for inputs that are not real ones.
        equal_integers: Fraction of the values of an integer output that must be equal.
    """

    of_spread: float | None
    of_largest: float
    floor: float
    step: float = FLOAT32_STEP
    equal_integers: float = 0.0


# Measured, in fractions of the spread: the errors of float32 files stay below 3e-6, and those of float16 ones
# below 3e-3. What integer files lose depends on their training and calibration, and is reported; an error as
# large as the outputs themselves is garbage.
_FLOAT32_ERROR = ErrorBound(1e-3, 64 * FLOAT32_STEP, 1e-6, equal_integers=0.9)
_FLOAT16_ERROR = ErrorBound(5e-2, 4 * FLOAT16_STEP, 1e-4)
_INTEGER_ERROR = ErrorBound(None, 1.0, 1e-3)

_FLOAT_OPERATORS = "TFLITE_BUILTINS"
_INT8_OPERATORS = "TFLITE_BUILTINS_INT8"
_INT16_OPERATORS = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"


@dataclass(frozen=True)
class Quantization:
    """How a file stores weights and computes.

    Args:
        name: What `export` takes as `quantization`; `None` for what it also takes as `"float32"`.
        error: How far the outputs may be from Keras's.
        operator_sets: Names of `tf.lite.OpsSet`s to convert with, tried in this order.
        io: Types that float inputs and outputs may have in the file.
        optimizations: Names of `tf.lite.Optimize`.
        weight_types: Names of the types that weights are stored in, if the converter must be told.
        integer_activations: Whether activations are integers, with ranges from calibration samples or
            quantization-aware training. What stays in float is then reported.
        input_steps: How many steps the integers of a float input have, which all of its values share; 0 where
            inputs stay floats, or have integers enough.
        from_training: Whether a quantization-aware model becomes such a file.
        sparse: Whether zeros can be left out of the weights.
        may_skip_weights: Whether the converter may leave some weights in float, which a note then reports.
        alternative: What to try when the conversion fails.
    """

    name: str | None
    error: ErrorBound
    operator_sets: tuple[tuple[str, ...], ...] = ((_FLOAT_OPERATORS,),)
    io: tuple[str, ...] = ("float32",)
    optimizations: tuple[str, ...] = ("DEFAULT",)
    weight_types: tuple[str, ...] = ()
    integer_activations: bool = False
    input_steps: int = 0
    from_training: bool = False
    sparse: bool = False
    may_skip_weights: bool = False
    alternative: str = "quantization=None"

    @property
    def label(self) -> str:
        """The name for display, and in a list of options: no quantization is called `"float32"`."""
        return self.name or "float32"

    @property
    def with_article(self) -> str:
        """The label with its indefinite article: `"an int8"`, `"a float16"`."""
        return f"{'an' if self.label[0] in 'aeiou' else 'a'} {self.label}"


FLOAT32 = Quantization(  # weights and activations in float32
    name=None,
    error=_FLOAT32_ERROR,
    optimizations=(),
    sparse=True,
    alternative="",
)
FLOAT16 = Quantization(  # weights in float16, activations in float32
    name="float16",
    error=_FLOAT16_ERROR,
    weight_types=("float16",),
    sparse=True,
)
DYNAMIC = Quantization(  # weights in int8, activations in float32 between operators
    name="dynamic",
    error=_INTEGER_ERROR,
    may_skip_weights=True,
)
INT8 = Quantization(  # weights and activations in int8
    name="int8",
    error=_INTEGER_ERROR,
    # The second set leaves operators without an integer kernel in float.
    operator_sets=((_INT8_OPERATORS,), (_FLOAT_OPERATORS, _INT8_OPERATORS)),
    io=("float32", "int8", "uint8"),
    integer_activations=True,
    input_steps=255,
    from_training=True,
    alternative="quantization='dynamic' or 'float16'",
)
INT16X8 = Quantization(  # weights in int8, activations in int16
    name="int16x8",
    error=_INTEGER_ERROR,
    operator_sets=((_INT16_OPERATORS,), (_FLOAT_OPERATORS, _INT16_OPERATORS)),
    io=("float32", "int16"),
    integer_activations=True,
    alternative="quantization='dynamic' or 'float16'",
)

# Only the float rows are `sparse`. Sparse integer weights do convert, but then, in ai-edge-litert 2.3,
# convolutions and dense layers of dynamic files fail to run, dense layers of int8 files fail or give wrong
# outputs, and convolutions of int16x8 files fail.
QUANTIZATIONS = (FLOAT32, FLOAT16, DYNAMIC, INT8, INT16X8)


def names(*, sparse: bool = False) -> tuple[str | None, ...]:
    """The names that `export` accepts as `quantization`, in order.

    Args:
        sparse: Whether to list only those whose files may leave zeros out.
    """
    return tuple(row.name for row in QUANTIZATIONS if row.sparse or not sparse)


def get(name: object) -> Quantization:
    """Return the quantization with a name; `"float32"` is another one for `None`.

    Raises:
        ValueError: for an unknown name.

    Examples:
        >>> get("int8").io
        ('float32', 'int8', 'uint8')
        >>> get("float32") is get(None)
        True
    """
    for row in QUANTIZATIONS:
        if name in (row.name, row.label):
            return row
    labels = [row.label for row in QUANTIZATIONS]
    listed = ", ".join(map(repr, labels))
    raise ValueError(
        f"Unknown quantization {name!r}; expected one of {listed}, or None for 'float32'."
        f"{did_you_mean(str(name), labels)}"
    )

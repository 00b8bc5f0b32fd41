"""Every name below `tensorflow.python` that the package relies on, each behind a plain name.

TensorFlow promises nothing about them. When a release has changed one, the test of this file says which.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
from tensorflow.python.autograph.core.ag_ctx import ControlStatusCtx, Status
from tensorflow.python.framework.auto_control_deps_utils import get_read_write_resource_inputs
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.trackable.data_structures import ListWrapper, _DictWrapper
from tensorflow.python.util.tf_export import get_canonical_name_for_symbol, get_symbol_from_name
from tensorflow.types.experimental import ConcreteFunction

from keras_kd.tensors import Tensor


def resources_written(operation: tf.Operation) -> Iterable[Tensor]:
    """The resources that an operation, or a function that it calls, may write.

    Args:
        operation: Of a graph.
    """
    _, written = get_read_write_resource_inputs(operation)
    return written


def converted_control_flow() -> contextlib.AbstractContextManager[Any]:
    """A context in which `tf.function` converts Python control flow, even inside one in which it does not."""
    return ControlStatusCtx(status=Status.UNSPECIFIED)


def empty_container_like(value: object) -> list[Any] | dict[Any, Any] | None:
    """An empty container of the kind that TensorFlow makes of lists and dicts in attributes, which it tracks.

    Args:
        value: Such a list or dict; anything else has none.
    """
    if isinstance(value, ListWrapper):
        return ListWrapper([])
    return _DictWrapper({}) if isinstance(value, _DictWrapper) else None


def with_constants(function: ConcreteFunction) -> ConcreteFunction:
    """The same function with the values that its variables have now in place of the variables.

    Args:
        function: Traced.
    """
    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def public_name(function: Callable[..., object]) -> str | None:
    """The public name of a function of TensorFlow, or `None` if it has none.

    Examples:
        >>> public_name(tf.nn.relu)
        'nn.relu'
    """
    return get_canonical_name_for_symbol(function, add_prefix_to_v1_names=True)


def public_function(name: str) -> Callable[..., Any] | None:
    """The function of TensorFlow with a public name, or `None` if there is none.

    Examples:
        >>> public_function("nn.relu") is tf.nn.relu
        True
    """
    return get_symbol_from_name(name)

import ast

import pytest
import tensorflow as tf
from tensorflow.python.autograph.core import ag_ctx

from keras_kd import tensorflow_internals
from tests.test_mirror import ROOT


def test_an_operation_names_the_resources_that_it_writes():
    counter, scale = tf.Variable(0), tf.Variable(2)

    @tf.function
    def step():
        inner()
        return scale + 1

    @tf.function
    def inner():
        counter.assign_add(1)

    graph = step.get_concrete_function().graph
    written = {
        id(handle) for op in graph.get_operations() for handle in tensorflow_internals.resources_written(op)
    }
    outside = [captured for captured, inside in graph.captures if id(inside) in written]
    assert outside == [counter.handle]


def test_control_flow_is_converted_where_it_was_not():
    with ag_ctx.ControlStatusCtx(status=ag_ctx.Status.DISABLED):
        with tensorflow_internals.converted_control_flow():
            assert ag_ctx.control_status_ctx().status == ag_ctx.Status.UNSPECIFIED
        assert ag_ctx.control_status_ctx().status == ag_ctx.Status.DISABLED


def test_containers_in_attributes_have_others_like_them():
    module = tf.Module()
    module.parts, module.named = [tf.Variable(0)], {"a": tf.Variable(0)}
    for container in (module.parts, module.named):
        empty = tensorflow_internals.empty_container_like(container)
        assert type(empty) is type(container)
        assert not empty
    assert tensorflow_internals.empty_container_like([1]) is None


def test_a_function_keeps_the_values_of_its_variables():
    scale = tf.Variable(2.0)
    traced = tf.function(lambda x: x * scale).get_concrete_function(tf.TensorSpec((), tf.float32))
    frozen = tensorflow_internals.with_constants(traced)
    scale.assign(5.0)
    assert traced(tf.constant(3.0)) == 15
    assert frozen(tf.constant(3.0))[0] == 6


@pytest.mark.parametrize("function", [tf.nn.relu, tf.math.add, tf.compat.v1.nn.softmax])
def test_public_functions_have_names_that_lead_back(function):
    name = tensorflow_internals.public_name(function)
    assert name
    found = tensorflow_internals.public_function(name)
    assert found.__name__ == function.__name__  # `tf.add` has two functions, one around the other
    assert tensorflow_internals.public_name(found) == name


def test_what_is_not_public_has_no_name():
    assert tensorflow_internals.public_name(len) is None
    assert tensorflow_internals.public_function("nn.no_such_function") is None


def test_no_other_file_reads_below_tensorflow_python():
    readers = {
        path.name
        for path in (ROOT / "keras_kd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and "tensorflow.python" in ast.unparse(node)
    }
    assert readers == {"tensorflow_internals.py"}

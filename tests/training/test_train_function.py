import numpy as np

from keras_kd.training import train_function
from tests.distillation.conftest import perceptron


def compiled():
    model = perceptron(2)
    model.compile("sgd", loss="mse", run_eagerly=True)
    model.make_train_function()
    return model


def intercept(model, name, calls):
    def run(iterator, train):
        calls.append(name)
        return train(iterator)

    return train_function.intercept(model, run)


def test_interceptions_run_the_outermost_first_until_they_are_removed():
    model, calls = compiled(), []
    made = model.train_function
    inner, outer = (intercept(model, name, calls) for name in ("inner", "outer"))
    model.fit(np.zeros((2, 4)), np.zeros((2, 3)), verbose=0)
    assert calls == ["outer", "inner"]
    assert list(train_function.interceptions(model)) == [outer, inner]
    assert train_function.innermost(model) is made
    train_function.remove(model, inner)
    train_function.remove(model, inner)  # gone already
    assert list(train_function.interceptions(model)) == [outer]
    train_function.remove(model, outer)
    train_function.remove(model, None)
    assert model.train_function is made


def test_remake_traces_anew_behind_what_stands_in_front():
    model = compiled()
    before = train_function.innermost(model)
    standing = [intercept(model, name, []) for name in ("inner", "outer")]
    train_function.remake(model)
    assert list(train_function.interceptions(model)) == standing[::-1]
    assert train_function.innermost(model) is not before
    train_function.discard(model)
    assert not train_function.is_made(model)
    train_function.remake(model)
    assert train_function.is_made(model)

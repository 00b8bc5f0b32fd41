"""Chains of kernels: what they multiply to, what they cost, and which one is taken."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from keras_kd.compression.low_rank.kernels import Places, Separation, Tucker, chains, unweighted, weighted
from keras_kd.compression.low_rank.matrices import metric_of
from keras_kd.compression.low_rank.ranks import Amount

PLACES = Places(64, 32, 16)
KERNELS = st.tuples(*(st.integers(1, high) for high in (2, 3, 3, 5, 6)), st.integers(0, 2**32 - 1))


def draw(*shape_and_seed):
    *shape, seed = shape_and_seed
    return np.random.default_rng(seed).normal(size=shape)


def product(chain):
    """The kernel that a chain stands for, one window position at a time."""
    total = None
    for _, kernel in chain.kernels:
        if total is None:
            total = kernel
            continue
        (_, r, c, *_), (_, rows, columns, *_) = total.shape, kernel.shape
        # One of the two has a single position along each axis.
        total = np.stack([
            np.stack([total[:, i % r, j % c] @ kernel[:, i % rows, j % columns]
                      for j in range(max(c, columns))], 1)
            for i in range(max(r, rows))
        ], 1)  # fmt: skip
    return total


def cost_of(chain):
    times = {"in": PLACES.entry, "column": PLACES.between}
    return sum(kernel.size * times.get(part, PLACES.exit) for part, kernel in chain.kernels)


@settings(deadline=None, max_examples=60)
@given(KERNELS, st.sampled_from(["auto", "tucker", "spatial"]), st.floats(0.1, 1.0))
def test_the_error_and_the_cost_are_those_of_what_a_chain_stands_for(shape, method, energy):
    kernel = draw(*shape)
    for amount in (Amount(2), Amount(0.5), Amount(energy=energy), Amount(1.0)):
        for chain in chains(kernel, PLACES, amount, method):
            lost = np.linalg.norm(product(chain) - kernel) / np.linalg.norm(kernel)
            assert chain.error == pytest.approx(lost, abs=2e-6)
            assert chain.multiply_adds == cost_of(chain)
            if amount.energy is not None:
                assert lost**2 <= 1 - energy + 1e-9


@settings(deadline=None, max_examples=30)
@given(KERNELS)
def test_the_error_falls_with_the_rank_to_nothing(shape):
    kernel = draw(*shape)
    for method in (Tucker, Separation):
        errors = [method(kernel, PLACES).ranked(Amount(rank)).error for rank in range(1, 20)]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] == 0


@settings(deadline=None, max_examples=30)
@given(KERNELS, st.floats(0.1, 1.0))
def test_auto_errs_no_more_than_tucker_and_is_no_dearer(shape, rank):
    kernel = draw(*shape)
    (tucker,) = chains(kernel, PLACES, Amount(rank), "tucker")
    found = list(chains(kernel, PLACES, Amount(rank), "auto"))
    assert all(chain.error <= tucker.error + 1e-6 for chain in found)
    costs = [chain.multiply_adds for chain in found]
    assert costs[-1] == min(costs) <= tucker.multiply_adds


@settings(deadline=None, max_examples=60)
@given(KERNELS, st.floats(0.1, 1.0))
def test_auto_takes_the_separation_where_it_is_cheaper(shape, rank):
    """As the ranks that keep enough say, one after the other."""
    kernel = draw(*shape)
    separation, total = Separation(kernel, PLACES), (kernel**2).sum()
    tucker, *others = chains(kernel, PLACES, Amount(rank), "auto")
    wanted = Tucker(kernel, PLACES).kept(Amount(rank))
    ranked = [separation.ranked(Amount(i)) for i in range(1, max(kernel.shape) * 3 + 1)]
    least = next(chain for chain in ranked if (1 - chain.error**2) * total >= wanted - 1e-9 * total)
    is_cheaper = least.multiply_adds < tucker.multiply_adds and 1 not in kernel.shape[1:3]
    assert [chain.ranks for chain in others] == ([least.ranks] if is_cheaper else [])


def test_the_ranks_of_tucker_are_the_ones_asked_for():
    kernel = draw(1, 3, 3, 8, 6, 0)
    (chain,) = chains(kernel, PLACES, Amount(3), "tucker")
    assert chain.ranks == (3, 3)
    assert [(part, value.shape) for part, value in chain.kernels] == [
        ("in", (1, 1, 1, 8, 3)),
        ("core", (1, 3, 3, 3, 3)),
        ("out", (1, 1, 1, 3, 6)),
    ]
    (chain,) = chains(kernel, PLACES, Amount(7), "tucker")  # all outputs: nothing follows the window
    assert [part for part, _ in chain.kernels] == ["in", "core"]
    (chain,) = chains(kernel, PLACES, Amount(1.0), "tucker")
    np.testing.assert_array_equal(chain.kernels[0][1], kernel)


def test_metrics_make_the_error_of_the_outputs_of_a_window_less():
    """For inputs whose axes vary independently of each other, as the weighting assumes."""
    random = np.random.default_rng(0)
    mixing = random.normal(size=(6, 6)) * 3.0 ** -np.arange(6)
    smooth = np.linalg.cholesky(0.8 ** abs(np.arange(3)[:, None] - np.arange(3)))
    white = random.normal(size=(4000, 3, 3, 6))
    windows = np.einsum("nrci,xr,yc,ji->nxyj", white, smooth, smooth, mixing)
    metrics = {axis: metric_of(smooth @ smooth.T) for axis in ("rows", "columns")}
    metrics["inputs"] = metric_of((mixing @ mixing.T)[None])
    kernel = draw(1, 3, 3, 6, 8, 0)

    def outputs(value):
        return windows.reshape(4000, -1) @ value.reshape(54, 8)

    for method in ("tucker", "spatial"):
        (plain,) = chains(kernel, PLACES, Amount(3), method)
        (found,) = chains(weighted(kernel, metrics), PLACES, Amount(3), method)
        (by_inputs,) = chains(weighted(kernel, {"inputs": metrics["inputs"]}), PLACES, Amount(3), method)
        errors = [
            np.linalg.norm(outputs(product(chain) - kernel)) / np.linalg.norm(outputs(kernel))
            for chain in (
                plain,
                unweighted(by_inputs, {"inputs": metrics["inputs"]}),
                unweighted(found, metrics),
            )
        ]
        assert errors[2] < errors[1]
        assert errors[1] < 0.8 * errors[0]
        assert found.error == pytest.approx(errors[2], rel=0.1)


@settings(deadline=None, max_examples=30)
@given(KERNELS, st.sampled_from(["tucker", "spatial"]))
def test_what_was_weighted_is_unweighted(shape, method):
    kernel, (rows, columns, inputs) = draw(*shape), shape[1:4]
    random = np.random.default_rng(0)
    sizes = {"rows": rows, "columns": columns, "inputs": inputs}
    roots = {axis: random.normal(size=(size, 2 * size)) for axis, size in sizes.items()}
    metrics = {axis: metric_of(root @ root.T) for axis, root in roots.items()}
    metrics["inputs"] = metric_of((roots["inputs"] @ roots["inputs"].T)[None])
    (chain,) = chains(weighted(kernel, metrics), PLACES, Amount(1.0), method)
    np.testing.assert_allclose(product(unweighted(chain, metrics)), kernel, atol=1e-6)

"""Lower ranks: the kernel of a layer, as its thin layers would compute."""

import functools

import keras

from keras_kd.compression.low_rank.plan import factors_of, kernel_of
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.recomposition import recompose
from keras_kd.compression.low_rank.sites import Site, opened_for_one_sample, sites_in
from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.parts import Change, Dissection, Part

_METHOD = "auto"


def rank_parts(model: keras.Model, selection: Selection[float]) -> Dissection:
    """The layers of a model that `kd.factorize` can factorize.

    An amount is a rank, or as a float a fraction of the full one.

    Raises:
        ValueError: A name that does not exist, or nothing that can be factorized.
    """
    sites = [site for site in sites_in(opened_for_one_sample(model)) if not site.reason]
    known = [site for site in sites if not kernel_of(site).reason(_METHOD)]
    if known:
        selection.check_names(model, known, "kernel that can be factorized")
    chosen = [site for site in known if selection.includes(site)]
    if not chosen:
        why = "layers= and skip= leave nothing of" if known else "There is nothing in"
        raise ValueError(f"{why} {model.name!r} that can be factorized.")
    return Dissection(model, [Part(site.layer, functools.partial(_thin, site)) for site in chosen])


def _thin(site: Site, rank: float) -> Change:
    return recompose(site.inner, factors_of(site, Amount(rank), {}, _METHOD))

"""The steps of attention."""

import keras
from keras import layers

from keras_kd.compression.costs.site import Site
from keras_kd.compression.costs.sizes import bytes_of, size_of


def note_heads(site: Site, layer: layers.MultiHeadAttention) -> list[int]:
    """Note the steps of attention with projections."""
    query, value = (site.leaf.argument(name) for name in ("query", "value"))
    key = site.leaf.argument("key")
    reads = dict(zip(map(id, site.leaf.tensors), site.reads, strict=True))
    one = layer.get_config()
    heads = one.get("num_heads") or one["num_query_heads"]
    width = one.get("key_dim") or one["head_dim"]
    deep = one.get("value_dim") or width

    def bytes_for(symbol: keras.KerasTensor, size: int) -> int:
        return bytes_of((*symbol.shape[:-1], heads, size), symbol.dtype)

    # Keys come first, then queries, both in the order of heads.
    keys = site.new(reads[id(value if key is None else key)], size=bytes_for(value, width))
    queries = site.new(reads[id(query)], size=bytes_for(query, width))
    queries = site.new(queries, size=bytes_for(query, width))
    keys = site.new(keys, size=bytes_for(value, width))
    axes = one.get("attention_axes") or range(1, len(query.shape) - 1)
    pairs = bytes_of((*query.shape[:-1], heads, size_of(value.shape[axis] for axis in axes)), query.dtype)
    scores = note_product(site, queries, keys, pairs)
    scores = site.record.over([site.record.over([scores], pairs)], pairs)
    values = site.new(reads[id(value)], size=bytes_for(value, deep))
    values = site.new(values, size=bytes_for(value, deep))
    summed = note_product(site, scores, values, bytes_for(query, deep))
    summed = site.new(summed, size=bytes_for(query, deep))
    rest = [scores] if len(site.results) > 1 else []
    return [site.new(summed, takes=True), *rest]


def note_attention(site: Site) -> list[int]:
    """Note the steps of attention without projections."""
    query, value = site.leaf.argument("inputs")[:2]
    pairs = bytes_of((*query.shape[:-1], value.shape[-2]), query.dtype)
    first, second = site.reads[:2]
    key = site.reads[2] if len(site.reads) > 2 else second
    scores = note_product(site, first, key, pairs)
    scores = site.record.over([scores], pairs)
    summed = note_product(site, scores, second, site.size)
    return [summed, *([scores] if len(site.results) > 1 else [])]


def note_product(site: Site, left: int, right: int, size: int) -> int:
    """Note a product of matrices, for which LiteRT has room for both of them transposed."""
    sizes = site.record.sizes
    rooms = [site.record.new([read], sizes[read]) for read in (left, right)]
    return site.record.new([left, right, *rooms], size)

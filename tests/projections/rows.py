"""One table of projections: the tests of `test_projections.py` hold for each of its rows."""

import numpy as np

from keras_kd import projections as p

MAPS = ((None, 4, 4, 8), (None, 4, 4, 12))
STAGES = ((None, 8, 8, 4), (None, 4, 4, 6), (None, 6)), ((None, 8, 8, 5), (None, 4, 4, 7), (None, 9))

# name -> how to make it, the student's shape (or shapes), the teacher's, the shape (or shapes) of the result
ROWS = {
    "linear, vectors": (p.Linear, (None, 8), (None, 12), (None, 12)),
    "linear, tokens": (p.Linear, (None, 5, 8), (None, 5, 12), (None, 5, 12)),
    "linear, maps": (p.Linear, *MAPS, (None, 4, 4, 12)),
    "linear, volumes": (p.Linear, (None, 2, 4, 4, 8), (None, 2, 4, 4, 12), (None, 2, 4, 4, 12)),
    "linear, tuple": (
        p.Linear,
        ((None, 4, 4, 8), (None, 6)),
        ((None, 4, 4, 12), (None, 7)),
        ((None, 4, 4, 12), (None, 7)),
    ),
    "conv norm, vectors": (p.ConvNorm, (None, 8), (None, 12), (None, 12)),
    "conv norm, tokens": (lambda: p.ConvNorm(kernel_size=3), (None, 5, 8), (None, 5, 12), (None, 5, 12)),
    "conv norm, maps": (
        lambda: p.ConvNorm(kernel_size=3, activation="relu"),
        *MAPS,
        (None, 4, 4, 12),
    ),
    "regressor, vectors": (lambda: p.Regressor(hidden=5), (None, 8), (None, 12), (None, 12)),
    "regressor, maps": (lambda: p.Regressor(layers=3), *MAPS, (None, 4, 4, 12)),
    "projector": (p.SimKDProjector, (None, 8, 8, 8), (None, 4, 4, 12), (None, 4, 4, 12)),
    "projector, smaller": (p.SimKDProjector, (None, 2, 2, 8), (None, 4, 4, 12), (None, 2, 2, 12)),
    "projector, overlapping": (p.SimKDProjector, (None, 7, 5, 8), (None, 4, 4, 12), (None, 4, 4, 12)),
    "fusion": (p.ReviewFusion, *STAGES, STAGES[1]),
    "generator": (lambda: p.MaskedGenerator(seed=0), *MAPS, (None, 4, 4, 12)),
    "generator, tokens": (lambda: p.MaskedGenerator(ratio=0.2), (None, 5, 8), (None, 5, 8), (None, 5, 8)),
    "generator, channels": (lambda: p.MaskedGenerator(mask="channels"), *MAPS, (None, 4, 4, 12)),
    "head, vectors": (lambda: p.VariationalHead(layers=2), (None, 8), (None, 12), ((None, 12), (12,))),
    "head, maps": (p.VariationalHead, (None, 8, 8, 8), (None, 4, 4, 12), ((None, 4, 4, 12), (12,))),
}


def make_sized(name):
    """The layer, sized, and a batch of three of the student's signals."""
    make, student, teacher, _ = ROWS[name]
    layer = make()
    layer.size_for(teacher)
    random = np.random.default_rng(0)
    draw = lambda shape: random.normal(size=(3, *shape[1:])).astype("float32")  # noqa: E731
    return layer, tuple(map(draw, student)) if isinstance(student[0], tuple) else draw(student)

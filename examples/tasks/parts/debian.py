"""Debian's packages as a graph: what a package is for, the words that describe it, what it depends on."""

import re
import subprocess
from collections import Counter

import numpy as np

SECTIONS = ("electronics", "games", "graphics", "mail", "math", "sound")
RELATIONS = ("Depends", "Recommends", "Suggests")


def packages():
    """Name -> fields of each package of the lists that apt keeps, of these sections."""
    try:
        text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit("The full form reads the package lists of Debian: it needs apt-cache") from error
    found = {}
    for entry in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][A-Za-z-]*): (.*)$", entry, re.MULTILINE))
        if fields.get("Section") in SECTIONS:
            found[fields["Package"]] = fields
    if not found:
        raise SystemExit("apt keeps no package lists here: apt-get update")
    return found


def related(fields):
    """The names of what a package depends on, recommends or suggests."""
    values = ",".join(fields.get(relation, "") for relation in RELATIONS)
    return {re.split(r"[ :(]", name.strip())[0] for name in re.split(r"[,|]", values)}


def words(fields):
    return set(re.findall(r"[a-z][a-z0-9+]+", fields["Description"].lower()))


def debian():
    """Words `(nodes, words)` of zeros and ones, sections from 0, and edges `(nodes, nodes)`.

    Packages without a relation to another one are left out.
    """
    known = packages()
    pairs = [(name, other) for name in known for other in related(known[name]) if other in known]
    nodes = sorted({name for pair in pairs for name in pair if pair[0] != pair[1]})
    places = {name: place for place, name in enumerate(nodes)}
    edges = np.zeros((len(nodes), len(nodes)), "float32")
    for name, other in pairs:
        if name != other:
            edges[places[name], places[other]] = 1
    described = [words(known[name]) for name in nodes]
    counts = Counter(word for each in described for word in each)
    columns = {word: i for i, word in enumerate(sorted(word for word in counts if counts[word] >= 5))}
    x = np.zeros((len(nodes), len(columns)), "float32")
    for row, each in enumerate(described):
        x[row, [columns[word] for word in each if word in columns]] = 1
    return x, np.array([SECTIONS.index(known[name]["Section"]) for name in nodes]), edges

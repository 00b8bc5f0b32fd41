"""Reading the plots of a page back."""

import re
import xml.etree.ElementTree as ElementTree


def drawings(text):
    """The plots of a page, parsed as XML, so that a broken one is an error."""
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.S)]


def groups(svg, name):
    """The groups of that class: what one artist drew."""
    return [group for group in svg.iter("g") if group.get("class") == name]


def texts(svg, name):
    return [text.text for group in groups(svg, name) for text in group.iter("text")]


def numbers(svg):
    """Every coordinate; a word such as nan is an error or not finite."""
    words = [element.get(key) for element in svg.iter() for key in ("x", "y", "d")]
    return [float(n) for word in words if word for n in re.findall(r"[^\sMLCQz]+", word)]

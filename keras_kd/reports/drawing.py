"""A matplotlib figure as SVG in a page, with the page's font and colors, whatever the user's settings."""

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

from keras_kd.reports.style import SERIES, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 440, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 46
FONT = 12
# The steps between ticks, times a power of ten.
ROUND = (1, 2, 5, 10)

# matplotlib does not know CSS: it draws with placeholders, which `svg` turns into variables of the style
# sheet.
_COLOURS = ("paper", "ink", "soft", "grid", "accent", *[f"c{number}" for number in range(SERIES)])
_SETTINGS: dict[str, Any] = {
    "figure.dpi": 72,  # one point is one pixel
    "font.size": FONT,
    "text.parse_math": False,
    "svg.fonttype": "none",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def colour(name: str | int) -> str:
    """The placeholder for a color of the style sheet, given its name or the number of a series."""
    key = name if isinstance(name, str) else f"c{look(name)[0]}"
    return f"#0000{_COLOURS.index(key) + 1:02x}"


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """A context with matplotlib's defaults and ours; the user's settings are restored afterwards."""
    from matplotlib import rc_context, rcdefaults

    with rc_context(), warnings.catch_warnings():
        rcdefaults()
        with rc_context(_SETTINGS):
            # The browser has the glyphs that matplotlib's own font lacks.
            warnings.filterwarnings("ignore", ".*(missing from|not support)", UserWarning)
            yield


def axes(
    x_title: str, y_title: str, scale: str = "linear", right: float = RIGHT, height: float = HEIGHT
) -> "Axes":
    """Axes in their own matplotlib figure: a grid, tick labels and titles.

    Args:
        x_title: Title of the horizontal axis.
        y_title: Title of the vertical axis.
        scale: The scale of the horizontal axis, `"linear"` or `"log"`.
        right: Pixels between the axes and the edge of the figure.
        height: Pixels from the top of the figure to its bottom.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure((WIDTH / 72, height / 72), frameon=False)
    size = ((WIDTH - LEFT - right) / WIDTH, (height - TOP - BOTTOM) / height)
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / height, *size), frameon=False, xscale=scale)
    axes.minorticks_off()
    axes.grid(color=colour("grid"), linewidth=1, clip_on=False)
    axes.tick_params(bottom=False, left=False, labelcolor=colour("soft"), labelsize=11.5)
    axes.set_xlabel(clean(x_title), color=colour("soft"))
    axes.set_ylabel(clean(y_title), color=colour("soft"))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: number(value))
    return axes


def limit(axes: "Axes", values: Sequence[float], least: float, most: float = math.inf) -> None:
    """Give the vertical axis a margin, and a span of at least `least`; it ends at `most`.

    It shows nothing below 0 where no value is.
    """
    low, high = min(values), max(values)
    margin = max(0.16 * (high - low), (least - (high - low)) / 2)
    bottom = low - margin if low < 0 else max(low - margin, 0.0)
    axes.set_ylim(bottom, min(high + margin, max(most, high)))


def write(axes: "Axes", x: float, y: float, name: str, ink: str | int, side: str) -> None:
    """Write a name at a place in pixels, in a color, aligned to a side."""
    style: dict[str, Any] = {
        "color": colour(ink),
        "horizontalalignment": side,
        "verticalalignment": "center",
    }
    axes.text(x, y, name, transform=None, gid="name", zorder=4, **style)


def number(value: float) -> str:
    """A tick label without unnecessary digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"


def clean(text: str) -> str:
    """The text on one line, without characters that XML forbids."""
    return _NOT_XML.sub("\ufffd", " ".join(text.split()))


def svg(axes: "Axes", label: str, tips: Mapping[str, str]) -> str:
    """The figure of these axes as an `<svg>` element.

    Args:
        axes: From the function `axes`. The gids of its artists become classes, without the number at the end.
        label: What a screen reader says instead of the drawing.
        tips: gid -> the tooltip of that artist.
    """
    from matplotlib import rc_context

    figure = cast("Figure", axes.figure)
    file = io.StringIO()
    # The salt keeps ids the same from run to run, and different from figure to figure.
    with rc_context({"svg.hashsalt": label}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    # The rest of the file is a style sheet and metadata.
    group = next(part for part in ElementTree.fromstring(file.getvalue()) if part.tag.endswith("}g"))
    for element in list(group.iter()):
        _restyle(element, tips)
    height = round(72 * figure.get_figheight())
    root = ElementTree.Element("svg", {"viewBox": f"0 0 {WIDTH} {height}", "role": "img"})
    root.set("aria-label", clean(label))
    root.append(group)
    return ElementTree.tostring(root, encoding="unicode")


def _restyle(element: ElementTree.Element, tips: Mapping[str, str]) -> None:
    """Plain names, classes instead of ids, and the page's font and colors."""
    element.tag = element.tag.split("}")[1]
    element.text = element.text if element.tag == "text" else None
    element.tail = None
    for key in list(element.attrib):
        element.set(key.split("}")[-1], element.attrib.pop(key))
    if "style" in element.attrib:
        style = re.sub("font-family:[^;]*;? *", "", element.attrib["style"])
        element.set("style", re.sub("#0000(..)", lambda m: f"var(--{_COLOURS[int(m[1], 16) - 1]})", style))
    if element.tag == "g" and "id" in element.attrib:
        gid = element.attrib.pop("id")
        element.set("class", re.sub(r"[-_]\d+$", "", gid))
        if gid in tips:
            title = ElementTree.Element("title")
            title.text = clean(tips[gid])
            element.insert(0, title)

"""The chart of accuracy against time."""

import io
import statistics

from recoveries.rows import by_way, time_of

COLORS = {
    "teacher": "black",
    "by hand": "tab:red",
    "shrunk": "tab:blue",
    "factorized": "tab:green",
    "compacted": "tab:orange",
    "clustered": "tab:purple",
    "both": "tab:brown",
}
MARKS = {"scratch": ("x", "from scratch"), "labels": ("s", "labels alone"), "distilled": ("o", "distilled")}


# Where the name of a row may stand: offset in points, horizontal and vertical alignment.
PLACES = [
    ((0, 7), "center", "bottom"),
    ((-5, 5), "right", "bottom"),
    ((5, 5), "left", "bottom"),
    ((-9, 0), "right", "center"),
    ((9, 0), "left", "center"),
    ((0, -7), "center", "top"),
    ((-5, -5), "right", "top"),
    ((5, -5), "left", "top"),
    ((0, 18), "center", "bottom"),
    ((0, -18), "center", "top"),
]


def family(way):
    first, *more = way.split(", ")
    return "both" if more and more[0][0] in "cf" else first.split(" to ")[0]


def chart(rows, name):
    """Accuracy against time after each recovery, as SVG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    matplotlib.rcParams |= {"svg.hashsalt": name, "svg.fonttype": "none"}
    figure, axes = plt.subplots(figsize=(10, 6))
    ways = by_way(rows)
    marks = {way: draw(axes, way, same) for way, same in ways.items()}
    add_key(axes, {family(way) for way in ways})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.xaxis.set_minor_formatter(lambda x, _: "")
    axes.set_xlabel("time of the float32 file, divided by the teacher's")
    axes.set_ylabel("test accuracy (%)")
    axes.margins(x=0.13, y=0.15)
    add_names(axes, marks)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def draw(axes, way, same):
    """The recoveries of a way above each other; where they are."""
    at, color = time_of(same), COLORS[family(way)]
    values = {s: 100 * statistics.mean(r[s] for r in same) for s in MARKS if s in same[0]}
    if values:
        axes.vlines(at, min(values.values()), max(values.values()), color, alpha=0.4)
    else:
        values = {"before": 100 * statistics.mean(r["before"] for r in same)}
    for stage, value in values.items():
        filled = color if stage != "labels" else "none"
        axes.plot(at, value, MARKS.get(stage, "*")[0], color=color, markerfacecolor=filled, markersize=7)
    return [(at, value) for value in values.values()]


def add_names(axes, marks):
    """The names of the rows, each where it hides no mark and no other name, if there is such a place."""
    from matplotlib.transforms import Bbox

    axes.figure.canvas.draw()
    points = axes.transData.transform([mark for same in marks.values() for mark in same])
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
    for way, same in marks.items():
        for offset, across, upright in PLACES:
            mark = (min if offset[1] < 0 else max)(same, key=lambda each: each[1])
            name = axes.annotate(
                way.removeprefix("shrunk to "),
                mark,
                offset,
                textcoords="offset points",
                ha=across,
                va=upright,
                fontsize=8,
                color=COLORS[family(way)],
            )
            box = name.get_window_extent()
            if not any(box.overlaps(other) for other in taken) or offset == PLACES[-1][0]:
                taken.append(box)
                break
            name.remove()


def add_key(axes, families):
    for mark, label in MARKS.values():
        axes.plot([], [], mark, color="gray", markerfacecolor="none" if mark == "s" else "gray", label=label)
    for each in (each for each in COLORS if each in families and each not in ("teacher", "by hand")):
        axes.plot(
            [], [], "-", color=COLORS[each], label="shrunk, and another way" if each == "both" else each
        )
    axes.legend(loc="lower right")
